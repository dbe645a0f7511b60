// Plain requests of HTTP/2. Express 4 and 5 cannot serve them by themselves: Node's HTTP/2 requests have no place in their
// prototypes. So an attached server serves those of an app of Express through Node's HTTP/1.1 parser.
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  type ClientHttp2Session,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Stream,
} from 'node:http2';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import compression from 'compression';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import session from 'express-session';
import { describe, expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { requirement } from '../support/requirements.js';
import { watchWarnings } from '../support/warnings.js';
import { END_HEADERS, END_STREAM, Frame, openTls, raw } from './raw-http2.js';
import { serveHttp2, type AnyApp } from './serve-http2.js';

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  informational: number[];
  body: string;
  rstCode: number;
}

async function ask(
  client: ClientHttp2Session,
  headers: Record<string, string | number>,
  body?: string | Readable,
  trailers?: Record<string, string>,
): Promise<Answer> {
  const stream = client.request(headers, {
    endStream: body === undefined,
    waitForTrailers: trailers !== undefined,
  });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers ?? {});
  });
  const answer: Answer = { status: 0, headers: {}, trailers: {}, informational: [], body: '', rstCode: 0 };
  stream.on('headers', (fields) => answer.informational.push(Number(fields[':status'])));
  stream.on('response', (fields) => {
    answer.status = Number(fields[':status']);
    answer.headers = fields;
  });
  stream.on('trailers', (fields) => {
    answer.trailers = fields;
  });
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => (answer.body += chunk));
  if (body instanceof Readable) body.pipe(stream);
  else if (body !== undefined) stream.end(body);
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  answer.rstCode = stream.rstCode;
  return answer;
}

const frameworks: [string, typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4 as never],
];

