import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readDocument } from '../../test/docs/document.js';
import { requirement } from '../../test/support/requirements.js';
import { programs } from './support/run.js';
import { REFUSAL, startServer } from './support/server.js';

const page = readDocument('docs/clients.md');
const blocks = (language: string) => page.blocks.filter((block) => block.language === language);

test('the lines of Python in the page are those of the tested programs', () => {
  const names = ['soup_client.py', 'qt_client.py'];
  const tested = names.map((name) => readFileSync(`${programs}/${name}`, 'utf8')).join('\n');
  const lines = blocks('python').flatMap(({ code }) =>
    code.split('\n').map((line) => line.replace(/ {2}#.*/, '')),
  );
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(tested).toContain(line);
});

const hasCurl = requirement('curl', spawnSync('curl', ['--version']).status === 0);

describe.runIf(hasCurl)('the command of the page', () => {
  const run = async (path: string) => {
    const server = await startServer();
    onTestFinished(() => server.close());
    const [block] = blocks('sh');
    const command = (block?.code ?? 'false')
      .replace('localhost:8000/echo', `127.0.0.1:${server.port}${path}`)
      .replace('--max-time 5', '--max-time 2');
    return new Promise<{ output: string; code: unknown }>((resolve) => {
      execFile('sh', ['-c', command], (error, output) => resolve({ output, code: error?.code }));
    });
  };

  test('shows a refusal with its status and its body', async () => {
    const { output, code } = await run('/refused');
    expect(output).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
    expect(output).toContain(`\r\n\r\n${REFUSAL}`);
    expect(code).toBeUndefined();
  });

  test('shows the 101 of a handshake that succeeds', async () => {
    const { output } = await run('/echo');
    expect(output).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(output.toLowerCase()).toContain('sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=');
  });
});
