import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { attachWebsocket, requireWebsocket } from 'dwebsocket';
import { beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { connect } from '../support/client.js';
import { RFC_KEY } from '../support/raw-client.js';
import { CERTIFICATE, listen, serve, type Site } from '../support/serve.js';
import { connectHttp, formatRequest } from './raw-http.js';

const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': RFC_KEY,
};
const H2C = {
  Connection: 'Upgrade, HTTP2-Settings',
  Upgrade: 'h2c',
  'HTTP2-Settings': 'AAMAAABkAARAAAAAAAIAAAAA',
};

const REQUESTS: [string, string][] = [
  ['a plain GET', formatRequest('GET', '/', {})],
  ['a POST with a body', formatRequest('POST', '/', {}, 'body')],
  ['a POST with "Upgrade: websocket" and a body', formatRequest('POST', '/', HANDSHAKE, 'body')],
  [
    'the same with keep-alive',
    formatRequest('POST', '/', { ...HANDSHAKE, Connection: 'keep-alive, Upgrade' }, 'body'),
  ],
  [
    'a chunked POST with "Upgrade: websocket"',
    formatRequest('POST', '/', { ...HANDSHAKE, 'Transfer-Encoding': 'chunked' }, '4\r\nbody\r\n0\r\n\r\n'),
  ],
  ['a GET with "Upgrade: websocket" and a body', formatRequest('GET', '/', HANDSHAKE, 'body')],
  ['an h2c upgrade', formatRequest('GET', '/', H2C)],
  ['an h2c upgrade with a body', formatRequest('POST', '/', H2C, 'body')],
  ['an upgrade to TLS', formatRequest('GET', '/', { Connection: 'Upgrade', Upgrade: 'TLS/1.3' })],
  ['a HEAD with "Upgrade: websocket"', formatRequest('HEAD', '/', HANDSHAKE)],
  ['a header Upgrade without Connection', formatRequest('GET', '/', { Upgrade: 'websocket' })],
  ['a header Connection without Upgrade', formatRequest('GET', '/', { Connection: 'Upgrade' })],
];

/** Answers with the parts of the request. */
function listener(req: http.IncomingMessage, res: http.ServerResponse): void {
  void text(req).then((content) => {
    const body = `${req.method!} ${req.url!} ${content}`;
    res.setHeader('Content-Length', req.method === 'HEAD' ? 0 : Buffer.byteLength(body));
    res.end(body);
  });
}

// After a route is wrapped, the package attaches the servers of the process.
beforeAll(() => {
  requireWebsocket(() => {});
});

async function exchange(site: Site, request: string) {
  const connection = await connectHttp(site);
  connection.socket.write(request);
  const answer = await connection.next();
  return { answer, isOpen: await connection.isOpen() };
}

/** Returns a server that the package ignores, because it was detached. */
function withoutUs<S extends http.Server | https.Server>(server: S): S {
  attachWebsocket(server)();
  return server;
}

describe.each([
  ['http', (handler: http.RequestListener) => http.createServer(handler)],
  ['https', (handler: http.RequestListener) => https.createServer(CERTIFICATE, handler)],
] as const)('an unrelated %s server in the process', (_name, create) => {
  test.for(REQUESTS)(
    'without upgrade listeners answers %s as it does without the package',
    async ([, request]) => {
      const expected = await exchange(await listen(withoutUs(create(listener))), request);
      const site = await listen(create(listener));
      const seen = await exchange(site, request);
      // The package has attached this server, so the comparison is meaningful.
      expect(site.server.listenerCount('upgrade')).toBe(1);
      expect(expected.answer?.status).toBe(200);
      expect(seen).toEqual(expected);
    },
  );

  const HANDSHAKES: typeof REQUESTS = [
    ['a handshake', formatRequest('GET', '/', HANDSHAKE)],
    ['a handshake with a frame behind it', `${formatRequest('GET', '/', HANDSHAKE)}frame`],
  ];

  test.for([...REQUESTS, ...HANDSHAKES])(
    'with an upgrade listener handles %s as it does without the package',
    async ([, request]) => {
      const addListener = (server: http.Server | https.Server) =>
        server.on(
          'upgrade',
          (req: http.IncomingMessage, socket: import('node:stream').Duplex, head: Buffer) => {
            const body = `its listener, ${req.method!} and ${head.toString()}`;
            socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
          },
        );
      const expected = await exchange(await listen(addListener(withoutUs(create(listener)))), request);
      const site = await listen(addListener(create(listener)));
      const seen = await exchange(site, request);
      expect(site.server.listenerCount('upgrade')).toBe(2);
      expect(expected.answer?.status).toBe(200);
      expect(seen).toEqual(expected);
    },
  );

  test('of ws serves its clients as it does without the package', async () => {
    const server = create((_req, res) => void res.writeHead(426).end());
    const wss = new WebSocketServer({ server });
    wss.on('connection', (ws) => ws.on('message', (data: Buffer) => ws.send(`ws: ${data.toString()}`)));
    const site = await listen(server);
    const client = await connect(site, '/anything');
    client.send('hello');
    expect(await client.next()).toBe('ws: hello');
    await client.close();
  });
});

test('consecutive requests whose bodies arrive in pieces are answered on one connection', async () => {
  const site = await serve(listener);
  const connection = await connectHttp(site);
  for (const path of ['/first', '/second', '/third']) {
    const request = formatRequest('POST', path, H2C, 'a body in pieces');
    for (const piece of request.match(/.{1,40}/gs)!) {
      connection.socket.write(piece);
      await new Promise(setImmediate);
    }
    expect((await connection.next())?.body).toBe(`POST ${path} a body in pieces`);
  }
  expect(await connection.isOpen()).toBe(true);
});

describe('a handshake on a server that has no websockets and no upgrade listeners', () => {
  const handshake = formatRequest('GET', '/', HANDSHAKE);

  test('gets the response of that server, and the connection closes', async () => {
    const { answer, isOpen } = await exchange(await listen(http.createServer(listener)), handshake);
    expect(answer).toMatchObject({ status: 200, body: 'GET / ' });
    expect(answer?.head).toMatch(/^connection: close$/im);
    expect(isOpen).toBe(false);
  });

  test('is a plain request if the server was detached, and the connection stays open', async () => {
    const { answer, isOpen } = await exchange(
      await listen(withoutUs(http.createServer(listener))),
      handshake,
    );
    expect(answer).toMatchObject({ status: 200, body: 'GET / ' });
    expect(answer?.head).toMatch(/^connection: keep-alive$/im);
    expect(isOpen).toBe(true);
  });
});
