import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { acceptWebsocket } from 'dwebsocket';
import { Inbox, within } from './support/inbox.js';
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

/**
 * Sends requests one after the other on one connection, each piece in a segment of its own, and gives their answers;
 * the last asks for the end. (What is pipelined behind an upgrade is lost in newer versions of Node, without us, too.)
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
  test('an upgrade to h2c is handled as plain HTTP, and keep-alive goes on', async () => {
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

test('headers come through unchanged, but for those of the upgrade', async () => {
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
