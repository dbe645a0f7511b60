import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { afterEach, expect, test, vi } from 'vitest';
import WebSocket from 'ws';

// Processes start slowly where many of them run at once.
vi.setConfig({ testTimeout: 60_000 });

const children: ChildProcess[] = [];

/** Starts server.ts as `npm start` does, but for the port. */
function startServer(port: number | string) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/server.ts'], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

/** The URL that the server prints when it listens. */
async function readUrl(child: ReturnType<typeof startServer>): Promise<string> {
  const errors = text(child.stderr);
  for await (const line of createInterface(child.stdout)) {
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url) return url;
  }
  throw new Error(`the server printed no URL: ${await errors}`);
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} closes open websockets with 1001 and ends the process with 0`, async () => {
    const child = startServer(0);
    const url = await readUrl(child);
    expect(url).toMatch(/^http:\/\/localhost:\d+\/home\/$/);
    expect((await fetch(url)).status).toBe(200);

    const websockets = [1, 2, 3].map(() => new WebSocket(new URL('/echo/', url)));
    await Promise.all(websockets.map((websocket) => once(websocket, 'open')));
    const closes = websockets.map((websocket) => once(websocket, 'close'));
    const exit = once(child, 'exit');
    child.kill(signal);

    for (const close of closes) expect((await close)[0]).toBe(1001);
    expect(await exit).toEqual([0, null]);
  });
}

test('a connection that never asks for anything does not keep the process', async () => {
  const child = startServer(0);
  const url = new URL(await readUrl(child));
  const socket = connect(Number(url.port), 'localhost');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  socket.destroy();
});

test('an answer that never ends does not keep the process', async () => {
  const child = startServer(0);
  const url = await readUrl(child);
  const controller = new AbortController();
  const { signal } = controller;
  const answer = await fetch(new URL('/compare/?way=streaming&rate=50', url), { signal });
  await answer.body?.getReader().read();
  const waiting = fetch(new URL('/compare/?way=long-polling&rate=0.1', url), { signal }).catch(
    () => undefined,
  );
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  controller.abort();
  await waiting;
});

test('a port that is taken gets one clear line', async () => {
  const other = createServer().listen(0);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const child = startServer(port);
  const exit = once(child, 'exit');
  expect(await text(child.stderr)).toBe(
    `Port ${String(port)} is taken. Try another one: PORT=8001 npm start\n`,
  );
  expect(await exit).toEqual([1, null]);
  other.close();
});

test('an invalid port gives one clear line', async () => {
  for (const port of ['http', '65536', '-1', ' ']) {
    const child = startServer(port);
    const exit = once(child, 'exit');
    expect(await text(child.stderr)).toBe(
      `PORT must be a number from 0 to 65535, not ${JSON.stringify(port)}\n`,
    );
    expect(await exit).toEqual([1, null]);
  }
});
