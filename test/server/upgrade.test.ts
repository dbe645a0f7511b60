import { once } from 'node:events';
import { createServer, ServerResponse, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { attachWebsocket, requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { connectRaw } from '../support/raw-client.js';
import { requestUpgrade } from '../support/request.js';
import { CERTIFICATE, listen, serve } from '../support/serve.js';
import { CUT_OFF, expectEnd, watchExchange } from '../support/watch-exchange.js';

const MB = 10 ** 6;
// Once any route of the process is wrapped, all its servers are attached.
requireWebsocket(() => {});

/** Resolves when all these sockets have closed. */
const allClosed = (sockets: Iterable<Socket>) =>
  within(Promise.all([...sockets].map((socket) => once(socket, 'close'))), 'end of all sockets');

test.for(FRAMEWORKS)(
  'a response of 20 MB to an upgrade request arrives complete, on %s',
  async ([, build]) => {
    const { use, route, app } = build();
    use((_req, res, next) => {
      res.setHeader('X-Request-Id', '1');
      next();
    });
    const page = Buffer.alloc(20 * MB, 'a long page. ');
    route('/', (_req, res) => void res.end(page));
    const { status, headers, body } = await requestUpgrade(await serve(app), '/');
    expect([status, headers['x-request-id'], headers.connection]).toEqual([200, '1', 'close']);
    expect(body.length).toBe(page.length);
    expect(body === page.toString()).toBe(true);
  },
);

test.for([
  ['http', (options: object, app: RequestListener) => createServer(options, app)],
  ['https', (options: object, app: RequestListener) => createTlsServer({ ...CERTIFICATE, ...options }, app)],
] as const)('the response is of the class that was given to %s.createServer', async ([, create]) => {
  class Response extends ServerResponse {
    greet(): void {
      this.end(`hello from ${String(this.writableHighWaterMark > 0)}`);
    }
  }
  const server = create({ ServerResponse: Response }, (_req, res) => (res as Response).greet());
  const site = await listen(server);
  expect(await requestUpgrade(site, '/')).toMatchObject({ status: 200, body: 'hello from true' });
});

test('a response of 20 MB that is written in pieces as the client reads arrives complete', async () => {
  const site = await serve(async (_req, res) => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    for (let i = 0; i < 320; i++) if (!res.write(piece)) await once(res, 'drain');
    res.end();
  });
  const { status, headers, body } = await requestUpgrade(site, '/');
  expect([status, headers['transfer-encoding']]).toEqual([200, 'chunked']);
  expect(body.length).toBe(320 * 64 * 1024);
});

test("the response emits 'close' if the client leaves during a long response", async () => {
  const events = new Inbox<string>();
  const site = await serve((_req, res) => {
    res.on('close', () => events.push('res closed'));
    res.write(Buffer.alloc(MB));
  });
  const client = await connectRaw(site.port);
  await client.response();
  client.destroy();
  expect(await events.next()).toBe('res closed');
});

test('50 refused clients that had sent 300 KB get their response, and no socket stays open', async () => {
  const mayAnswer = defer();
  const waiting = new Inbox<void>();
  const app = express();
  app.use((_req, res) => {
    waiting.push();
    void mayAnswer.promise.then(() => res.status(401).send('who are you?'));
  });
  const site = await serve(app);
  const early = Buffer.alloc(300_000, 7);
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(site.port, { early })));
  for (const client of clients) {
    await waiting.next();
    expect(client.frames).toEqual([]);
  }
  const closed = allClosed(site.sockets);
  const ends = clients.map(({ socket }) => once(socket, 'close'));
  mayAnswer.resolve();
  for (const [i, client] of clients.entries()) {
    const response = await client.response();
    const [isReset] = (await ends[i]) as [boolean];
    expect([response.status, isReset]).toEqual([401, false]);
    expect(response.body()).toBe('who are you?');
  }
  await closed;
  expect(site.sockets.size).toBe(0);
});

test('the server reads all of 8 MB from a refused client, so that no reset destroys the response', async () => {
  const site = await serve((_req, res) => res.writeHead(401).end('who are you?'));
  const client = await connectRaw(site.port, { early: Buffer.alloc(8 * MB) });
  const closed = once(client.socket, 'close');
  expect((await client.response()).status).toBe(401);
  const [isReset] = (await within(closed, 'close')) as [boolean];
  expect([client.socket.bytesWritten > 8 * MB, isReset]).toEqual([true, false]);
});

test('a client that neither reads its refusal to the end nor leaves is disconnected', async () => {
  const app = express();
  app.use((_req, res) => res.sendStatus(404));
  const site = await serve(app);
  const arrived = once(site.server, 'connection');
  const client = await connectRaw(site.port);
  client.socket.pause();
  await arrived;
  await allClosed(site.sockets);
  client.destroy();
});

test('what no route answers within handshakeTimeout gets 503, and the app sees a client that has left', async () => {
  const { watch, events } = watchExchange();
  // A middleware that does not call next().
  const site = await serve((req, res) => watch(req, res, () => {}));
  attachWebsocket(site.server, { handshakeTimeout: 20 });
  const { status, body } = await requestUpgrade(site, '/');
  expect(status).toBe(503);
  expect(body).toContain('make sure that each middleware calls next() or answers');
  await expectEnd(events, CUT_OFF);
});

test('an answer that has begun is not cut off by handshakeTimeout', async () => {
  const begun = new Inbox<ServerResponse>();
  const site = await serve((req, res) => {
    if (req.url === '/forgotten') return;
    res.write('slow but ');
    begun.push(res);
  });
  attachWebsocket(site.server, { handshakeTimeout: 20 });
  const answer = requestUpgrade(site, '/');
  const res = await begun.next('request');
  expect((await requestUpgrade(site, '/forgotten')).status).toBe(503);
  res.end('sure');
  expect(await answer).toMatchObject({ status: 200, body: 'slow but sure' });
});

test('a websocket that is open is not ended by handshakeTimeout', async () => {
  const greet = requireWebsocket(async ({ websocket }) => websocket.send(String(await websocket.wait())));
  const site = await serve((req, res) => {
    if (req.url !== '/forgotten') greet(req, res);
  });
  attachWebsocket(site.server, { handshakeTimeout: 20 });
  const client = await connect(site);
  expect((await requestUpgrade(site, '/forgotten')).status).toBe(503);
  client.send('still there');
  expect(await client.next()).toBe('still there');
});
