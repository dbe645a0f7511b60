import type { EventEmitter } from 'node:events';
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client';
import { initTRPC, type AnyTRPCRouter } from '@trpc/server';
import { applyWSSHandler, getWSConnectionHandler } from '@trpc/server/adapters/ws';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { requireWebsocket } from 'dwebsocket';
import { connect } from '../test/support/client.js';
import { defer, Inbox } from '../test/support/inbox.js';
import { watchSockets } from './support/client-sockets.js';
import { serveApp, serveBlock, type LibrarySite } from './support/serve-library.js';

// The routers of the blocks are JavaScript, and have no type that the client could take.
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as said above
type Untyped = any;

/** Creates the client of tRPC. By default, a test has ended before it reconnects. */
function createClient(site: LibrarySite, { path = '/trpc', retryDelay = 2_000 } = {}) {
  const sockets = watchSockets();
  const socket = createWSClient({
    url: site.url(path),
    WebSocket: sockets.WebSocket as unknown as typeof globalThis.WebSocket,
    retryDelayMs: () => retryDelay,
  });
  onTestFinished(() => socket.close());
  return {
    client: createTRPCClient<Untyped>({ links: [wsLink({ client: socket })] }) as Untyped,
    socket,
    sockets,
  };
}

describe('the block under #trpc', () => {
  /** Serves the block, and subscribes a client. */
  async function subscribe(options?: { retryDelay: number }) {
    const site = await serveBlock('trpc');
    const news = site.exports['news'] as EventEmitter;
    const { client, socket, sockets } = createClient(site, options);
    const items = new Inbox<unknown>();
    client.news.subscribe(undefined, { onData: (item: unknown) => items.push(item) });
    await expect.poll(() => news.listenerCount('item')).toBe(1);
    return { site, news, client, socket, sockets, items };
  }

  test('answers a query', async () => {
    const { client, socket, site } = await subscribe();
    expect(await client.greet.query('Ada')).toBe('Hello, Ada!');
    await socket.close();
    await site.expectQuiet();
  });

  test('sends the items of a subscription, and learns that the client has closed', async () => {
    const { site, news, socket, items } = await subscribe();
    news.emit('item', 'one');
    expect(await items.next('item')).toBe('one');
    await socket.close();
    await expect.poll(() => news.listenerCount('item')).toBe(0);
    await site.expectQuiet();
  });

  test('learns that a connection is lost', async () => {
    const { site, news, sockets } = await subscribe();
    sockets.loseConnection();
    await expect.poll(() => news.listenerCount('item')).toBe(0);
    await site.expectQuiet();
  });

  test('can tell all clients to reconnect', async () => {
    const { site, news, items } = await subscribe({ retryDelay: 0 });
    const broadcast = site.exports['broadcastReconnectNotification'] as () => void;
    const listeners = news.listeners('item');
    broadcast();
    // The client subscribes anew on a second connection, and closes the first one.
    await expect
      .poll(() => news.listeners('item'))
      .toSatisfy((now: unknown[]) => now.length === 1 && now[0] !== listeners[0]);
    news.emit('item', 'two');
    expect(await items.next('item')).toBe('two');
  });

  test('closes with 1001 at shutdown', async () => {
    const { site, news, sockets } = await subscribe();
    await site.shutDown();
    expect(await sockets.closed()).toBe(1001);
    await expect.poll(() => news.listenerCount('item')).toBe(0);
    await site.expectQuiet();
  });
});

test('the block under #trpc-without-a-websocketserver passes the request of Express to createContext', async () => {
  const site = await serveBlock('trpc-without-a-websocketserver');
  const { client, socket } = createClient(site, { path: '/trpc?name=Ada' });
  expect(await client.whoami.query()).toBe('Ada');
  await socket.close();
  await site.expectQuiet();
});

describe.each(['applyWSSHandler', 'getWSConnectionHandler'])('with %s', (adapter) => {
  function serveRouter(router: AnyTRPCRouter, createContext = () => Promise.resolve({})) {
    const wss = new WebSocketServer({ noServer: true });
    const options = { router, createContext, wss };
    const handler = getWSConnectionHandler(options);
    applyWSSHandler(options);
    const app = express();
    app.get(
      '/trpc',
      requireWebsocket((req) => {
        if (adapter === 'applyWSSHandler') req.websocket.handOver(wss);
        else handler(req.websocket.handOver(), req);
      }),
    );
    return serveApp(app);
  }

  test('no message is lost while the context is pending', async () => {
    const context = defer();
    const createContext = async () => {
      await context.promise;
      return {};
    };
    const { procedure, router } = initTRPC.create();
    const site = await serveRouter(router({ ping: procedure.query(() => 'pong') }), createContext);
    const client = await connect(site, '/trpc');
    for (const id of [1, 2, 3])
      client.send(JSON.stringify({ id, method: 'query', params: { path: 'ping' } }));
    await client.flush();
    expect(client.unread()).toEqual([]);
    context.resolve();
    const answers = (await client.take(3)).map((text) => JSON.parse(text.toString()) as unknown);
    expect(answers).toEqual([1, 2, 3].map((id) => ({ id, result: { type: 'data', data: 'pong' } })));
    await client.close();
    await site.expectQuiet();
  });

  test('the server learns that a client has left, by a close or a lost connection', async () => {
    const left = new Inbox<boolean>();
    const { procedure, router } = initTRPC.create();
    const wait = procedure.subscription(async function* ({ signal }) {
      yield 'ready';
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      left.push(true);
    });
    const site = await serveRouter(router({ wait }));
    for (const leave of ['close', 'loseConnection']) {
      const { client, socket, sockets } = createClient(site);
      await new Promise((resolve) => client.wait.subscribe(undefined, { onData: resolve }));
      if (leave === 'close') await socket.close();
      else sockets.loseConnection();
      expect(await left.next(leave)).toBe(true);
    }
    await site.expectQuiet();
  });
});