describe.each(frameworks)('%s', (_, makeApp) => {
  let site: unknown;

  function build(): AnyApp {
    const app = makeApp();
    app.use(compression({ threshold: 0, filter: (req) => req.path === '/squeezed' }));
    app.use(session({ secret: 's', resave: false, saveUninitialized: true }));
    app.get(
      '/hello',
      (req, res) => void res.set('x-name', 'Zoë').send(`Hello, ${req.query['name'] as string}`),
    );
    app.get('/squeezed', (_req, res) => void res.send('x'.repeat(1_000)));
    app.post('/json', makeApp.json({ limit: '2mb' }), (req, res) => void res.json(req.body));
    app.post('/upload', async (req, res) => {
      let bytes = 0;
      for await (const chunk of req) bytes += (chunk as Buffer).length;
      res.json({ bytes, length: req.headers['content-length'] ?? null, trailers: req.trailers });
    });
    app.post('/refused', (_req, res) => void res.status(413).send('too large'));
    app.post('/empty-post', (_req, res) => void res.status(204).end());
    app.get('/empty', (_req, res) => void res.status(204).end());
    app.get('/chunks', (_req, res) => {
      res.set('trailer', 'x-sum');
      res.write('a');
      res.write('bc');
      res.addTrailers({ 'x-sum': '3' });
      res.end();
    });
    app.get('/hints', (_req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.send('page');
    });
    app.get('/broken', (_req, res) => {
      res.write('begun');
      setImmediate(() => res.destroy());
    });
    app.get('/several', (_req, res) => {
      res.write('x');
      res.addTrailers([
        ['etag', '1'],
        ['etag', '2'],
      ]);
      res.end();
    });
    app.get('/languages', (_req, res) => void res.set('content-language', ['de', 'en']).send('x'));
    app.get('/700', (_req, res) => void res.status(700).send('x'));
    app.get('/half', (req, res) => {
      res.write('half');
      setImmediate(() => req.socket.end());
    });
    app.post('/upper', (req, res) => {
      res.write('begin');
      req.on('data', (chunk) => res.write(chunk));
      req.on('end', () => res.end('END'));
    });
    app.post('/greedy', (req, res) => {
      res.write('begun');
      req.on('data', () => req.destroy());
    });
    app.post('/unread', () => undefined);
    app.get(
      '/server',
      (req, res) => void res.send(String((req.socket as { server?: unknown }).server === site)),
    );
    app.get('/large', (_req, res) => {
      Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(65_536, 'x'))).pipe(res);
    });
    app.get(
      '/talk',
      requireWebsocket(() => undefined),
    );
    return app as never;
  }

  test('answers GET, HEAD and 204, with cookies and headers beyond ASCII', async () => {
    const site = await serveHttp2(build());
    const client = await site.session();
    const hello = await ask(client, { ':path': '/hello?name=Ann' });
    expect(hello).toMatchObject({ status: 200, body: 'Hello, Ann', rstCode: 0 });
    expect(hello.headers['x-name']).toBe('Zoë');
    expect(hello.headers['set-cookie']).toHaveLength(1);
    expect(hello.headers).not.toHaveProperty('connection');
    const head = await ask(client, { ':method': 'HEAD', ':path': '/hello?name=Ann' });
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '10' } });
    expect(await ask(client, { ':path': '/empty' })).toMatchObject({ status: 204, body: '' });
    const etag = String(hello.headers['etag']);
    expect(await ask(client, { ':path': '/hello?name=Ann', 'if-none-match': etag })).toMatchObject({
      status: 304,
    });
    expect(await ask(client, { ':path': '/nowhere' })).toMatchObject({ status: 404 });
  });

  test('reads bodies with and without a length, and their trailers', async () => {
    const site = await serveHttp2(build());
    const client = await site.session();
    const json = { ':method': 'POST', ':path': '/json', 'content-type': 'application/json' };
    expect(await ask(client, json, '{"a":1}')).toMatchObject({ status: 200, body: '{"a":1}' });
    const large = JSON.stringify({ text: 'é'.repeat(400_000) });
    expect((await ask(client, json, large)).body).toBe(large);
    const upload = { ':method': 'POST', ':path': '/upload' };
    expect(JSON.parse((await ask(client, { ...upload, 'content-length': 5 }, 'Hello')).body)).toEqual({
      bytes: 5,
      length: '5',
      trailers: {},
    });
    const chunks = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(50_000)));
    expect(JSON.parse((await ask(client, upload, chunks, { 'x-sum': '7' })).body)).toEqual({
      bytes: 2_000_000,
      length: null,
      trailers: { 'x-sum': '7' },
    });
  });

  test('answers before an upload has ended, and the client hears it', async () => {
    const site = await serveHttp2(build());
    const client = await site.session();
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(16_384));
      },
    });
    const answer = await ask(client, { ':method': 'POST', ':path': '/refused' }, endless);
    endless.destroy();
    expect(answer).toMatchObject({ status: 413, body: 'too large', rstCode: constants.NGHTTP2_NO_ERROR });
  });

  test.each([
    ['a body', '/refused'],
    ['no body', '/empty-post'],
  ])('an answer with %s ends before the rest of the request is refused', async (_, path) => {
    const site = await serveHttp2(build());
    const client = await openTls(site);
    const fields = [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', 'localhost'],
      [':path', path],
    ] as const;
    client.socket.write(raw.frame(Frame.headers, END_HEADERS, 1, raw.fields(fields)));
    const ofStream = () => client.frames.filter(({ stream }) => stream === 1);
    await client.until(() => ofStream().some(({ type }) => type === Frame.rstStream));
    const frames = ofStream();
    const last = frames.at(-1);
    expect(last?.type).toBe(Frame.rstStream);
    expect(last?.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_NO_ERROR);
    expect((frames.at(-2)?.flags ?? 0) & END_STREAM).toBe(END_STREAM);
  });

  test('sends chunks without their trailers, early hints, compressed and large bodies', async () => {
    const site = await serveHttp2(build());
    const client = await site.session();
    expect(await ask(client, { ':path': '/chunks' })).toMatchObject({
      body: 'abc',
      trailers: {},
    });
    expect(await ask(client, { ':path': '/hints' })).toMatchObject({ informational: [103], body: 'page' });
    const squeezed = await ask(client, { ':path': '/squeezed', 'accept-encoding': 'gzip' });
    expect(squeezed.headers['content-encoding']).toBe('gzip');
    expect((await ask(client, { ':path': '/large' })).body.length).toBe(64 * 65_536);
    const expecting = { ':method': 'POST', ':path': '/upload', expect: '100-continue' };
    expect(await ask(client, expecting, 'Hello')).toMatchObject({ informational: [100], status: 200 });
  });

  test('a response that breaks off is reset, so that it never looks whole', async () => {
    const site = await serveHttp2(build());
    const answer = await ask(await site.session(), { ':path': '/broken' });
    expect(answer.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
  });

  test.each([
    ['a status that HTTP/2 does not have', '/700'],
    ['a socket that the app ends in the middle of the body', '/half'],
  ])('%s: the response is reset, and the process lives', async (_, path) => {
    const warnings = watchWarnings();
    const client = await (await serveHttp2(build())).session();
    const stream = client.request({ ':path': path });
    stream.on('error', () => undefined);
    stream.resume();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    expect(await ask(client, { ':path': '/hello?name=Ann' })).toMatchObject({ status: 200 });
    if (path !== '/half') expect((await warnings.next()).code).toBe('WEBSOCKET_HTTP2');
  });

  test('headers with several values become one list, and the socket names the server', async () => {
    const opened = await serveHttp2(build());
    site = opened.server;
    const client = await opened.session();
    const { headers } = await ask(client, { ':path': '/languages' });
    expect(headers['content-language']).toBe('de, en');
    expect(await ask(client, { ':path': '/several' })).toMatchObject({
      body: 'x',
      trailers: {},
    });
    expect(await ask(client, { ':path': '/server' })).toMatchObject({ body: 'true' });
  });

  test('trailers of a request that HTTP/1.1 does not allow reset the response that has begun', async () => {
    const client = await (await serveHttp2(build())).session();
    const stream = client.request({ ':method': 'POST', ':path': '/upper' }, { waitForTrailers: true });
    stream.on('error', () => undefined);
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'x-large': 'x'.repeat(20_000) });
    });
    stream.resume();
    stream.end('data');
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('an app that destroys its request while it reads resets the response, and the process lives', async () => {
    const client = await (await serveHttp2(build())).session();
    const codes = Array.from({ length: 50 }, async () => {
      const stream = client.request({ ':method': 'POST', ':path': '/greedy' });
      stream.on('error', () => undefined);
      stream.resume();
      stream.write('x'.repeat(5_000));
      await new Promise((resolve) => stream.once('close', resolve));
      return stream.rstCode;
    });
    expect(new Set(await Promise.all(codes))).toEqual(new Set([constants.NGHTTP2_INTERNAL_ERROR]));
  });

  test('an upload that nobody reads leaves nothing behind when its client resets it', async () => {
    const opened = await serveHttp2(build());
    const streams = new Set<Http2Stream>();
    opened.server.on('session', (connection) => {
      connection.on('stream', (stream: Http2Stream) => {
        streams.add(stream);
        stream.once('close', () => streams.delete(stream));
      });
    });
    const client = await opened.session();
    for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
      const stream = client.request({ ':method': 'POST', ':path': '/unread' });
      stream.on('error', () => undefined);
      await new Promise((resolve) => stream.write(Buffer.alloc(100_000), resolve));
      await new Promise((resolve) => client.ping(resolve));
      expect(streams.size).toBe(1);
      stream.close(code);
      await vi.waitFor(() => {
        expect(streams.size).toBe(0);
      });
    }
  });

  test('a client that leaves is told to the app as over HTTP/1.1', async () => {
    const app = makeApp();
    const left = new Promise<string>((resolve) => {
      app.get('/wait', (req, res) => {
        res.on('close', () => {
          resolve(`writableEnded ${String(res.writableEnded)}, destroyed ${String(req.destroyed)}`);
        });
        res.write('begun');
      });
    });
    const site = await serveHttp2(app as never);
    const stream = (await site.session()).request({ ':path': '/wait' });
    await once(stream, 'response');
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await left).toBe('writableEnded false, destroyed true');
  });

  test('a route that takes only websockets answers a plain request with 400', async () => {
    const site = await serveHttp2(build());
    const answer = await ask(await site.session(), { ':path': '/talk' });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.headers).not.toHaveProperty('upgrade');
  });
});

