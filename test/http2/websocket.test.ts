// Websockets over HTTP/2 (RFC 8441), seen from Node's own client: every frame of HTTP/2 that a browser would send.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  connect as connectHttp2,
  constants,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { constants as zlib, deflateRawSync } from 'node:zlib';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { describe, expect, test } from 'vitest';
import {
  acceptWebsocket,
  attachWebsocket,
  closeWebsockets,
  openWebsockets,
  requireWebsocket,
  type Websocket,
} from 'dwebsocket';
import { WebSocket, WebSocketServer } from 'ws';
import { Http2Tunnel, openSession, requestWebsocket } from '../support/http2-tunnel.js';
import { handshakeRequest, messagesOf, RawClient } from '../support/raw-client.js';
import { close, closeCodeOf, Opcode, text, type RawFrame } from '../support/raw-frames.js';
import { serveHttp2, type AnyApp, type Http2Site } from './serve-http2.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

const echo = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) {
    res.end(`plain HTTP/${req.httpVersion}`);
    return;
  }
  for await (const message of req.websocket) req.websocket.send(message);
});

async function headersOf(stream: ClientHttp2Stream): Promise<Record<string, unknown>> {
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  return headers;
}

async function bodyOf(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function closeOf(stream: ClientHttp2Stream): Promise<void> {
  if (!stream.closed || !stream.destroyed) await once(stream, 'close');
}

/** Opens a websocket as a raw client, which reads and writes frames of the WebSocket protocol. */
async function openRaw(
  site: Http2Site,
  path = '/',
  session?: ClientHttp2Session,
  headers: Record<string, string> = {},
): Promise<RawClient> {
  const tunnel = new Http2Tunnel(session ?? (await site.session()));
  const client = new RawClient(tunnel.asSocket());
  client.write(handshakeRequest({ path, headers }));
  expect((await client.response()).status).toBe(101);
  return client;
}

const apps: [string, () => AnyApp][] = [
  ['Express 5', () => express().get('/', echo) as never],
  ['Express 4', () => express4().get('/', echo as never) as never],
  ['Connect', () => connect().use('/', echo as never)],
  ['a bare listener', () => echo as never],
];

describe.each(apps)('%s', (_, makeApp) => {
  test('serves a websocket over HTTP/2 on the route that serves plain HTTP/2', async () => {
    const site = await serveHttp2(makeApp());
    const session = await site.session();
    const plain = session.request({ ':path': '/' });
    expect(await headersOf(plain)).toMatchObject({ ':status': 200 });
    expect(await bodyOf(plain)).toMatch(/^plain HTTP/);
    const client = await openRaw(site, '/', session);
    client.write(text('Hello'), close(1000));
    expect(await client.end()).toBe('end');
    expect(client.frames.map(({ payload }) => payload.toString('latin1'))).toEqual(['Hello', '\x03\xe8']);
  });
});

test('tells the client that it takes websockets', async () => {
  const site = await serveHttp2(express().get('/', echo) as never);
  const session = await site.session();
  expect(session.remoteSettings.enableConnectProtocol).toBe(true);
});

test('a server that is not attached, or detached, does not say so', async () => {
  const site = await serveHttp2(echo as never, {}, (server) => {
    attachWebsocket(server)();
  });
  const session = connectHttp2(site.url, { rejectUnauthorized: false });
  await once(session, 'remoteSettings');
  expect(session.remoteSettings.enableConnectProtocol).toBe(false);
  session.destroy();
});

test('accepts with 200, without the headers of HTTP/1.1 and with those of middleware', async () => {
  const app = express();
  app.use((_req, res, next) => {
    res.setHeader('x-request-id', 'r1');
    res.cookie('a', '1');
    res.cookie('b', '2');
    next();
  });
  app.get(
    '/',
    requireWebsocket(({ websocket }) => websocket.closed, { protocols: ['chat.v1'] }),
  );
  const site = await serveHttp2(app as never);
  const stream = requestWebsocket(await site.session(), '/', {
    'sec-websocket-protocol': 'chat.v2, chat.v1',
  });
  const headers = await headersOf(stream);
  expect(headers).toMatchObject({
    ':status': 200,
    'x-request-id': 'r1',
    'sec-websocket-protocol': 'chat.v1',
  });
  expect(headers['set-cookie']).toHaveLength(2);
  for (const name of ['connection', 'upgrade', 'sec-websocket-accept', 'transfer-encoding']) {
    expect(headers).not.toHaveProperty(name);
  }
  stream.close(NGHTTP2_CANCEL);
});

test('the request looks as over HTTP/1.1, with the address of the session and over TLS', async () => {
  const app = express();
  app.get(
    '/room/:id',
    requireWebsocket((req) => {
      const { protocol, hostname, method, httpVersion, secure, ip, params, query } = req;
      const { cookie } = req.headers;
      const { alpnProtocol } = req.socket as { alpnProtocol?: string };
      const seen = {
        protocol,
        hostname,
        method,
        httpVersion,
        secure,
        ip,
        params,
        query,
        cookie,
        alpnProtocol,
      };
      req.websocket.send(JSON.stringify(seen));
    }),
  );
  const site = await serveHttp2(app as never);
  const client = await openRaw(site, '/room/7?a=1', undefined, { Cookie: 'a=1; b=2' });
  expect(await client.end()).toBe('end');
  expect(JSON.parse(messagesOf(client)[0]?.payload.toString() ?? '')).toEqual({
    protocol: 'https',
    hostname: 'localhost',
    method: 'GET',
    httpVersion: '1.1',
    secure: true,
    ip: '127.0.0.1',
    params: { id: '7' },
    query: { a: '1' },
    cookie: 'a=1; b=2',
    alpnProtocol: 'h2',
  });
});

describe('an answer before the handshake', () => {
  const app = express();
  app.get('/secret', (_req, res) => void res.status(401).set('www-authenticate', 'Basic').send('log in'));
  app.get('/other-site', echo);
  app.get('/silent', () => undefined);

  test.each([
    ['a middleware that refuses', '/secret', {}, 401, 'log in'],
    ['a path that no route has', '/nowhere', {}, 404, 'Cannot GET /nowhere'],
    ['a foreign origin', '/other-site', { origin: 'https://evil.example' }, 403, 'is not allowed here'],
    ['another version', '/other-site', { 'sec-websocket-version': '8' }, 426, 'only version 13'],
  ])('%s', async (_, path, headers, status, body) => {
    const site = await serveHttp2(app as never);
    const stream = requestWebsocket(await site.session(), path, headers);
    const response = await headersOf(stream);
    expect(response[':status']).toBe(status);
    expect(response).not.toHaveProperty('connection');
    expect(await bodyOf(stream)).toContain(body);
    await closeOf(stream);
  });

  test('a route that never answers', async () => {
    const site = await serveHttp2(app as never, {}, (server) => {
      attachWebsocket(server, { handshakeTimeout: 20 });
    });
    const stream = requestWebsocket(await site.session(), '/silent');
    expect((await headersOf(stream))[':status']).toBe(503);
    expect(await bodyOf(stream)).toContain('no route has answered this upgrade request in time');
  });
});

test('an extended CONNECT for another protocol is left to Node', async () => {
  const site = await serveHttp2(echo as never);
  const session = await site.session();
  const other = requestWebsocket(session, '/', { ':protocol': 'connect-udp' });
  expect((await headersOf(other))[':status']).toBe(405);
});

test('a request that owns leaves to others reaches an upgrade listener of another library, over HTTP/2, too', async () => {
  const site = await serveHttp2(express().get('/ours', echo) as never, {}, (server) => {
    attachWebsocket(server, { owns: (req) => req.url === '/ours' });
    const wss = new WebSocketServer({ noServer: true });
    server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      wss.handleUpgrade(req, socket, head, (ws) => {
        ws.send('theirs');
      });
    });
  });
  const session = await site.session();
  const theirs = await openRaw(site, '/theirs', session);
  await theirs.until(() => theirs.frames.length > 0, 'a message');
  expect(theirs.frames[0]?.payload.toString()).toBe('theirs');
  const ours = await openRaw(site, '/ours', session);
  ours.write(text('Hello'), close(1000));
  expect(await ours.end()).toBe('end');
  expect(ours.frames[0]?.payload.toString()).toBe('Hello');
  theirs.destroy();
});

