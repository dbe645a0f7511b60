import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { attachWebsocket, openWebsockets, requireWebsocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer } from '../support/inbox.js';
import { handshakeRequest } from '../support/raw-client.js';
import { listen, serve } from '../support/serve.js';
import { eventually } from './eventually.js';
import { knock } from './raw.js';

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
});

test("a handshake that is never finished ends at the server's headersTimeout, and others are served meanwhile", async () => {
  const site = await listen(createServer({ headersTimeout: 1_000, connectionsCheckingInterval: 20 }, echo));
  const half = handshakeRequest().slice(0, -4);
  const loris = await Promise.all(Array.from({ length: 50 }, () => knock(site.port, { request: half })));
  const honest = await connect(site);
  honest.send('still there');
  expect(await honest.next()).toBe('still there');
  for (const client of loris) {
    await client.end();
    expect((await client.response()).status).toBe(408);
  }
  expect(openWebsockets(site.server).size).toBe(1);
});

test('a handshake that comes byte by byte is an ordinary handshake', async () => {
  const site = await serve(echo);
  const client = await knock(site.port, { request: '' });
  await client.writeSlowly(Buffer.from(handshakeRequest()));
  expect((await client.response()).status).toBe(101);
});

test('an upgrade that a middleware forgets gets 503 at handshakeTimeout, and its socket ends', async () => {
  const app = express();
  app.use('/forgotten', () => {});
  app.use(echo);
  const site = await serve(app);
  attachWebsocket(site.server, { handshakeTimeout: 100 });
  const forgotten = await Promise.all(
    Array.from({ length: 20 }, () => knock(site.port, { path: '/forgotten' })),
  );
  const honest = await connect(site);
  honest.send('still there');
  expect(await honest.next()).toBe('still there');
  for (const client of forgotten) {
    expect((await client.response()).status).toBe(503);
    await client.end();
  }
  await eventually(() => site.sockets.size === 1, 'the sockets of the forgotten requests are gone');
});

test('a client that keeps sending to a forgotten upgrade ends at handshakeTimeout, too', async () => {
  const app = express();
  app.use('/forgotten', () => {});
  const site = await serve(app);
  attachWebsocket(site.server, { handshakeTimeout: 100 });
  const client = await knock(site.port, { path: '/forgotten', early: Buffer.alloc(300_000) });
  expect((await client.response()).status).toBe(503);
  await client.end();
  await eventually(() => site.sockets.size === 0, 'the socket is gone');
});

test('a client that is refused and does not leave is cut off', async () => {
  const app = express();
  app.get('/refused', (_req, res) => res.status(401).end());
  app.use(echo);
  const site = await serve(app);
  const client = await knock(site.port, { path: '/refused', allowHalfOpen: true });
  expect((await client.response()).status).toBe(401);
  expect(await client.end()).toBe('end');
  client.write('I stay');
  await eventually(() => site.sockets.size === 0, 'the socket is gone');
});

test('a client that leaves while middleware decides ends its request, and the route is not reached', async () => {
  const decided = defer();
  const asked = defer();
  let reached = false;
  const app = express();
  app.use(async (req, _res, next) => {
    asked.resolve();
    await once(req, 'close');
    decided.resolve();
    next();
  });
  app.use(
    requireWebsocket(() => {
      reached = true;
    }),
  );
  const site = await serve(app);
  const client = await knock(site.port);
  await asked.promise;
  client.reset();
  await decided.promise;
  await eventually(() => site.sockets.size === 0, 'the socket is gone');
  expect(reached).toBe(false);
});
