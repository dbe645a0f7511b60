import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acceptWebsocket } from 'dwebsocket';
import { connectRaw, RFC_KEY } from './support/raw-client.js';
import { serve, type Site } from './support/serve.js';

/** Tells what a request was, and a WebSocket that it is one. */
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

/** Sends requests, each piece in a segment of its own, and gives what comes until the server has closed. */
async function talk(site: Site, ...pieces: string[]): Promise<string> {
  const socket = await openSocket(site);
  onTestFinished(() => void socket.destroy());
  let answer = '';
  socket.setNoDelay(true).setEncoding('latin1');
  socket.on('data', (chunk: Buffer | string) => (answer += String(chunk)));
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await once(socket, 'end');
  return answer;
}

const bodiesOf = (answers: string): unknown[] =>
  [...answers.matchAll(/^\{.*\}/gm)].map(([json]) => JSON.parse(json) as unknown);

const H2C =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA';
const WEBSOCKET = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${RFC_KEY}\r\nSec-WebSocket-Version: 13`;
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

const plain = (method: string, url: string, body = '') => ({ method, url, body, websocket: null });

describe.for([
  ['http', false],
  ['https', true],
] as const)('over %s', ([, tls]) => {
  test('an upgrade to h2c is handled as plain HTTP, and keep-alive goes on', async () => {
    const site = await serve(app, { tls });
    const answers = await talk(site, `GET /h2c HTTP/1.1\r\nHost: a\r\n${H2C}\r\n\r\n`, LAST);
    expect(answers).not.toContain('101 Switching');
    expect(bodiesOf(answers)).toEqual([plain('GET', '/h2c'), plain('GET', '/last')]);
    expect(site.sockets.size).toBeLessThanOrEqual(1);
  });

  test("a POST with an upgrade to h2c and a body in pieces, as Java's HttpClient sends it", async () => {
    const head = `POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n${H2C}\r\n\r\n`;
    const site = await serve(app, { tls });
    expect(bodiesOf(await talk(site, head, 'hello', 'world', LAST))).toEqual([
      plain('POST', '/orders', 'helloworld'),
      plain('GET', '/last'),
    ]);
    expect(bodiesOf(await talk(site, `${head}helloworld${LAST}`))).toEqual([
      plain('POST', '/orders', 'helloworld'),
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
    const answers = await talk(await serve(app), request + LAST);
    expect(bodiesOf(answers)).toEqual([plain(method, '/x', body), plain('GET', '/last')]);
  },
);

test.for([
  ['an upgrade to several at once', 'Connection: Upgrade\r\nUpgrade: h2c, websocket'],
  ['an upgrade to something unknown', 'Connection: Upgrade\r\nUpgrade: irc/6.9'],
  ['"Upgrade: websocket" without "Connection: Upgrade"', 'Upgrade: websocket'],
  ['"Connection: Upgrade" without Upgrade', 'Connection: Upgrade'],
] as const)('%s is handled as plain HTTP', async ([, headers]) => {
  const answers = await talk(await serve(app), `GET /x HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`, LAST);
  expect(bodiesOf(answers)).toEqual([plain('GET', '/x'), plain('GET', '/last')]);
});

test('headers come through unchanged, but for those of the upgrade', async () => {
  const site = await serve(
    acceptWebsocket((req, res) => {
      const { host, cookie, 'x-mixed': mixed, 'x-two': two } = req.headers;
      const raw = req.rawHeaders.filter((name) => /^x-mixed$/i.test(name));
      res.end(JSON.stringify({ host, cookie, mixed, two, raw }), 'latin1');
    }),
  );
  const headers = 'Host: a\r\nX-MiXeD: caf\xe9, and  spaces \r\nx-two: 1\r\nx-two: 2\r\nCookie: a=1';
  const answers = await talk(site, `GET / HTTP/1.1\r\n${headers}\r\n${H2C}\r\n\r\n`, LAST);
  expect(bodiesOf(answers)[0]).toEqual({
    host: 'a',
    cookie: 'a=1',
    mixed: 'caf\xe9, and  spaces',
    two: '1, 2',
    raw: ['X-MiXeD'],
  });
});