describe('the end', () => {
  async function open(closeTimeout = 5_000) {
    let resolve!: (websocket: Websocket) => void;
    const opened = new Promise<Websocket>((settle) => (resolve = settle));
    const app = express();
    app.get(
      '/',
      requireWebsocket(
        async ({ websocket }) => {
          resolve(websocket);
          for await (const message of websocket) websocket.send(message);
        },
        { closeTimeout },
      ),
    );
    const site = await serveHttp2(app as never);
    const session = await site.session();
    const stream = requestWebsocket(session, '/');
    await headersOf(stream);
    return { site, session, stream, websocket: await opened };
  }

  test('END_STREAM without a close frame is 1006, and the server ends its side', async () => {
    const { stream, websocket } = await open();
    stream.resume();
    stream.end();
    expect(await websocket.closed).toMatchObject({ code: 1006 });
    await closeOf(stream);
    expect(stream.rstCode).toBe(NGHTTP2_NO_ERROR);
  });

  test('RST_STREAM of the client is 1006', async () => {
    const { stream, websocket } = await open();
    stream.close(NGHTTP2_CANCEL);
    expect(await websocket.closed).toMatchObject({ code: 1006 });
  });

  test('a client that never answers the close frame is reset with CANCEL, and the session stays', async () => {
    const { session, stream, websocket } = await open(20);
    stream.resume();
    void websocket.close();
    await closeOf(stream);
    expect(stream.rstCode).toBe(NGHTTP2_CANCEL);
    const next = requestWebsocket(session, '/');
    expect((await headersOf(next))[':status']).toBe(200);
    next.close(NGHTTP2_CANCEL);
  });

  test('the loss of the session ends all its websockets with 1006', async () => {
    const { site, session, websocket } = await open();
    const second = requestWebsocket(session, '/');
    await headersOf(second);
    const all = [...openWebsockets(site.server)];
    expect(all).toHaveLength(2);
    session.socket.removeAllListeners('error');
    session.destroy();
    expect((await Promise.all(all.map(({ closed }) => closed))).map(({ code }) => code)).toEqual([
      1006, 1006,
    ]);
    expect(await websocket.closed).toMatchObject({ code: 1006 });
    expect(openWebsockets(site.server).size).toBe(0);
  });

  test('closeWebsockets closes with 1001, and tells the client by GOAWAY to open nothing more on this session', async () => {
    const { site, session, stream } = await open();
    const client = await openRaw(site, '/', session);
    const goaway = once(session, 'goaway');
    const closed = closeWebsockets(site.server);
    await goaway;
    await client.until(() => client.framesOf(Opcode.close).length > 0, 'a close frame');
    expect(closeCodeOf(client.framesOf(Opcode.close)[0] as RawFrame)).toBe(1001);
    client.write(close(1001));
    stream.close(NGHTTP2_CANCEL);
    await closed;
    await once(session, 'close');
    // The server goes on.
    const again = await openRaw(site);
    again.destroy();
  });

  test('server.close closes the websockets, and calls back', async () => {
    const { site, session, stream } = await open();
    const client = await openRaw(site, '/', session);
    const ended = new Promise((resolve) => site.server.close(resolve));
    await client.until(() => client.framesOf(Opcode.close).length > 0, 'a close frame');
    client.write(close(1001));
    stream.close(NGHTTP2_CANCEL);
    await ended;
    expect(openWebsockets(site.server).size).toBe(0);
  });
});

