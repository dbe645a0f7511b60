import { text } from 'node:stream/consumers';
import ssh2, { type Client } from 'ssh2';
import { expect, onTestFinished, test } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { defer, within } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

interface Visitor {
  readonly client: Client;
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
}

async function connect(url: string, username = 'guest'): Promise<Visitor> {
  const socket = new WebSocket(url);
  const closed = defer<number>();
  socket.on('close', closed.resolve);
  const client = new ssh2.Client();
  onTestFinished(() => {
    socket.terminate();
  });
  const ready = defer();
  client.on('ready', ready.resolve);
  client.on('error', ready.reject);
  client.connect({ sock: createWebSocketStream(socket), username, password: 'secret' });
  await within(ready.promise, 'login');
  return { client, socket, closed: within(closed.promise, 'close', 60_000) };
}

/** Runs a command, and returns what it has printed. */
async function run(client: Client, command: string): Promise<string> {
  const printed = defer<string>();
  client.exec(command, (error, channel) => {
    if (error) printed.reject(error);
    else void text(channel).then(printed.resolve, printed.reject);
  });
  return within(printed.promise, 'output');
}

async function open() {
  const site = await serveBlock('ssh');
  return { site, clients: site.exports['clients'] as Set<unknown>, url: site.url('/ssh') };
}

test('a client logs in and runs commands', async () => {
  const { site, clients, url } = await open();
  const { client, closed } = await connect(url);
  expect(await run(client, 'uptime')).toBe('you ran uptime\n');
  const long = 'x'.repeat(20_000);
  expect(await run(client, long)).toBe(`you ran ${long}\n`);
  expect(clients.size).toBe(1);
  client.end();
  await closed;
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});

test('the server refuses a name', async () => {
  const { site, clients, url } = await open();
  await expect(connect(url, 'stranger')).rejects.toThrow('authentication methods failed');
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});

test('the server learns that a connection was lost', async () => {
  const { site, clients, url } = await open();
  const { socket } = await connect(url);
  expect(clients.size).toBe(1);
  socket.terminate();
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});

test('clients see 1001 at shutdown', async () => {
  const { site, clients, url } = await open();
  const { closed } = await connect(url);
  await site.shutDown();
  expect(await closed).toBe(1001);
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});
