import { newWebSocketRpcSession } from 'capnweb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../test/support/client.js';
import { watchSockets } from './support/client-sockets.js';
import { serveBlock } from './support/serve-library.js';

interface Api {
  greet(name: string): string;
}

// As the page says for Node 20.
if (!('WebSocket' in globalThis)) vi.stubGlobal('WebSocket', WebSocket);

/** Serves the block, and opens a session of Cap'n Web. */
async function open() {
  const site = await serveBlock('capn-web');
  const sockets = watchSockets();
  const websocket = new sockets.WebSocket(site.url('/api'));
  const api = newWebSocketRpcSession<Api>(websocket as unknown as globalThis.WebSocket);
  onTestFinished(() => websocket.terminate());
  expect(await api.greet('Ada')).toBe('Hello, Ada!');
  return { site, sockets, api, sessions: site.exports['sessions'] as Set<unknown> };
}

test('answers calls, also those that a client sends at once', async () => {
  const { site, api } = await open();
  expect(await Promise.all(['Ada', 'Bob'].map((name) => api.greet(name)))).toEqual([
    'Hello, Ada!',
    'Hello, Bob!',
  ]);
  api[Symbol.dispose]();
  await site.expectQuiet();
});

test('disposes the object of a client that has closed', async () => {
  const { site, api, sessions } = await open();
  expect(sessions.size).toBe(1);
  api[Symbol.dispose]();
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});

test('disposes the object of a client whose connection is lost', async () => {
  const { site, sockets, sessions } = await open();
  expect(sessions.size).toBe(1);
  sockets.loseConnection();
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});

test('closes with 3000 after text that is no message of Cap’n Web', async () => {
  const { site, sessions } = await open();
  const client = await connect(site, '/api');
  client.send('nonsense');
  expect(await client.closed()).toMatchObject({ code: 3000 });
  await expect.poll(() => sessions.size).toBe(1);
});

test('closes with 1001 at shutdown', async () => {
  const { site, sockets, sessions } = await open();
  await site.shutDown();
  expect(await sockets.closed()).toBe(1001);
  await expect.poll(() => sessions.size).toBe(0);
  await site.expectQuiet();
});