test('plain requests of other listeners are left to Node, with its own classes for HTTP/2', async () => {
  const bare = await serveHttp2((req: Http2ServerRequest, res: Http2ServerResponse) => {
    res.end(`HTTP/${req.httpVersion}, stream ${typeof res.stream.pushStream}`);
  });
  expect((await ask(await bare.session(), { ':path': '/' })).body).toBe('HTTP/2.0, stream function');
  const app = connect();
  app.use((req: IncomingMessage, res: ServerResponse) => {
    res.end(`HTTP/${req.httpVersion}`);
  });
  const site = await serveHttp2(app);
  expect((await ask(await site.session(), { ':path': '/' })).body).toBe('HTTP/2.0');
});

test('requireWebsocket answers plain HTTP/2 on a bare listener', async () => {
  const site = await serveHttp2(requireWebsocket(() => undefined) as never);
  const answer = await ask(await site.session(), { ':path': '/' });
  expect(answer).toMatchObject({
    status: 400,
    body: expect.stringContaining('only WebSocket requests') as string,
  });
});

const hasCurl = requirement(
  'curl with HTTP/2',
  String(spawnSync('curl', ['--version']).stdout).includes('HTTP2'),
);

test.skipIf(!hasCurl)('curl gets plain answers of an Express app over HTTP/2, and sends a body', async () => {
  const app = express();
  app.post('/json', express.json(), (req, res) => void res.json({ got: req.body as unknown }));
  const site = await serveHttp2(app as never);
  const { stdout } = await promisify(execFile)('curl', [
    '--silent',
    '--insecure',
    '--http2',
    '--write-out',
    ' HTTP/%{http_version} %{http_code}',
    '--json',
    '{"a":1}',
    `${site.url}/json`,
  ]);
  expect(stdout).toBe('{"got":{"a":1}} HTTP/2 200');
});
