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

test('closeClients closes all open clients', async () => {
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

test('closeClients resolves if no client is open', async () => {
  await closeClients();
  const client = await connect(route);
  await client.close();
  await closeClients();
});

test('closeClients terminates connections whose server does not answer, also with a fake clock', async () => {
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

test('closeClients ends a pending handshake', async () => {
  const app = express();
  app.use(() => {});
  const connecting = connect(app, '/', { deadline: 20 });
  connecting.catch(() => {});
  await closeClients();
  await expect(connecting).rejects.toThrow('nothing came');
});

test("closeClients ignores the arguments of a runner's hook", async () => {
  const client = await connect(route);
  await Reflect.apply(closeClients, undefined, [{ name: 'a context' }]);
  expect(client.isClosed()).toBe(true);
  expect(closeClients).toHaveLength(0);
});

test('the end of a block closes a client of await using', async () => {
  let kept: TestClient;
  {
    await using client = await connect(route);
    kept = client;
    expect(client.isClosed()).toBe(false);
  }
  expect(await kept.closed).toMatchObject({ code: 1000 });
});

test('an unclosed client does not keep the process alive', async () => {
  const count = () => process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length;
  const before = count();
  const client = await connect(route);
  expect(count()).toBeLessThanOrEqual(before);
  await client.close();
});
