import express, { type Response } from 'express';
import { closeWebsockets, openWebsockets, withDefaults } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { connectRaw, openRaw } from '../support/raw-client.js';
import { closeCodeOf, Opcode } from '../support/raw-frames.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';

// In which two tests do what must be done while the others close.
const { requireWebsocket } = withDefaults({ closeTimeout: 2_000 });

/** An app with a handler in every state, and a middleware that decides when it is told. */
function build() {
  const app = express();
  const undecided = new Inbox<() => void>();
  app.get('/plain', (_req, res) => res.send('plain'));
  app.get(
    '/waiting',
    requireWebsocket((req) => req.websocket.wait()),
  );
  app.get(
    '/sleeping',
    requireWebsocket(async (req) => {
      while (await req.websocket.sleep(60_000));
    }),
  );
  app.get(
    '/stuck',
    requireWebsocket(() => new Promise(() => {})),
  );
  app.get(
    '/undecided',
    (_req, _res, next) => undecided.push(next),
    requireWebsocket((req) => req.websocket.wait()),
  );
  return { app, undecided };
}

const PATHS = ['/waiting', '/sleeping', '/stuck'];

test('closes all websockets with the code and reason, refuses new ones meanwhile, and the server goes on', async () => {
  const site = await serve(build().app);
  const paths = Array.from({ length: 90 }, (_, i) => PATHS[i % 3]);
  const clients = await Promise.all(paths.map((path) => connect(site, path)));
  // It answers nothing: as long as it lasts the closing is under way.
  const silent = await openRaw(site.port, { path: '/waiting' });
  expect(openWebsockets(site.server).size).toBe(91);

  const closing = closeWebsockets(site.server, { code: 4000, reason: 'new version' });
  for (const client of clients) expect(await client.closed()).toEqual({ code: 4000, reason: 'new version' });
  const refused = await requestUpgrade(site, '/waiting');
  expect(refused).toMatchObject({
    status: 503,
    body: 'the server is shutting down; try again in a moment\n',
  });
  expect((await request(site, '/plain')).body).toBe('plain');
  const frame = await silent.nextFrame();
  expect(frame?.opcode).toBe(Opcode.close);
  expect(closeCodeOf(frame!)).toBe(4000);
  await within(closing, 'end of closeWebsockets');
  await silent.end();

  expect(openWebsockets(site.server).size).toBe(0);
  expect((await (await connect(site, '/waiting')).close(1000)).code).toBe(1000);
});

test('a handshake that is decided while the others close gets 503', async () => {
  const { app, undecided } = build();
  const site = await serve(app);
  const late = await connectRaw(site.port, { path: '/undecided' });
  const goOn = await undecided.next('request');
  const closing = closeWebsockets(site.server);
  goOn();
  expect((await late.response()).status).toBe(503);
  await within(closing, 'end of closeWebsockets');
  await late.end();
});

test('a handshake that nobody decides gets 503 after the time-out that is given', async () => {
  const site = await serve(build().app);
  const arrived = defer();
  site.server.once('request', () => arrived.resolve());
  const late = await connectRaw(site.port, { path: '/undecided' });
  await arrived.promise;
  await within(closeWebsockets(site.server, { timeout: 50 }), 'end of closeWebsockets');
  const answer = await late.response();
  expect(answer.status).toBe(503);
  await late.end();
  expect(answer.body()).toBe('the server is shutting down\n');
});

test('an answer that begins while the others close is left to the app, and waited for no longer than the time-out', async () => {
  const { app } = build();
  const asked = new Inbox<Response>();
  app.get('/answering', (_req, res) => asked.push(res));
  const site = await serve(app);
  const late = await connectRaw(site.port, { path: '/answering' });
  const res = await asked.next('request');
  const closing = closeWebsockets(site.server, { timeout: 50 });
  res.write('begun');
  await within(closing, 'end of closeWebsockets');
  const client = await connect(site, '/waiting');
  res.end(', and done');
  const { body } = await late.response();
  await late.end();
  expect(body()).toContain(', and done');
  await client.close();
});

test('a handshake that has begun before close() and is complete after it gets 503', async () => {
  const site = await serve(build().app);
  const late = await connectRaw(site.port, { request: 'GET /waiting HTTP/1.1\r\nHost: a\r\n' });
  // Opened after it, and so the beginning above has arrived; the silence keeps close() under way.
  const silent = await openRaw(site.port, { path: '/waiting' });
  const closed = new Promise((resolve) => site.server.close(resolve));
  late.write('Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  expect((await late.response()).status).toBe(503);
  await late.end();
  await within(closed, 'callback of close()');
  await silent.end();
});

test('when close() calls back, every websocket has told its end', async () => {
  const site = await serve(build().app);
  const client = await connect(site, '/waiting');
  const [websocket] = openWebsockets(site.server);
  let told = false;
  void websocket?.closed.then(() => (told = true));
  const inCallback = new Promise((resolve) => {
    site.server.close((error) => {
      resolve({ error, told, open: openWebsockets(site.server).size });
    });
  });
  expect(await within(inCallback, 'callback of close()')).toEqual({ error: undefined, told: true, open: 0 });
  expect(await client.closed()).toMatchObject({ code: 1001 });
});
