import { once } from 'node:events';
import { releaseProxy, wrap, type Endpoint, type Remote } from 'comlink';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../test/support/client.js';
import { watchSockets } from './support/client-sockets.js';
import { serveBlock } from './support/serve-library.js';

interface Api {
  greet(name: string): string;
}

/** Serves the block, and wraps it with Comlink. */
async function open() {
  const site = await serveBlock('comlink');
  const sockets = watchSockets();
  const socket = new sockets.WebSocket(site.url('/comlink'));
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const endpoint = {
    postMessage: (message: unknown) => socket.send(JSON.stringify(message)),
    addEventListener: (_type: string, listener: (event: { data: unknown }) => void) =>
      socket.on('message', (text) => listener({ data: JSON.parse((text as Buffer).toString()) })),
    removeEventListener: () => {},
  };
  const api: Remote<Api> = wrap(endpoint as unknown as Endpoint);
  expect(await api.greet('Ada')).toBe('Hello, Ada!');
  return { site, sockets, socket, api, clients: site.exports['clients'] as Set<unknown> };
}

test('answers calls', async () => {
  const { site, socket, api } = await open();
  expect(await Promise.all([api.greet('Bob'), api.greet('Eve')])).toEqual(['Hello, Bob!', 'Hello, Eve!']);
  socket.close();
  await site.expectQuiet();
});

test('releases the object when its client does', async () => {
  const { site, socket, api, clients } = await open();
  expect(clients.size).toBe(1);
  api[releaseProxy]();
  await expect.poll(() => clients.size).toBe(0);
  socket.close();
  await site.expectQuiet();
});

test('releases the object of a client that has closed', async () => {
  const { site, socket, clients } = await open();
  expect(clients.size).toBe(1);
  socket.close();
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});

test('releases the object of a client whose connection is lost', async () => {
  const { site, sockets, clients } = await open();
  expect(clients.size).toBe(1);
  sockets.loseConnection();
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});

test('closes with 1011 after text that is not JSON', async () => {
  const site = await serveBlock('comlink');
  const client = await connect(site, '/comlink');
  client.send('{');
  expect(await client.closed()).toMatchObject({ code: 1011 });
});

test('closes with 1001 at shutdown', async () => {
  const { site, sockets, clients } = await open();
  await site.shutDown();
  expect(await sockets.closed()).toBe(1001);
  await expect.poll(() => clients.size).toBe(0);
  await site.expectQuiet();
});
