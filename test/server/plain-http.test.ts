import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect as connectTls } from 'node:tls';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acceptWebsocket } from 'dwebsocket';
import { Inbox, within } from '../support/inbox.js';
import { connectRaw, handshakeRequest, RFC_KEY } from '../support/raw-client.js';
import { listen, serve, type Site } from '../support/serve.js';

/** Answers with the parts of a request, or sends a message on a websocket. */
const app = express();
app.use(
  acceptWebsocket(async (req, res) => {
    if (req.isWebsocket()) return;
    res.json({ method: req.method, url: req.url, body: await text(req), websocket: req.websocket });
  }),
);

async function openSocket(site: Site): Promise<Socket> {
  if (!site.tls) return (await connectRaw(site.port, { request: '' })).socket;
  const socket = connectTls({ port: site.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

/**
 * Sends requests one after the other on one connection, each piece in its own segment, and returns their answers. The
 * last request closes the connection. (Newer versions of Node lose data that is pipelined behind an upgrade, also without us.)
 */
async function talk(site: Site, ...requests: (string | readonly string[])[]): Promise<unknown[]> {
  const socket = await openSocket(site);
  onTestFinished(() => void socket.destroy());
  const answers = new Inbox<unknown>();
  let received = '';
  socket.setNoDelay(true).setEncoding('latin1');
  socket.on('data', (chunk: Buffer | string) => {
    received += String(chunk);
    // Each answer is one line of JSON behind its headers.
    for (const [json] of received.matchAll(/^\{.*\}/gm)) answers.push(JSON.parse(json));
    received = received.replace(/^[^]*^\{.*\}/m, '');
  });
  const ended = once(socket, 'end');
  const bodies: unknown[] = [];
  for (const pieces of [...requests, LAST]) {
    for (const piece of [pieces].flat()) {
      socket.write(piece, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    bodies.push(await answers.next('answer'));
  }
  await within(ended, 'end of the connection');
  expect(answers.rest()).toEqual([]);
  expect(received).not.toContain('101 Switching');
  return bodies;
}

const H2C =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA';
const WEBSOCKET = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${RFC_KEY}\r\nSec-WebSocket-Version: 13`;
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

const plain = (method: string, url: string, body = '') => ({ method, url, body, websocket: null });

describe.for([
  ['http', false],
  ['https', true],
] as const)('over %s', ([, tls]) => {
  test('an upgrade to h2c is handled as plain HTTP, and keep-alive still works', async () => {
    const site = await serve(app, { tls });
    const h2c = `GET /h2c HTTP/1.1\r\nHost: a\r\n${H2C}\r\n\r\n`;
    expect(await talk(site, h2c, h2c)).toEqual([
      plain('GET', '/h2c'),
      plain('GET', '/h2c'),
      plain('GET', '/last'),
    ]);
  });

  test("a POST with an upgrade to h2c and a body in pieces, as Java's HttpClient sends it", async () => {
    const head = `POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n${H2C}\r\n\r\n`;
    const site = await serve(app, { tls });
    const orders = plain('POST', '/orders', 'helloworld');
    expect(await talk(site, [head, 'hello', 'world'], `${head}helloworld`)).toEqual([
      orders,
      orders,
      plain('GET', '/last'),
    ]);
  });
});

test.for([
  ['POST', 'Content-Length: 4\r\n', 'data', 'data'],
  ['POST', 'Transfer-Encoding: chunked\r\n', '4\r\ndata\r\n0\r\n\r\n', 'data'],
  ['POST', 'Content-Length: 0\r\n', '', ''],
  ['PUT', '', '', ''],
  ['GET', 'Content-Length: 4\r\n', 'data', 'data'],
  ['GET', 'Transfer-Encoding: chunked\r\n', '4\r\ndata\r\n0\r\n\r\n', 'data'],
] as const)(
  'a %s with "Upgrade: websocket", %j and the body %j is handled as plain HTTP',
  async ([method, length, sent, body]) => {
    const request = `${method} /x HTTP/1.1\r\nHost: a\r\n${length}${WEBSOCKET}\r\n\r\n${sent}`;
    expect(await talk(await serve(app), request)).toEqual([plain(method, '/x', body), plain('GET', '/last')]);
  },
);

test.for([
  ['an upgrade to several at once', 'Connection: Upgrade\r\nUpgrade: h2c, websocket'],
  ['an upgrade to something unknown', 'Connection: Upgrade\r\nUpgrade: irc/6.9'],
  ['"Upgrade: websocket" without "Connection: Upgrade"', 'Upgrade: websocket'],
  ['"Connection: Upgrade" without Upgrade', 'Connection: Upgrade'],
] as const)('%s is handled as plain HTTP', async ([, headers]) => {
  expect(await talk(await serve(app), `GET /x HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`)).toEqual([
    plain('GET', '/x'),
    plain('GET', '/last'),
  ]);
});

test('headers arrive unchanged, except those of the upgrade', async () => {
  const site = await serve(
    acceptWebsocket((req, res) => {
      const { host, cookie, 'x-mixed': mixed, 'x-two': two } = req.headers;
      const raw = req.rawHeaders.filter((name) => /^x-mixed$/i.test(name));
      res.end(JSON.stringify({ host, cookie, mixed, two, raw }), 'latin1');
    }),
  );
  const headers = 'Host: a\r\nX-MiXeD: caf\xe9, and  spaces \r\nx-two: 1\r\nx-two: 2\r\nCookie: a=1';
  const [answer] = await talk(site, `GET / HTTP/1.1\r\n${headers}\r\n${H2C}\r\n\r\n`);
  expect(answer).toEqual({
    host: 'a',
    cookie: 'a=1',
    mixed: 'caf\xe9, and  spaces',
    two: '1, 2',
    raw: ['X-MiXeD'],
  });
});

describe('a request with many headers', () => {
  const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const LENGTHS = [
    ['Content-Length', `Content-Length: ${SMUGGLED.length}`, SMUGGLED],
    ['Transfer-Encoding', 'Transfer-Encoding: chunked', `0\r\n\r\n${SMUGGLED}`],
  ] as const;
  const UPGRADES = [
    ['h2c', `POST / HTTP/1.1\r\nHost: a\r\n${H2C}`],
    ['a websocket', `GET / HTTP/1.1\r\nHost: a\r\n${WEBSOCKET}`],
  ] as const;

  test.for(
    UPGRADES.flatMap(([upgrade, head]) =>
      LENGTHS.flatMap(([name, length, body]) =>
        [undefined, 20].map((max) => [upgrade, name, head, length, body, max] as const),
      ),
    ),
  )(
    'does not let a body pass as a request: an upgrade to %s, with the %s behind the limit',
    async ([, , head, length, body, max]) => {
      const seen: string[] = [];
      const server = createServer((req, res) => {
        seen.push(req.url!);
        res.end();
      });
      if (max !== undefined) server.maxHeadersCount = max;
      const site = await listen(server);
      const filler = 'a:b\r\n'.repeat(max ?? 1_000);
      const client = await connectRaw(site.port, { request: `${head}\r\n${filler}${length}\r\n\r\n${body}` });
      // Newer versions of Node refuse some of these requests themselves.
      expect((await client.response()).status).toBe(431);
      await client.end();
      expect(seen).toEqual([]);
    },
  );

  test('is refused if its Origin header is among the dropped ones', async () => {
    const site = await serve(app);
    site.server.maxHeadersCount = 6;
    const headers = { a: 'b', Origin: 'https://evil.test' };
    const client = await connectRaw(site.port, { headers });
    const response = await client.response();
    await client.end();
    expect(response.status).toBe(431);
    // Newer versions of Node refuse it themselves, with an empty body.
    expect([
      '',
      'this request has more headers than server.maxHeadersCount allows; send fewer, or raise that limit\n',
    ]).toContain(response.body());
  });

  test.for([
    ['fewer headers than the limit', 8],
    ['any number of headers without a limit', 0],
  ] as const)('is accepted with %s', async ([, max]) => {
    const site = await serve(app);
    site.server.maxHeadersCount = max;
    const client = await connectRaw(site.port, { headers: { a: 'b', c: 'd' } });
    expect((await client.response()).status).toBe(101);
    client.destroy();
    const h2c = `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${H2C}\r\n\r\nbody`;
    expect(await talk(site, h2c)).toEqual([plain('POST', '/x', 'body'), plain('GET', '/last')]);
  });
});

test('headers of almost maxHeaderSize are not too long when the request is handled as plain HTTP', async () => {
  const site = await listen(createServer({ maxHeaderSize: 1_024 }, app));
  const request = `GET / HTTP/1.1\r\nHost: a\r\n${'a:b\r\n'.repeat(165)}${H2C}\r\n\r\n`;
  expect(request.length).toBeGreaterThan(900);
  expect(await talk(site, request)).toEqual([plain('GET', '/'), plain('GET', '/last')]);
});

test("other 'connection' listeners see a connection once, even if many of its requests ask for an upgrade", async () => {
  const server = createServer(app);
  let seen = 0;
  server.on('connection', (socket: Socket) => {
    seen++;
    // Otherwise Node would warn of a leak.
    socket.on('close', () => {});
  });
  const site = await listen(server);
  const requests = Array.from({ length: 12 }, () => `GET / HTTP/1.1\r\nHost: a\r\n${H2C}\r\n\r\n`);
  expect(await talk(site, ...requests)).toHaveLength(13);
  expect(seen).toBe(1);
});

test('maxRequestsPerSocket also limits requests that ask for an upgrade', async () => {
  const seen: string[] = [];
  const server = createServer((req, res) => {
    seen.push(req.url!);
    res.end('{}');
  });
  server.maxRequestsPerSocket = 2;
  const site = await listen(server);
  const request = `GET / HTTP/1.1\r\nHost: a\r\n${H2C}\r\n\r\n`;
  const client = await connectRaw(site.port, { request: '' });
  for (let i = 0; i < 5 && client.socket.writable; i++) {
    client.write(request);
    await Promise.race([once(client.socket, 'data'), client.ended]);
  }
  await client.end();
  expect(seen.length).toBeLessThanOrEqual(2);
});

describe('after a request on the same connection', () => {
  const get = 'GET /first HTTP/1.1\r\nHost: a\r\n\r\n';
  const post = `POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${H2C}\r\n\r\nbody`;

  test('a request is answered after it, also when that takes longer than keepAliveTimeout', async () => {
    const second = new Inbox<ServerResponse>();
    const server = createServer((req, res) => {
      if (req.url === '/second') second.push(res);
      else setImmediate(() => res.end('{"first":true}\n'));
    });
    server.keepAliveTimeout = 1;
    const site = await listen(server);
    const client = await connectRaw(site.port, { request: get + post });
    const { body } = await client.response();
    const res = await second.next('request');
    // The time has passed when the server ends a later connection, which is idle behind its answer.
    const idle = await connectRaw(site.port, { request: get });
    await within(idle.ended, 'end');
    res.end('{"second":true}');
    await client.until(() => body().includes('"second"'), 'the second answer');
    client.destroy();
  });

  test('a request is answered even if the client reads the long answer before it late', async () => {
    const site = await serve((req, res) => {
      if (req.url === '/first') res.end(Buffer.alloc(20_000_000, 'x'));
      else void text(req).then((body) => res.end(`second: ${body}`));
    });
    const arrived = once(site.server, 'request');
    const client = await connectRaw(site.port, { request: '' });
    let end = '';
    client.socket.prependListener('data', (chunk: Buffer) => {
      end = (end + chunk.toString('latin1')).slice(-20);
    });
    client.socket.pause();
    client.write(get + post);
    await arrived;
    client.socket.resume();
    await client.until(() => end.endsWith('second: body'), 'the second answer');
    client.destroy();
  });

  test('a handshake is answered with 101, and the websocket outlives keepAliveTimeout', async () => {
    const site = await serve(
      acceptWebsocket(async (req, res) => {
        if (!req.isWebsocket()) {
          setImmediate(() => res.end('first'));
          return;
        }
        // Node closes an idle connection a second after keepAliveTimeout.
        await req.websocket.sleep(1_200);
        req.websocket.send('still there');
      }),
    );
    site.server.keepAliveTimeout = 1;
    const client = await connectRaw(site.port, { request: get + handshakeRequest() });
    const { body } = await client.response();
    await client.until(() => body().includes('still there'), 'the message');
    client.destroy();
  });
});
