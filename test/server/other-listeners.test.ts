import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';
import express from 'express';
import { attachWebsocket, requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { readDocument } from '../docs/document.js';
import { eventually } from '../hostile/eventually.js';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { connectRaw, handshakeRequest } from '../support/raw-client.js';
import { request, requestUpgrade } from '../support/request.js';
import { listen } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

const greet = requireWebsocket(({ websocket }) => void websocket.send('ours'));

type UpgradeListener = (socket: Duplex, path: string) => void;

/** Starts a server with another 'upgrade' listener, and then our route at /ours. */
async function serveBeside(listener: UpgradeListener) {
  const app = express();
  app.get('/ours', greet);
  const server = createServer(app);
  const left = new Inbox<Duplex>();
  server.on('upgrade', ({ url }, socket: Duplex) => {
    listener(socket, url!);
    left.push(socket);
  });
  return { site: await listen(server), server, left };
}

/** Shortens the time of other listeners as `attachWebsocket` does, but does not mark the server as ours. */
function hurry(server: Server, handshakeTimeout: number): void {
  const key = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'dwebsocket.server.1',
  )!;
  const { attachment } = (server as unknown as Record<symbol, { attachment: { handshakeTimeout: number } }>)[
    key
  ]!;
  attachment.handshakeTimeout = handshakeTimeout;
}

describe('on a server that is not known to be ours', () => {
  test('a request that another library accepts causes no warning: the port may belong to that library', async () => {
    const warnings = watchWarnings();
    const ours = await listen(createServer(greet));
    const theirs = createServer();
    const wss = new WebSocketServer({ server: theirs });
    wss.on('connection', (ws) => ws.on('message', () => ws.close(1000)));
    const site = await listen(theirs);
    for (let round = 0; round < 2; round++) {
      expect(await (await connect(ours)).next()).toBe('ours');
      const client = await connect(site);
      client.send('hello');
      expect((await client.closed()).code).toBe(1000);
    }
    const vanished = await connect(site);
    await vanished.vanish();
    await eventually(() => site.sockets.size === 0, 'all sockets are gone');
    expect(warnings.rest()).toEqual([]);
    wss.close();
  });

  test.for<[string, UpgradeListener]>([
    ['ends', (socket) => void socket.end('HTTP/1.1 404 Not Found\r\n\r\n')],
    ['destroys', (socket) => void socket.destroy()],
    ['ends later', (socket: Duplex) => void setImmediate(() => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'))],
  ])(
    'a request that another library %s causes a warning, with a line for each known library',
    async ([, listener]) => {
      const warnings = watchWarnings();
      const { site } = await serveBeside(listener);
      for (let i = 0; i < 2; i++) await requestUpgrade(site, '/ours?secret=1').catch(() => {});
      const { code, message } = await warnings.next();
      expect(code).toBe('WEBSOCKET_SHARED_SERVER');
      expect(message).toContain('this app did not handle the request for /ours');
      for (const line of [
        "attachWebsocket(server, { owns: (req) => req.url.startsWith('/your/path') })",
        "Next.js: owns: (req) => !req.url.includes('/_next/')",
        "Vite, Astro, SvelteKit: owns: (req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-')",
        "webpack-dev-server: owns: (req) => req.url !== '/ws'",
        'docs/nextjs.md, docs/vite.md and docs/frameworks.md of this package show the whole set-up',
        'owns: () => false',
      ])
        expect(message).toContain(line);
      expect(warnings.rest()).toEqual([]);
    },
  );

  test('an unanswered request causes a warning, and gets 503 if no other code listens to its socket', async () => {
    const warnings = watchWarnings();
    // Vite does this on sockets that it ignores.
    const { site, server } = await serveBeside((socket) => socket.on('error', () => {}));
    await request(site, '/nowhere');
    hurry(server, 30);
    expect(await requestUpgrade(site, '/ours')).toMatchObject({
      status: 503,
      body: 'no listener on this server has answered this upgrade request; check its path\n',
    });
    expect((await warnings.next()).code).toBe('WEBSOCKET_SHARED_SERVER');
  });

  test('another library that listens to the socket has no deadline', async () => {
    watchWarnings();
    const { site, server, left } = await serveBeside((socket, path) => {
      if (path !== '/ignored') socket.on('data', () => {});
    });
    await request(site, '/nowhere');
    hurry(server, 30);
    const client = await connectRaw(site.port);
    const socket = await left.next();
    // The time has passed when a later request, whose socket has no listener, gets 503.
    expect((await requestUpgrade(site, '/ignored')).status).toBe(503);
    socket.end('HTTP/1.1 200 OK\r\n\r\nlate');
    const response = await client.response();
    await client.end();
    expect([response.status, response.body()]).toEqual([200, 'late']);
  });

  test("a client that resets the connection before the first 'error' listener does not end the process", async () => {
    watchWarnings();
    const { site, left } = await serveBeside(() => {});
    const client = await connectRaw(site.port);
    const socket = await left.next();
    client.reset();
    await new Promise((resolve) => socket.once('close', resolve));
  });
});

test.for([
  ['docs/nextjs.md', "!req.url.includes('/_next/')"],
  ['docs/vite.md', "!String(req.headers['sec-websocket-protocol']).startsWith('vite-')"],
  ['docs/frameworks.md', "req.url !== '/ws'"],
])('%s shows the line of the warning', ([path, owns]) => {
  // What the documents show runs in compatibility/dev-servers.
  expect(readDocument(path!).blocks.some(({ code }) => code.includes(`(req) => ${owns!}`))).toBe(true);
});

describe('on a server whose requests have reached our routes', () => {
  test('one warning comes at once, even if the other library accepts the request', async () => {
    const warnings = watchWarnings();
    const { site, left } = await serveBeside(() => {});
    // A plain request also shows that the server has our routes.
    expect((await request(site, '/ours')).status).toBe(400);
    const client = await connectRaw(site.port, { path: '/ours' });
    await left.next();
    expect(warnings.rest()).toHaveLength(1);
    client.destroy();
  });

  test('an unanswered request gets 503 after handshakeTimeout, even if another library listens to the socket', async () => {
    watchWarnings();
    const { site, server } = await serveBeside((socket) => socket.on('data', () => {}));
    attachWebsocket(server, { handshakeTimeout: 30 });
    expect((await requestUpgrade(site, '/ours')).status).toBe(503);
  });

  test('a websocket of another library stays open on a stream that does not count its bytes', async () => {
    watchWarnings();
    const server = createServer();
    const wss = new WebSocketServer({ server });
    attachWebsocket(server, { handshakeTimeout: 20 });
    const [client, socket] = duplexPair();
    let received = '';
    client.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    const accepted = once(wss, 'connection');
    server.emit('connection', socket);
    client.write(handshakeRequest());
    await accepted;
    // The time has passed when a later request, on another server, gets 503.
    const other = await serveBeside(() => {});
    attachWebsocket(other.server, { handshakeTimeout: 20 });
    expect((await requestUpgrade(other.site, '/')).status).toBe(503);
    expect(received).toMatch(/^HTTP\/1\.1 101 /);
    expect(received).not.toContain('503');
    for (const ws of wss.clients) ws.terminate();
    wss.close();
  });
});
