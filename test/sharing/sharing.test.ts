import http from 'node:http';
import https from 'node:https';
import express, { type Express } from 'express';
import { attachWebsocket, requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { connectRaw } from '../support/raw-client.js';
import { request, requestUpgrade } from '../support/request.js';
import { CERTIFICATE, listen, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { asyncListener } from './neighbours/async-listener.js';
import { crossWs } from './neighbours/crossws.js';
import { expressWsNeighbour } from './neighbours/express-ws.js';
import type { Guest, Neighbour } from './neighbours/neighbour.js';
import { plainWs } from './neighbours/plain-ws.js';
import { proxy } from './neighbours/proxy.js';
import { socketIo } from './neighbours/socket-io.js';
import { serveInVite, vite } from './neighbours/vite.js';

const NEIGHBOURS: Neighbour[] = [
  plainWs({ path: '/plain' }),
  plainWs(),
  asyncListener('destroys the sockets of others'),
  asyncListener('answers the requests of others with 404'),
  asyncListener('accepts all requests'),
  crossWs,
  expressWsNeighbour,
  socketIo({ transports: ['websocket'] }),
  socketIo({ transports: ['polling', 'websocket'] }),
  vite,
  proxy({ byHand: true }),
  proxy({ byHand: false }),
  proxy({ byHand: true, all: true }),
  proxy({ byHand: false, all: true }),
];

// Longer than the limit of a test, so a test that waits for it fails.
const handshakeTimeout = 60_000;
const owns = (req: http.IncomingMessage) => req.url!.startsWith('/chat/');

/** Adds our routes. The middleware before them takes a turn of the event loop, like one that queries a database. */
function addChat(app: Express): { handled: () => number } {
  let handled = 0;
  app.get(
    '/chat/:room',
    (_req, _res, next) => void setImmediate(next),
    requireWebsocket<{ room: string }>(async (req) => {
      handled++;
      for await (const message of req.websocket) req.websocket.send(`${req.params.room}: ${String(message)}`);
    }),
  );
  return { handled: () => handled };
}

async function visitChat(site: Site, room: string): Promise<void> {
  const client = await connect(site, `/chat/${room}`);
  client.send('hello');
  expect(await client.next()).toBe(`${room}: hello`);
  client.send('x'.repeat(100_000));
  expect(await client.next()).toHaveLength(100_000 + room.length + 2);
  expect((await client.close(4000)).code).toBe(4000);
}

/** Connects a client of ours, and returns the result. */
async function knock(site: Site): Promise<string> {
  try {
    return String((await requestUpgrade(site, '/chat/a')).status);
  } catch (error) {
    return (error as Error).message;
  }
}

describe.each(NEIGHBOURS)('on a server with $name', (neighbour) => {
  test.for(['we come first', 'the neighbour comes first'])(
    'each client reaches its own library; %s',
    async (order) => {
      const warnings = watchWarnings();
      const app = express();
      const server = http.createServer(app);
      const attach = () => attachWebsocket(server, { owns, handshakeTimeout });
      if (order === 'we come first') attach();
      const guest = await neighbour.join(server, app);
      if (order !== 'we come first') attach();
      const { handled } = addChat(app);
      const site = await listen(server);

      for (let round = 0; round < 2; round++) {
        await Promise.all([visitChat(site, 'a'), guest.visit(site), visitChat(site, 'b')]);
      }
      expect(handled()).toBe(4);
      guest.expectUndisturbed();
      expect(warnings.rest()).toEqual([]);
    },
  );

  test('without owns its clients reach it, ours fail, and one warning shows the line to add', async () => {
    const warnings = watchWarnings();
    const app = express();
    const server = http.createServer(app);
    const guest = await neighbour.join(server, app);
    const { handled } = addChat(app);
    const site = await listen(server);

    await guest.visit(site);
    guest.expectUndisturbed();
    // From now on the server is known to have our routes.
    attachWebsocket(server, { handshakeTimeout: 50 });
    expect(await knock(site)).toMatch(
      { leaves: /^503$/, refuses: /^400|404|socket hang up$/, takes: /become a websocket/ }[
        neighbour.strangers
      ],
    );
    attachWebsocket(server, { handshakeTimeout });
    await guest.visit(site);
    if (neighbour.strangers !== 'takes') guest.expectUndisturbed();
    expect(handled()).toBe(0);
    const [warning, ...more] = warnings.rest();
    expect(more).toEqual([]);
    expect(warning?.code).toBe('WEBSOCKET_SHARED_SERVER');
    expect(warning?.message).toContain("attachWebsocket(server, { owns: (req) => req.url.startsWith('/");
  });
});

// Only libraries that ignore the requests of others.
test.for([{ tls: false }, { tls: true }])(
  'with all of them on one server, each client reaches its own library, %o',
  async ({ tls }) => {
    const app = express();
    const server = tls ? https.createServer(CERTIFICATE, app) : http.createServer(app);
    const guests: Guest[] = [];
    guests.push(await socketIo({ transports: ['polling', 'websocket'] }).join(server, app));
    guests.push(await proxy({ byHand: true }).join(server, app));
    attachWebsocket(server, { owns, handshakeTimeout });
    addChat(app);
    guests.push(await vite.join(server, app));
    const site = await listen(server);
    await Promise.all([
      visitChat(site, 'a'),
      ...guests.map((guest) => guest.visit(site)),
      visitChat(site, 'b'),
    ]);
    for (const guest of guests) guest.expectUndisturbed();
  },
);

test('inside the dev server of Vite the line from the warning is enough', async () => {
  const app = express();
  const { handled } = addChat(app);
  const { site, guest } = await serveInVite(app, (server) => {
    attachWebsocket(server, {
      owns: (req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-'),
    });
  });
  await Promise.all([visitChat(site, 'a'), guest.visit(site), visitChat(site, 'b')]);
  expect(handled()).toBe(2);
  guest.expectUndisturbed();
});

test('inside the dev server of Vite, without that line, our clients get 503, and a warning shows the line', async () => {
  const warnings = watchWarnings();
  const app = express();
  addChat(app);
  const { site, guest } = await serveInVite(app, () => {});
  // A plain request shows that the server has our routes.
  expect((await request(site, '/chat/a')).status).toBe(400);
  await guest.visit(site);
  const waiting = connectRaw(site.port, { path: '/chat/a' });
  const { message } = await warnings.next();
  expect(message).toContain(
    "Vite, Astro, SvelteKit: owns: (req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-')",
  );
  (await waiting).destroy();
  attachWebsocket(site.server, { handshakeTimeout: 30 });
  expect((await requestUpgrade(site, '/chat/a')).status).toBe(503);
});

test('socket.io ends foreign sockets after a while, but never ours, even if our middleware is slow', async () => {
  const app = express();
  const server = http.createServer(app);
  await socketIo({ transports: ['websocket'], destroyUpgradeTimeout: 20 }).join(server, app);
  attachWebsocket(server, { owns });
  const asked = defer();
  const late = defer();
  app.use((_req, _res, next) => {
    asked.resolve();
    void late.promise.then(next);
  });
  addChat(app);
  const site = await listen(server);

  const ours = visitChat(site, 'slow');
  await asked.promise;
  // The time has passed when a later request, which is not ours, is cut off.
  await within((await connectRaw(site.port, { path: '/nowhere' })).ended, 'end');
  late.resolve();
  await ours;
});

test('a foreign request gets an answer at once if no other library listens', async () => {
  const app = express();
  const server = http.createServer(app);
  attachWebsocket(server, { owns, handshakeTimeout });
  addChat(app);
  const site = await listen(server);
  const answer = await requestUpgrade(site, '/backend');
  expect(answer).toMatchObject({
    status: 503,
    body: 'no listener on this server has answered this upgrade request; check its path\n',
  });
});
