import { once } from 'node:events';
import { get } from 'node:http';
import express from 'express';
import { closeWebsockets, openWebsockets, requireWebsocket } from 'dwebsocket';
import { createGroups, eventStream } from 'dwebsocket/groups';
import { expect, test } from 'vitest';
import { connect, type Client } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { openRaw } from '../support/raw-client.js';
import { close, closeCodeOf, text } from '../support/raw-frames.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve, type Site } from '../support/serve.js';
import { Http2Tunnel } from '../support/http2-tunnel.js';
import { serveHttp2 } from '../http2/serve-http2.js';

/** So long that no test waits for its end. */
const LONG = 600_000;

const waiting = requireWebsocket(async ({ websocket }) => {
  for await (const message of websocket) websocket.send(message);
});

async function openMany(site: Site, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count)
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => connect(site)))));
  return clients;
}

test(
  'two thousand clients are closed one after the other, and none before its time',
  { timeout: 120_000 },
  async () => {
    const COUNT = 2_000;
    const over = 3_000;
    const site = await serve(waiting);
    const clients = await openMany(site, COUNT);
    const start = performance.now();
    let closed = 0;
    let most = -Infinity;
    const order: number[] = [];
    for (const [index, { ws }] of clients.entries()) {
      ws.on('close', (code) => {
        expect(code).toBe(1001);
        order.push(index);
        closed++;
        most = Math.max(most, closed - ((performance.now() - start) / over) * COUNT);
      });
    }
    await within(closeWebsockets(site.server, { over }), 'end of closeWebsockets', 60_000);
    expect(performance.now() - start).toBeGreaterThanOrEqual(over - over / COUNT - 1);
    for (const client of clients) await client.closed();
    // Of the first moment, and for a timer that comes a millisecond early.
    expect(most).toBeLessThanOrEqual(2);
    // Neighbours do not close together: in order of age, the average distance would be 1.
    const distances = order.slice(1).map((index, i) => Math.abs(index - order[i]!));
    expect(distances.reduce((sum, distance) => sum + distance) / distances.length).toBeGreaterThan(100);
  },
);

test('new handshakes get 503 from the start, and the open websockets work until their turn', async () => {
  const site = await serve(waiting);
  const clients = await openMany(site, 50);
  const closing = closeWebsockets(site.server, { over: LONG });
  expect((await requestUpgrade(site, '/')).status).toBe(503);
  expect((await request(site, '/')).status).toBe(400);
  const [first] = await Promise.all([Promise.race(clients.map((client) => client.closed()))]);
  expect(first).toEqual({ code: 1001, reason: '' });
  const left = clients.filter(({ ws }) => ws.readyState === ws.OPEN);
  expect(left).toHaveLength(49);
  for (const client of left) {
    client.send('still here');
    expect(await client.next()).toBe('still here');
  }
  for (const client of left) client.ws.close();
  await within(closing, 'end of closeWebsockets');
});

test('resolves as soon as all have left by themselves, and at once if none is open', async () => {
  const site = await serve(waiting);
  await within(closeWebsockets(site.server, { over: LONG }), 'end of closeWebsockets');
  const clients = await openMany(site, 50);
  const closing = closeWebsockets(site.server, { over: LONG });
  for (const client of clients) client.ws.terminate();
  await within(closing, 'end of closeWebsockets');
  await (await connect(site)).close();
});

test('a second call without over closes the rest at once', async () => {
  const site = await serve(waiting);
  const clients = await openMany(site, 50);
  const slow = closeWebsockets(site.server, { over: LONG });
  await within(closeWebsockets(site.server, { code: 4000, reason: 'now' }), 'end of the second call');
  await within(slow, 'end of the first call');
  const codes = await Promise.all(clients.map(async (client) => (await client.closed()).code));
  expect(codes.filter((code) => code === 1001)).toHaveLength(1);
  expect(codes.filter((code) => code === 4000)).toHaveLength(49);
});

test('server.close() closes the rest at once', async () => {
  const site = await serve(waiting);
  const clients = await openMany(site, 50);
  const slow = closeWebsockets(site.server, { over: LONG });
  const closed = new Promise((resolve) => site.server.close(resolve));
  await within(slow, 'end of closeWebsockets');
  expect(await within(closed, 'callback of close()')).toBeUndefined();
  for (const client of clients) expect((await client.closed()).code).toBe(1001);
});

test('the timeout of a client begins with its close', async () => {
  const site = await serve(waiting);
  const clients = [await openRaw(site.port), await openRaw(site.port)];
  const start = performance.now();
  // Neither of them answers.
  const ends = clients.map(async (client) => {
    expect(closeCodeOf((await client.nextFrame())!)).toBe(1001);
    await client.end();
  });
  await within(closeWebsockets(site.server, { over: 400, timeout: 150 }), 'end of closeWebsockets');
  await Promise.all(ends);
  // The second one is closed after 200 ms.
  expect(performance.now() - start).toBeGreaterThanOrEqual(200 + 150 - 2);
  expect(openWebsockets(site.server).size).toBe(0);
});

test('a websocket that was closing before, with a longer closeTimeout, ends with over and timeout', async () => {
  const opened = defer();
  const site = await serve(
    requireWebsocket(
      ({ websocket }) => {
        void websocket.close(4000);
        opened.resolve();
        return websocket.closed;
      },
      { closeTimeout: LONG },
    ),
  );
  const client = await openRaw(site.port);
  await opened.promise;
  await within(closeWebsockets(site.server, { over: 20, timeout: 20 }), 'end of closeWebsockets');
  await client.end();
});

test('a session of HTTP/2 is retired from the start, and its websockets work until their turn', async () => {
  const site = await serveHttp2(waiting);
  const session = await site.session();
  const goaway = once(session, 'goaway');
  const open = () => openRaw(site.port, { socket: new Http2Tunnel(session).asSocket() });
  const clients = [await open(), await open()];
  const closing = closeWebsockets(site.server, { over: LONG });
  await within(goaway, 'GOAWAY');
  const [first, second] = clients.map((client) => client.nextFrame());
  const frame = await Promise.race([first!, second!]);
  expect(closeCodeOf(frame!)).toBe(1001);
  const left = clients.find((client) => client.frames.length === 0)!;
  left.write(text('still here'));
  expect((await (left === clients[0] ? first : second))!.payload.toString()).toBe('still here');
  for (const client of clients) client.write(close(1001));
  await within(closing, 'end of closeWebsockets');
});

test('event streams are spread, too, and one that ends by itself is not waited for', async () => {
  const groups = createGroups();
  const app = express();
  app.get('/events', (req, res) => {
    groups.group('all').add(eventStream(req, res));
  });
  app.get('/', waiting);
  const site = await serve(app);
  // Attaches the server.
  await (await connect(site)).close();
  const streams = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const ended = defer();
      const req = get({ port: site.port, host: '127.0.0.1', path: '/events', agent: false });
      await new Promise<void>((resolve, reject) => {
        req.on('error', reject);
        req.on('response', (res) => {
          res.on('error', () => {});
          res.on('close', () => ended.resolve());
          res.resume();
          resolve();
        });
      });
      return { req, ended: ended.promise };
    }),
  );
  let ended = 0;
  for (const stream of streams) void stream.ended.then(() => ended++);
  const closing = closeWebsockets(site.server, { over: LONG });
  await within(Promise.race(streams.map((stream) => stream.ended)), 'end of the first stream');
  await new Promise(setImmediate);
  expect(ended).toBe(1);
  for (const { req } of streams) req.destroy();
  await within(closing, 'end of closeWebsockets');
});
