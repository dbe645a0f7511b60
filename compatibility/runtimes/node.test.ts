import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import { readDocument } from '../../test/docs/document.js';
import { startProgram, type Program } from '../support/program.js';
import { checksOf } from '../support/subject.js';
import { describeRuntime } from './support/describe-runtime.js';
import { environmentOf, run, writeSection } from './support/page.js';
import { folder, isInstalled, nodes } from './support/runtimes.js';

for (const node of nodes) {
  describeRuntime(node);

  describe.runIf(isInstalled(node))(`on ${node.name}`, () => {
    const check = checksOf(node);
    const [program = ''] = node.command;
    const major = Number(node.name.slice(5));

    check('permissions', 'the app needs to read its modules, and nothing else', async () => {
      const cwd = writeSection('the-permission-model', `permission-${major}`);
      const options = [
        major === 20 ? '--experimental-permission' : '--permission',
        `--allow-fs-read=${folder.replace(/runtimes\/$/, '')}`,
        ...(major >= 25 ? ['--allow-net'] : []),
      ];
      const started = await startProgram([program, ...options, 'server.mjs'], { cwd });
      onTestFinished(() => started.kill());
      await expectEcho(started);
    });

    check('threads', 'each thread has a server; the process ends when their websockets have', async () => {
      const cwd = writeSection('worker-threads', `workers-${major}`);
      const started = await startProgram([program, 'workers.mjs'], { cwd });
      onTestFinished(() => started.kill());
      await expect.poll(() => portsOf(started)).toHaveLength(2);
      const clients = await Promise.all(portsOf(started).map((port) => connect({ port }, '/echo')));
      for (const client of clients) {
        client.send('hello');
        expect(await client.next()).toBe('hello');
      }
      const ended = started.stop('SIGTERM');
      for (const client of clients) expect((await client.closed()).code).toBe(1001);
      expect(await ended).toEqual({ code: 0, signal: null });
    });

    check('threads', 'terminate() ends the websockets of its thread, and of no other', async () => {
      const started = await startProgram([program, `${folder}terminated.mjs`]);
      onTestFinished(() => started.kill());
      await expect.poll(() => portsOf(started)).toHaveLength(2);
      const clients = await Promise.all(portsOf(started).map((port) => connect({ port }, '/echo')));
      for (const client of clients) await client.flush();
      started.child.kill('SIGUSR2');
      await started.printed(/terminated/);
      const { code } = await Promise.race(clients.map((client) => client.closed()));
      expect(code).toBe(1006);
      const open = clients.filter(({ ws }) => ws.readyState === ws.OPEN);
      expect(open).toHaveLength(1);
      for (const client of open) {
        client.send('hello');
        expect(await client.next()).toBe('hello');
      }
    });

    check('executable', 'the app runs as a single executable', async () => {
      const cwd = writeSection('single-executable-applications', `executable-${major}`);
      const [block] = readDocument('docs/runtimes.md').blocks.filter(
        ({ anchor, code }) => anchor === 'single-executable-applications' && code.includes('postject'),
      );
      await run(['sh', '-e', '-c', block?.code ?? 'false'], cwd, environmentOf(node));
      const started = await startProgram([`${cwd}server`], { cwd });
      onTestFinished(() => started.kill());
      await expectEcho(started);
    });
  });
}

test('the table names the versions of Node that package.json pins', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  for (const { name, version } of nodes)
    if (version !== undefined)
      expect(optionalDependencies[name.toLowerCase().replace(' ', '')]).toMatch(new RegExp(`@${version}$`));
});

async function expectEcho(program: Program): Promise<void> {
  const client = await connect(program, '/echo');
  client.send('hello');
  expect(await client.next()).toBe('hello');
}

function portsOf({ lines }: Program): number[] {
  return lines.flatMap((line) => /^http:\/\/localhost:(\d+)$/.exec(line)?.[1] ?? []).map(Number);
}