test('HTTP/1.1 clients of a server that allows it reach the same route', async () => {
  const site = await serveHttp2(express().get('/', echo) as never);
  const ws = new WebSocket(`wss://localhost:${String(site.port)}/`, { rejectUnauthorized: false });
  await once(ws, 'open');
  ws.send('Hello');
  const [data] = (await once(ws, 'message')) as [Buffer];
  expect(data.toString()).toBe('Hello');
  ws.close();
  await once(ws, 'close');
});

test('a server without TLS serves websockets over HTTP/2, too', async () => {
  const server = createServer(echo as never);
  attachWebsocket(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = await openSession(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  const client = new RawClient(new Http2Tunnel(session).asSocket());
  client.write(handshakeRequest(), text('Hello'), close(1000));
  expect(await client.end()).toBe('end');
  expect(messagesOf(client).map(({ payload }) => payload.toString())).toEqual(['Hello']);
  session.destroy();
  server.close();
  await once(server, 'close');
});

test('compression works over HTTP/2', async () => {
  const app = express();
  app.get(
    '/',
    requireWebsocket(
      async ({ websocket }) => {
        for await (const message of websocket) websocket.send(message);
      },
      { perMessageDeflate: { threshold: 0 } },
    ),
  );
  const site = await serveHttp2(app as never);
  const stream = requestWebsocket(await site.session(), '/', {
    'sec-websocket-extensions': 'permessage-deflate',
  });
  expect((await headersOf(stream))['sec-websocket-extensions']).toContain('permessage-deflate');
  const deflated = deflateRawSync('Hello', { finishFlush: zlib.Z_SYNC_FLUSH }).subarray(0, -4);
  stream.write(text(deflated, { rsv: 4 }));
  const [frame] = (await once(stream, 'data')) as [Buffer];
  expect((frame[0] ?? 0) & 0x40).toBe(0x40);
  stream.close(NGHTTP2_CANCEL);
});
