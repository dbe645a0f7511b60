import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent, createServer, get, type Server } from 'node:http';
import { createSecureServer } from 'node:http2';
import express, { type RequestHandler } from 'express';
import { expect, test } from 'vitest';
import { attachWebsocket, requireWebsocket, websocketMiddleware, type Websocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer } from '../support/inbox.js';
import { requestUpgrade } from '../support/request.js';
import { CERTIFICATE, listen, serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

/** Loads a route at its first request, as frameworks do that compile routes on demand. */
function lazily(load: () => Promise<RequestHandler>): RequestHandler {
  let loaded: Promise<RequestHandler> | undefined;
  return (req, res, next) => {
    loaded ??= load();
    void loaded.then((handler) => {
      void handler(req, res, next);
    });
  };
}

async function loadGreeting(): Promise<RequestHandler> {
  await new Promise(setImmediate);
  return requireWebsocket(({ websocket }) => void websocket.send('welcome'));
}

// This test must be the first of the file: in later ones the process has wrapped a route before.
test('a request that loads the first route attaches its server, and its answer says so', async () => {
  const warnings = watchWarnings();
  const app = express();
  app.get('/page', (_req, res) => res.send('a page'));
  const bothAreHere = defer();
  let count = 0;
  app.use('/greeting', (_req, _res, next) => {
    if (++count === 2) bothAreHere.resolve();
    next();
  });
  app.get(
    '/greeting',
    lazily(async () => {
      await bothAreHere.promise;
      return loadGreeting();
    }),
  );
  const site = await serve(app);

  const both = await Promise.all([requestUpgrade(site, '/greeting'), requestUpgrade(site, '/greeting')]);
  for (const { status, headers, body } of both) {
    expect([status, headers.connection]).toEqual([503, 'close']);
    expect(body).toContain('It can now: try again');
    expect(body).not.toContain('server.emit');
  }
  expect(await (await connect(site, '/greeting')).next()).toBe('welcome');
  const { code, message } = await warnings.next();
  expect(code).toBe('WEBSOCKET_NOT_ATTACHED');
  expect(message).toContain('load the routes before the first request, or call attachWebsocket(server)');
  expect(warnings.rest()).toEqual([]);
});

/** Simulates a runtime that does not publish its connections. */
function announceNothing(): () => void {
  const accepted = 'net.server.socket';
  const holder = channel(accepted) as unknown as Record<symbol, (message: unknown) => void>;
  const watcher = holder[Symbol.for('dwebsocket.watcher.1')]!;
  unsubscribe(accepted, watcher);
  return () => {
    subscribe(accepted, watcher);
  };
}

test('websocketMiddleware attaches an unknown server, too', async () => {
  const announceAgain = announceNothing();
  const app = express();
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/', (req, res) => {
    const { websocket } = req as unknown as { websocket: Websocket | null };
    if (websocket === null) res.send('plain');
    else websocket.send('welcome');
  });
  const site = await serve(app);
  expect((await requestUpgrade(site, '/')).body).toBe('plain');
  const client = await connect(site);
  announceAgain();
  expect(await client.next()).toBe('welcome');
});

test('a connection from before the first route can become a websocket, too', async () => {
  const announceAgain = announceNothing();
  watchWarnings();
  const app = express();
  app.get('/page', (_req, res) => res.send('a page'));
  app.get('/greeting', lazily(loadGreeting));
  const site = await serve(app);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const visitPage = () =>
    new Promise<void>((resolve, reject) => {
      get({ port: site.port, host: '127.0.0.1', path: '/page', agent }, (res) => {
        res.resume().on('close', resolve);
      }).on('error', reject);
    });
  await visitPage();
  expect((await requestUpgrade(site, '/greeting')).status).toBe(503);
  const client = await connect(site, '/greeting', { agent });
  announceAgain();
  expect(await client.next()).toBe('welcome');
  expect(site.sockets.size).toBe(1);
  agent.destroy();
});

test('a detached server stays detached, and the answer says to attach it again', async () => {
  watchWarnings();
  const server = createServer(requireWebsocket(() => {}) as never);
  attachWebsocket(server)();
  const site = await listen(server);
  for (let i = 0; i < 2; i++) {
    const { status, body } = await requestUpgrade(site, '/');
    expect(status).toBe(503);
    expect(body).toContain('this server has been detached');
    expect(body).toContain('call attachWebsocket(server)');
  }
});

test('the answer of a node:http2 server says to attach it, which solves the problem', async () => {
  watchWarnings();
  const route = requireWebsocket(({ websocket }) => void websocket.send('welcome'));
  const server = createSecureServer({ ...CERTIFICATE, allowHTTP1: true }, route as never);
  const site = { ...(await listen(server as unknown as Server)), tls: true };
  const { status, body } = await requestUpgrade(site, '/');
  expect([status, body]).toEqual([503, expect.stringContaining('call attachWebsocket(server) first')]);
  attachWebsocket(server);
  expect(await (await connect(site)).next()).toBe('welcome');
});
