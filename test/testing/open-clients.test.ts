import http from 'node:http';
import express from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import { openWebsockets, requireWebsocket, type RequireWebsocketHandler } from 'dwebsocket';
import { closeClients, connect, runHandler, type TestClient } from 'dwebsocket/testing';
import { listen } from '../support/serve.js';

afterEach(() => {
  vi.useRealTimers();
});

const untilClosed: RequireWebsocketHandler = (req) => req.websocket.closed;
const route = requireWebsocket(untilClosed);

test('closeClients closes whatever is open', async () => {
  const app = express();
  app.get('/', route);
  const { server } = await listen(http.createServer(route));
  const clients = [await connect(app, '/'), await connect(server, '/'), runHandler(untilClosed).client];
  await closeClients();
  for (const client of clients) {
    expect(client.isClosed()).toBe(true);
    expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: true });
  }
  expect(openWebsockets(server).size).toBe(0);
});

test('closeClients has nothing to do where nothing is open', async () => {
  await closeClients();
  const client = await connect(route);
  await client.close();
  await closeClients();
});

test('closeClients cuts those whose server does not answer, on a fake clock, too', async () => {
  vi.useFakeTimers();
  const client = await connect(
    requireWebsocket(async (req) => {
      req.socket.pause();
      await req.websocket.closed;
    }),
    '/',
    { deadline: 20 },
  );
  await closeClients();
  expect(client.isClosed()).toBe(true);
});

test('closeClients ends a handshake that is still under way', async () => {
  const app = express();
  app.use(() => {});
  const connecting = connect(app, '/', { deadline: 20 });
  connecting.catch(() => {});
  await closeClients();
  await expect(connecting).rejects.toThrow('nothing came');
});

test('closeClients is called with whatever a runner gives to its hooks', async () => {
  const client = await connect(route);
  await Reflect.apply(closeClients, undefined, [{ name: 'a context' }]);
  expect(client.isClosed()).toBe(true);
  expect(closeClients).toHaveLength(0);
});

test('the end of a block closes what was opened with await using', async () => {
  let kept: TestClient;
  {
    await using client = await connect(route);
    kept = client;
    expect(client.isClosed()).toBe(false);
  }
  expect(await kept.closed).toMatchObject({ code: 1000 });
});

test('a test that forgets its client leaves nothing that keeps the process alive', async () => {
  const count = () => process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length;
  const before = count();
  const client = await connect(route);
  expect(count()).toBeLessThanOrEqual(before);
  await client.close();
});
