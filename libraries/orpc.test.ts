import type { EventEmitter } from 'node:events';
import { createORPCClient } from '@orpc/client';
import { RPCLink } from '@orpc/client/websocket';
import { os } from '@orpc/server';
import { RPCHandler } from '@orpc/server/ws';
import express from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { connect } from '../test/support/client.js';
import { watchSockets } from './support/client-sockets.js';
import { serveApp, serveBlock } from './support/serve-library.js';

interface Api {
  greet(name: string): Promise<string>;
  news(): Promise<AsyncIterableIterator<unknown>>;
}

/** Serves the block, and subscribes a client of oRPC to the news. */
async function open() {
  const site = await serveBlock('orpc');
  const news = site.exports['news'] as EventEmitter;
  const sockets = watchSockets();
  const websocket = new sockets.WebSocket(site.url('/orpc?name=Bob'));
  const client = createORPCClient<never>(
    new RPCLink({ websocket: websocket as unknown as globalThis.WebSocket }),
  ) as unknown as Api;
  const items = await client.news();
  // An iterator that has not been asked runs nothing.
  const first = items.next();
  // At the end of a connection, the pending call rejects.
  first.catch(() => {});
  onTestFinished(() => websocket.terminate());
  await expect.poll(() => news.listenerCount('item')).toBe(1);
  return { site, news, client, sockets, websocket, items, first };
}

test('answers a call with its context', async () => {
  const { site, client, websocket } = await open();
  expect(await client.greet('Ada')).toBe('Hello, Ada! I am Bob.');
  websocket.close();
  await site.expectQuiet();
});

test('sends the items of an iterator, and ends it with the client', async () => {
  const { site, news, items, first, websocket } = await open();
  news.emit('item', 'one');
  news.emit('item', 'two');
  expect(await first).toMatchObject({ value: 'one' });
  expect(await items.next()).toMatchObject({ value: 'two' });
  await items.return?.();
  await expect.poll(() => news.listenerCount('item')).toBe(0);
  websocket.close();
  await site.expectQuiet();
});

test('learns that a client has closed', async () => {
  const { site, news, websocket } = await open();
  websocket.close();
  await expect.poll(() => news.listenerCount('item')).toBe(0);
  await site.expectQuiet();
});

test('learns that a connection is lost', async () => {
  const { site, news, sockets } = await open();
  sockets.loseConnection();
  await expect.poll(() => news.listenerCount('item')).toBe(0);
  await site.expectQuiet();
});

test('carries bytes both ways', async () => {
  const handler = new RPCHandler({ upper: os.handler(({ input }) => upper(input as Blob)) });
  const app = express();
  app.get(
    '/orpc',
    requireWebsocket((req) => handler.upgrade(req.websocket.handOver())),
  );
  const site = await serveApp(app);
  const { WebSocket } = watchSockets();
  const websocket = new WebSocket(site.url('/orpc')) as unknown as globalThis.WebSocket;
  const client = createORPCClient<never>(new RPCLink({ websocket })) as unknown as { upper: typeof upper };
  expect(await (await client.upper(new Blob(['a'.repeat(100_000)]))).text()).toBe('A'.repeat(100_000));
  websocket.close();
  await site.expectQuiet();
});

async function upper(blob: Blob): Promise<Blob> {
  return new Blob([(await blob.text()).toUpperCase()]);
}

test('logs a message that it does not know, and stays open', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => log.mockRestore());
  const site = await serveBlock('orpc');
  const client = await connect(site, '/orpc');
  client.send('{}');
  await client.flush();
  await expect.poll(() => log.mock.calls.length).toBe(1);
  expect(client.ws.readyState).toBe(client.ws.OPEN);
  await client.close();
  await site.expectQuiet();
});

test('closes with 1001 at shutdown', async () => {
  const { site, news, sockets } = await open();
  await site.shutDown();
  expect(await sockets.closed()).toBe(1001);
  await expect.poll(() => news.listenerCount('item')).toBe(0);
  await site.expectQuiet();
});
