import { AttachAddon } from '@xterm/addon-attach';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../test/support/client.js';
import { serveBlock } from './support/serve-library.js';

type Terminal = Parameters<AttachAddon['activate']>[0];

/** What the addon uses of a terminal. Its screen is a text. */
class FakeTerminal {
  screen = '';
  type!: (text: string) => void;
  typeBinary!: (text: string) => void;

  onData(listener: (text: string) => void) {
    this.type = listener;
    return { dispose() {} };
  }

  onBinary(listener: (text: string) => void) {
    this.typeBinary = listener;
    return { dispose() {} };
  }

  write(data: string | Uint8Array) {
    this.screen += typeof data === 'string' ? data : Buffer.from(data).toString();
  }
}

async function open() {
  const site = await serveBlock('terminals');
  // The addon compares states with the browser's constants.
  vi.stubGlobal('WebSocket', WebSocket);
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
  const visit = async () => {
    const client = await connect({ port: site.port, tls: false }, '/terminal');
    const terminal = new FakeTerminal();
    new AttachAddon(client.ws as unknown as globalThis.WebSocket).activate(terminal as unknown as Terminal);
    /** Waits for "name 1234" on the screen. */
    const findPid = async (name: string): Promise<number> => {
      const find = () => new RegExp(`${name} (\\d+)\\n`).exec(terminal.screen)?.[1];
      await expect.poll(find).toBeDefined();
      return Number(find());
    };
    const readPid = () => {
      terminal.type('echo "shell $$"\n');
      return findPid('shell');
    };
    return { client, terminal, findPid, readPid };
  };
  return { site, visit };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a shell answers, also with its errors', async () => {
  const { site, visit } = await open();
  const { client, terminal, readPid } = await visit();
  await readPid();
  terminal.type('echo 日本語; cat; nonsense-command\n');
  await expect.poll(() => terminal.screen).toContain('日本語\n');
  terminal.typeBinary('typed as bytes\n');
  await expect.poll(() => terminal.screen).toContain('typed as bytes\n');
  terminal.type('exit\n');
  await client.close(1000);
  await site.expectQuiet();
});

test('errors of the shell go to the terminal', async () => {
  const { site, visit } = await open();
  const { client, terminal } = await visit();
  terminal.type('nonsense-command\n');
  await expect.poll(() => terminal.screen).toContain('nonsense-command');
  await client.close(1000);
  await site.expectQuiet();
});

test('"exit" closes the websocket with 1000', async () => {
  const { site, visit } = await open();
  const { client, terminal } = await visit();
  terminal.type('echo bye; exit\n');
  expect((await client.closed()).code).toBe(1000);
  expect(terminal.screen).toBe('bye\n');
  await site.expectQuiet();
});

test('a client that types on while the shell exits causes no error', async () => {
  const { site, visit } = await open();
  const { client, terminal, readPid } = await visit();
  await readPid();
  terminal.type('exit\n');
  const typing = setInterval(() => {
    if (client.ws.readyState === WebSocket.OPEN) terminal.type('x'.repeat(1_000));
  }, 0);
  const { code } = await client.closed();
  clearInterval(typing);
  expect(code).toBe(1000);
  await site.expectQuiet();
});

test.each([
  ['closes', (client: { close(): Promise<unknown> }) => client.close()],
  ['loses its connection', (client: { vanish(): Promise<unknown> }) => client.vanish()],
])('the shell ends when the client %s, also while a program runs that reads nothing', async (_how, leave) => {
  const { site, visit } = await open();
  const { client, terminal, findPid, readPid } = await visit();
  const pid = await readPid();
  // `exec` replaces the inner shell, so its pid is that of the program.
  terminal.type('sh -c \'echo "program $$"; exec tail -f /dev/null\'\n');
  const program = await findPid('program');
  expect(isRunning(program)).toBe(true);
  await leave(client as never);
  await expect.poll(() => isRunning(pid)).toBe(false);
  await expect.poll(() => isRunning(program)).toBe(false);
  await site.expectQuiet();
});

test('a program that prints without end ends with its client', async () => {
  const { site, visit } = await open();
  const { client, terminal, readPid } = await visit();
  const pid = await readPid();
  terminal.type('yes\n');
  await expect.poll(() => terminal.screen).toContain('y\ny\n');
  await client.vanish();
  await expect.poll(() => isRunning(pid)).toBe(false);
  await site.expectQuiet();
});

test('clients see 1001 at shutdown, and the shell ends', async () => {
  const { site, visit } = await open();
  const { client, readPid } = await visit();
  const pid = await readPid();
  await site.shutDown();
  expect((await client.closed()).code).toBe(1001);
  await expect.poll(() => isRunning(pid)).toBe(false);
  await site.expectQuiet();
});
