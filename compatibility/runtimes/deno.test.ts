import { describe, expect, onTestFinished } from 'vitest';
import { connect } from '../../test/support/client.js';
import { startProgram } from '../support/program.js';
import { checksOf } from '../support/subject.js';
import { describeRuntime } from './support/describe-runtime.js';
import { run, writeSection } from './support/page.js';
import { deno, isInstalled } from './support/runtimes.js';

describeRuntime(deno);

describe.runIf(isInstalled(deno))('on Deno', () => {
  const check = checksOf(deno);
  const [program = ''] = deno.command;
  const permissions = ['--no-lock', '--allow-net', '--allow-read', '--allow-env'];

  check('test runner', 'deno test runs tests with connect and runHandler, and finds no leak', async () => {
    const command = [program, 'test', '--no-check', ...permissions, 'echo.test.mjs'];
    expect(await run(command, writeSection('deno'))).toContain('2 passed | 0 failed');
  });

  check('permissions', 'the app needs only the permissions that the document names', async () => {
    const cwd = writeSection('deno', 'deno-permissions');
    const started = await startProgram([program, 'run', '--no-prompt', ...permissions, 'server.mjs'], {
      cwd,
    });
    onTestFinished(() => started.kill());
    const client = await connect(started, '/echo');
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });
});
