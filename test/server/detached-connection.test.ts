import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { acceptWebsocket, attachWebsocket, closeWebsockets, requireWebsocket } from 'dwebsocket';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { FRAMEWORKS, type Builder } from '../support/frameworks.js';
import { Inbox, within } from '../support/inbox.js';
import { connectRaw, handshakeRequest, RawClient } from '../support/raw-client.js';
import { listen, serve, type App, type Site } from '../support/serve.js';

const greet = acceptWebsocket(({ websocket }) => void websocket?.send('welcome'));
const plainRequest = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** Requests with and without an upgrade. All must behave alike; for a request without one, Node does the work. */
const REQUESTS = [
  ['without an upgrade', plainRequest],
  ['with "Upgrade: websocket"', (path: string) => handshakeRequest({ path })],
  [
    'with "Upgrade: websocket", after a request on the same connection',
    (path: string) => plainRequest('/short') + handshakeRequest({ path }),
  ],
  [
    'before a handshake on the same connection',
    (path: string) => plainRequest(path) + handshakeRequest({ path: '/echo' }),
  ],
] as const;

async function ask(site: Site, request: string, socket?: Socket): Promise<RawClient> {
  if (socket === undefined && !site.tls) {
    const client = await connectRaw(site.port, { request });
    onTestFinished(() => {
      client.destroy();
    });
    return client;
  }
  socket ??= connectTls({ port: site.port, host: '127.0.0.1', rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  const client = new RawClient(socket);
  await once(socket, 'secureConnect');
  client.write(request);
  return client;
}

/** Opens `/events` and waits for the first event; `more` waits for further ones. */
async function listenToEvents(
  site: Site,
  request: string,
): Promise<{ client: RawClient; more: () => Promise<void> }> {
  const client = await ask(site, request);
  const { body } = await client.response();
  const count = () => body().split('data: x').length;
  const more = () => {
    const before = count();
    return client.until(() => count() > before + 1, 'further events');
  };
  await more();
  return { client, more };
}

/** Adds routes: `/events` never ends, `/short` answers at once, `/silent` only begins, `/echo` is a websocket, and so on. */
function addRoutes(
  route: (path: string, handler: (req: IncomingMessage, res: ServerResponse) => void) => void,
) {
  const told = new Inbox<string>();
  const watch = (res: ServerResponse) => res.on('close', () => told.push('res closed'));
  route('/events', (_req, res) => {
    watch(res);
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const timer = setInterval(() => res.write('data: x\n\n'), 5);
    res.on('close', () => clearInterval(timer));
  });
  route('/silent', (_req, res) => {
    watch(res);
    res.writeHead(200).write('begun');
  });
  route('/large', (_req, res) => {
    told.push('asked');
    watch(res);
    res.end(Buffer.alloc(20_000_000));
  });
  route('/timed', (_req, res) => {
    res.writeHead(200).write('begun');
    res.setTimeout(50, () => told.push('res timed out'));
  });
  route('/short', (_req, res) => void res.end('short'));
  route('/echo', greet as never);
  return told;
}

function buildBare(): Pick<Builder, 'route' | 'app'> {
  const routes = new Map<string, App>();
  return {
    route: (path, handler) => void routes.set(path, handler as App),
    app: (req, res) => routes.get(req.url!)!(req, res),
  };
}

async function serveRoutes(options: { tls?: boolean; build?: () => Pick<Builder, 'route' | 'app'> } = {}) {
  const { route, app } = (options.build ?? buildBare)();
  const told = addRoutes((path, handler) => route(path, handler as never));
  return { site: await serve(app, options), told };
}

const SERVERS = [
  ...FRAMEWORKS.map(([name, build]) => [name, build, false] as const),
  ['a bare http server', buildBare, false],
  ['a bare https server', buildBare, true],
] as const;

describe.for(REQUESTS)('a long response to a request %s', ([, format]) => {
  test.for(SERVERS)(
    'survives close() and closeWebsockets(), and is destroyed by closeAllConnections(), on %s',
    async ([, build, tls]) => {
      const { site, told } = await serveRoutes({ build, tls });
      const { client, more } = await listenToEvents(site, format('/events'));

      await within(closeWebsockets(site.server, { timeout: 20 }), 'end of closeWebsockets');
      let called = false;
      const closed = new Promise<void>((resolve) => {
        site.server.close(() => {
          called = true;
          resolve();
        });
      });
      site.server.closeIdleConnections();
      await more();
      expect(called).toBe(false);

      site.server.closeAllConnections();
      await within(closed, 'callback of close()');
      await client.end();
      expect(await told.next('end of the response')).toBe('res closed');
      expect(site.sockets.size).toBe(0);
    },
  );

  test('does not prevent later handshakes after closeWebsockets()', async () => {
    const { site } = await serveRoutes();
    await listenToEvents(site, format('/events'));
    await within(closeWebsockets(site.server), 'end of closeWebsockets');
    expect(await (await connect(site, '/echo')).next()).toBe('welcome');
  });

  test('is destroyed by closeAllConnections() even if its client reads nothing', async () => {
    const { site, told } = await serveRoutes();
    const client = await ask(site, format('/large'));
    client.socket.pause();
    await told.next('arrival');
    const [socket] = site.sockets;
    site.server.closeAllConnections();
    expect(socket!.destroyed).toBe(true);
    expect(await told.next('end of the response')).toBe('res closed');
  });

  test("ends at the timeout of the server if there is no 'timeout' listener", async () => {
    const { site, told } = await serveRoutes();
    site.server.setTimeout(50);
    const client = await ask(site, format('/silent'));
    await client.response();
    expect(await told.next('end of the response')).toBe('res closed');
    await client.end();
  });

  test("stays open at a timeout if the server has a 'timeout' listener", async () => {
    const { site } = await serveRoutes();
    const timedOut = new Inbox<Socket>();
    site.server.setTimeout(50, (socket: Socket) => timedOut.push(socket));
    await ask(site, format('/silent'));
    const socket = await timedOut.next('time-out');
    expect([...site.sockets]).toEqual([socket]);
    expect(socket.destroyed).toBe(false);
  });

  test("stays open at a timeout if the response has a 'timeout' listener", async () => {
    const { site, told } = await serveRoutes();
    await ask(site, format('/timed'));
    expect(await told.next('time-out')).toBe('res timed out');
    expect([...site.sockets].map(({ destroyed }) => destroyed)).toEqual([false]);
  });

  test('ends when its client ends its side', async () => {
    const { site, told } = await serveRoutes();
    const client = await ask(site, format('/silent'));
    await client.response();
    client.socket.end();
    expect(await told.next('end of the response')).toBe('res closed');
    await client.end();
  });

  test('emits events in the app when its client resets the connection', async () => {
    const { site, told } = await serveRoutes();
    const client = await ask(site, format('/silent'));
    await client.response();
    client.reset();
    expect(await told.next('end of the response')).toBe('res closed');
  });
});

test('a client that sent data behind its upgrade request and left during an endless response is noticed at handshakeTimeout', async () => {
  const { site, told } = await serveRoutes();
  attachWebsocket(site.server, { handshakeTimeout: 20 });
  const client = await connectRaw(site.port, { path: '/silent', early: Buffer.alloc(300_000) });
  await client.response();
  client.socket.end();
  expect(await told.next('end of the response')).toBe('res closed');
  await client.end();
});

test('a request with a pipelined handshake behind it emits the events of Node when its client leaves', async () => {
  const { site, told } = await serveRoutes();
  site.server.on('request', (req) => req.on('aborted', () => told.push('req aborted')));
  const client = await ask(site, plainRequest('/silent') + handshakeRequest({ path: '/echo' }));
  await client.response();
  client.reset();
  expect([await told.next(), await told.next()].sort()).toEqual(['req aborted', 'res closed']);
});

test.for(['closeIdleConnections', 'closeAllConnections'] as const)(
  '%s() ends a connection whose client keeps it open after the response',
  async (method) => {
    const { site } = await serveRoutes();
    const client = await connectRaw(site.port, { path: '/short', allowHalfOpen: true });
    await client.end();
    const [socket] = site.sockets;
    expect(socket!.destroyed).toBe(false);
    site.server[method]();
    expect(socket!.destroyed).toBe(true);
    client.destroy();
  },
);

test('a client that keeps its connection open after a 503 does not stop close() from calling back', async () => {
  const site = await serve(() => {});
  attachWebsocket(site.server, { handshakeTimeout: 20 });
  const client = await connectRaw(site.port, { allowHalfOpen: true });
  expect((await client.response()).status).toBe(503);
  await client.end();
  await within(new Promise((resolve) => site.server.close(resolve)), 'callback of close()');
  client.destroy();
});

test('a connection with an unanswered upgrade request is not idle', async () => {
  const asked = new Inbox<ServerResponse>();
  const site = await serve((_req, res) => asked.push(res));
  const client = await ask(site, handshakeRequest());
  const res = await asked.next('request');
  site.server.closeIdleConnections();
  res.end('an answer');
  const response = await client.response();
  await client.end();
  expect(response.body()).toContain('an answer');
});

test("neither the server's timeout nor closeAllConnections() destroys a websocket, as in Node", async () => {
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) websocket.send(message);
    }),
  );
  site.server.setTimeout(20);
  const client = await connect(site);
  // The time has passed when the server cuts off a later connection, which says nothing.
  const silent = await ask(site, '');
  await within(silent.ended, 'time-out');
  site.server.closeAllConnections();
  site.server.closeIdleConnections();
  client.send('still there');
  expect(await client.next()).toBe('still there');
});

test('after detaching, closeAllConnections() still reaches earlier connections, and then is the original again', async () => {
  const { route, app } = buildBare();
  addRoutes((path, handler) => route(path, handler as never));
  const server = createServer(app);
  const detach = attachWebsocket(server);
  const site = await listen(server);
  const { client } = await listenToEvents(site, handshakeRequest({ path: '/events' }));
  detach();
  expect(Object.hasOwn(server, 'closeAllConnections')).toBe(true);
  const [socket] = site.sockets;
  server.closeAllConnections();
  await client.end();
  expect(socket!.destroyed).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(Object.hasOwn(server, 'closeAllConnections')).toBe(false);
});
