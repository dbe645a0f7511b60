import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { connect } from '../../test/support/client.js';
import { connectRaw, handshakeRequest } from '../../test/support/raw-client.js';
import { startProgram, type Program } from '../support/program.js';
import { checksOf } from '../support/subject.js';
import { describeRuntime } from './support/describe-runtime.js';
import { run, writeSection } from './support/page.js';
import { bun, folder, isInstalled } from './support/runtimes.js';

describeRuntime(bun);

describe.runIf(isInstalled(bun))('on Bun', () => {
  const check = checksOf(bun);
  const [program = ''] = bun.command;

  check('test runner', 'bun test runs tests with connect and runHandler', async () => {
    const printed = await run([program, 'test', './echo.test.mjs'], writeSection('bun'));
    expect(printed).toContain('3 pass');
    expect(printed).toContain('0 fail');
  });

  check('executable', 'a bundle for Node runs, also as an executable', async () => {
    const home = writeSection('bun', 'bun-bundle');
    const away = elsewhere();
    await run([program, 'build', '--target=node', `--outfile=${away}bundle.mjs`, 'server.mjs'], home);
    await expectEcho([program, `${away}bundle.mjs`], away);
    await run([program, 'build', '--compile', `--outfile=${away}server`, `${away}bundle.mjs`], away);
    await expectEcho([`${away}server`], away);
  });

  check('executable', 'an executable that lacks ws says what to do', async () => {
    const home = elsewhere();
    cpSync(writeSection('bun', 'bun-compile'), home, { recursive: true });
    cpSync(`${folder}../node_modules`, `${home}node_modules`, { recursive: true, dereference: true });
    const away = elsewhere();
    await run([program, 'build', '--compile', `--outfile=${away}server`, 'server.mjs'], home);
    rmSync(home, { recursive: true });
    await expect(run([`${away}server`], away)).rejects.toThrow(
      'dwebsocket needs the npm package "ws", because Bun\'s own module of this name lacks what it uses',
    );
  });

  check(
    'features',
    'a handshake behind an unfinished response is refused with 503 that says why',
    async () => {
      const { port } = await start([program, `${folder}app.mjs`]);
      const get = 'GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n';
      const client = await connectRaw(port, { request: get + handshakeRequest({ path: '/echo' }) });
      const { body } = await client.response();
      await client.until(() => body().includes('on a connection of its own'), 'the reason');
      expect(body()).toMatch(/^later.*HTTP\/1\.1 503 .*Bun has handled this handshake as plain HTTP/s);
      client.destroy();
    },
  );
});

async function expectEcho(command: readonly string[], cwd: string): Promise<void> {
  const client = await connect(await start(command, cwd), '/echo');
  client.send('hello');
  expect(await client.next()).toBe('hello');
}

async function start(command: readonly string[], cwd = folder): Promise<Program> {
  const program = await startProgram(command, { cwd });
  onTestFinished(() => program.kill());
  return program;
}

/** A folder in which no package is found. */
function elsewhere(): string {
  const path = mkdtempSync(join(tmpdir(), 'dwebsocket-bun-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return `${path}/`;
}
