// Runs `npm run compare`: measures what /compare/ shows, without a browser, for the documents.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { measure } from './measure.js';
import { writeMarkdown, writeSvg } from './report.js';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '0.5' },
    interval: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    out: { type: 'string', default: 'docs' },
  },
});

const settings = { rate: read('rate'), interval: read('interval'), seconds: read('seconds') };
console.log(`Measuring for ${settings.seconds} seconds …`);
const results = await measure(settings);
const file = join(values.out, 'compare.md');
const markdown = await format(writeMarkdown(results, settings), {
  ...(await resolveConfig(import.meta.filename)),
  parser: 'markdown',
});
await mkdir(values.out, { recursive: true });
await writeFile(file, markdown);
await writeFile(join(values.out, 'compare.svg'), writeSvg(results));
console.log(markdown);
console.log(`Written to ${file} and compare.svg`);

function read(name: 'rate' | 'interval' | 'seconds'): number {
  const number = Number(values[name]);
  if (number > 0 && number <= 60_000) return number;
  console.error(`--${name} must be a number above 0, not ${JSON.stringify(values[name])}`);
  process.exit(1);
}
