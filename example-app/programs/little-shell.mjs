// A small interactive program for /shell/. It runs only the commands in this file.
import { createInterface } from 'node:readline';

const commands = {
  help: () => `I know: ${Object.keys(commands).join(', ')}`,
  date: () => new Date().toString(),
  uptime: () => `I have been running for ${process.uptime().toFixed(1)} seconds`,
  echo: (...words) => words.join(' '),
  sort: (...words) => words.sort().join('\n'),
  sum: (...numbers) => String(numbers.map(Number).reduce((a, b) => a + b, 0)),
  count: async (to) => {
    for (let n = 1; n <= Math.min(Number(to) || 5, 20); n++) {
      console.log(String(n));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  },
  exit: () => process.exit(),
};

const prompt = () => process.stdout.write('> ');

console.log('A little shell. Try: help');
prompt();
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...rest] = line.trim().split(/\s+/);
  if (name !== '') {
    const command = Object.hasOwn(commands, name)
      ? commands[name]
      : () => `${name}: unknown command. Try: help`;
    const output = await command(...rest);
    if (output !== undefined) console.log(output);
  }
  prompt();
}
