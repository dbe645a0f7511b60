// What an attacker can send over HTTP/2 on purpose: pseudo-headers, floods of streams, resets.
import { once } from 'node:events';
import { constants, type ClientHttp2Session } from 'node:http2';
import express from 'express';
import { expect, test } from 'vitest';
import { openWebsockets, requireWebsocket } from 'dwebsocket';
import { requestWebsocket } from '../support/http2-tunnel.js';
import { text } from '../support/raw-frames.js';
import { END_HEADERS, Frame, openTls, raw } from './raw-http2.js';
import { serveHttp2, type Http2Site } from './serve-http2.js';

function build() {
  const requests: string[] = [];
  const app = express();
  app.use((req, _res, next) => {
    const injected = req.headers['x-injected'] === undefined ? '' : ' and an injected header';
    requests.push(`${req.method} ${req.url} ${String(req.headers.host)}${injected}`);
    next();
  });
  app.get(
    '/echo',
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) websocket.send(message);
    }),
  );
  return { app: app as never, requests };
}

async function answerOf(session: ClientHttp2Session, headers: Record<string, string>): Promise<string> {
  const stream = requestWebsocket(session, '/echo', headers);
  const outcome = await Promise.race([
    once(stream, 'response').then(([fields]) => String((fields as Record<string, unknown>)[':status'])),
    once(stream, 'close').then(() => `reset ${String(stream.rstCode)}`),
  ]);
  stream.close(constants.NGHTTP2_CANCEL);
  return outcome;
}

async function expectEcho(site: Http2Site): Promise<void> {
  const session = await site.session();
  const stream = requestWebsocket(session, '/echo');
  await once(stream, 'response');
  stream.write(text('alive'));
  const [frame] = (await once(stream, 'data')) as [Buffer];
  expect(frame.subarray(2).toString()).toBe('alive');
  stream.close(constants.NGHTTP2_CANCEL);
}

const handshake: [string, string][] = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'https'],
  [':authority', 'localhost'],
  [':path', '/echo'],
  ['sec-websocket-version', '13'],
];

const replace = (name: string, value: string | undefined): [string, string][] =>
  handshake.flatMap((field) => (field[0] !== name ? [field] : value === undefined ? [] : [[name, value]]));

test.each([
  ['a path with a line break', replace(':path', '/echo HTTP/1.1\r\nx-injected: 1')],
  ['a path with a space', replace(':path', '/echo HTTP/1.1')],
  ['an empty path', replace(':path', '')],
  ['no path', replace(':path', undefined)],
  ['no scheme', replace(':scheme', undefined)],
  ['an authority with a line break', replace(':authority', 'localhost\r\nx-injected: 1')],
  ['a protocol on a GET', replace(':method', 'GET')],
  ['two paths', [...handshake.slice(0, 5), [':path', '/other'] as [string, string], ...handshake.slice(5)]],
  ['a pseudo-header behind a header', [...handshake, [':path', '/other'] as [string, string]]],
  ['a header with a line break', [...handshake, ['x-a', 'b\r\nx-injected: 1'] as [string, string]]],
  ['a header name with a colon', [...handshake, ['x-a: b', 'c'] as [string, string]]],
  ['a header name in upper case', [...handshake, ['X-A', 'b'] as [string, string]]],
  ['the header connection', [...handshake, ['connection', 'upgrade'] as [string, string]]],
  ['the header transfer-encoding', [...handshake, ['transfer-encoding', 'chunked'] as [string, string]]],
  ['an unknown pseudo-header', [[':evil', '1'] as [string, string], ...handshake]],
])('%s never reaches the app as another request', async (_, fields) => {
  const { app, requests } = build();
  const site = await serveHttp2(app);
  const client = await openTls(site);
  client.socket.write(raw.frame(Frame.headers, END_HEADERS, 1, raw.fields(fields)));
  await client.until(() =>
    client.frames.some(
      ({ type, stream }) =>
        (stream === 1 && (type === Frame.rstStream || type === Frame.headers)) || type === Frame.goaway,
    ),
  );
  // nghttp2 resets the stream, or drops an invalid header.
  expect(requests.filter((request) => !/^GET \/echo(?: localhost| undefined)$/.test(request))).toEqual([]);
  await expectEcho(site);
});

test.each([
  ['a key and an answer of HTTP/1.1', { 'sec-websocket-key': 'x', 'sec-websocket-accept': 'y' }, '200'],
  ['a length', { 'content-length': '5' }, '200'],
  ['an expectation', { expect: '100-continue' }, '200'],
  ['another host', { host: 'evil.example' }, '200'],
  ['another version', { 'sec-websocket-version': '7' }, '426'],
  ['a header of 60 KB', { 'x-large': 'x'.repeat(60_000) }, '431'],
  ['an empty origin', { origin: '' }, '403'],
])('%s', async (_, headers, answer) => {
  const { app, requests } = build();
  const site = await serveHttp2(app);
  expect(await answerOf(await site.session(), headers)).toBe(answer);
  expect(requests.filter((request) => request !== 'GET /echo localhost')).toEqual([]);
});

test('streams that are reset at once (CVE-2023-44487) end the session, and leave nothing behind', async () => {
  const { app } = build();
  const site = await serveHttp2(app);
  const client = await openTls(site);
  const fields = raw.fields(handshake);
  const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
  let id = 1;
  const flood = (): void => {
    for (let burst = 0; burst < 200 && !client.socket.destroyed; burst++, id += 2) {
      client.socket.write(
        Buffer.concat([
          raw.frame(Frame.headers, END_HEADERS, id, fields),
          raw.frame(Frame.rstStream, 0, id, cancel),
        ]),
      );
    }
    if (!client.socket.destroyed && id < 100_000) setImmediate(flood);
  };
  flood();
  await client.until(() => client.frames.some(({ type }) => type === Frame.goaway));
  expect(client.frames.some(({ type }) => type === Frame.goaway) || client.socket.destroyed).toBe(true);
  client.socket.destroy();
  await expectEcho(site);
  expect(openWebsockets(site.server).size).toBeLessThanOrEqual(1);
});
