import { requireWebsocket, type RequireWebsocketHandler, type WebsocketOptions } from 'dwebsocket';
import express from 'express';
import { expect, test } from 'vitest';
import { warnOnce } from '../../src/shared/notices.js';
import { connect } from '../support/client.js';
import { startProgram } from '../support/program.js';
import { openRaw } from '../support/raw-client.js';
import { text } from '../support/raw-frames.js';
import { requestUpgrade } from '../support/request.js';
import { serve, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

async function useRoutes(site: Site): Promise<void> {
  const client = await connect(site, '/talk', { protocols: ['chat'] });
  client.send('bye');
  await client.closed();
  await (await connect(site, '/talk')).close(4001, 'enough');
  await (await connect(site, '/talk')).vanish();
  await (await connect(site, '/fail')).closed();
  const json = await connect(site, '/json');
  json.send('{\n');
  await json.closed();
  await requestUpgrade(site, '/talk', { 'sec-websocket-version': '8' });
  await requestUpgrade(site, '/nowhere');
  // The last one: when its line is printed, all earlier lines are printed, too.
  await (await connect(site, '/talk?last')).close();
}

test(
  'NODE_DEBUG=dwebsocket prints one line for each attach, each verdict with its reason, each invalid message, and each close with its side',
  { timeout: 120_000 },
  async () => {
    const { site, stop } = await startProgram('talk', { NODE_DEBUG: 'dwebsocket' });
    await useRoutes(site);
    const lines = (await stop()).split('\n').filter((line) => line !== '');
    for (const line of lines) expect(line).toMatch(/^DWEBSOCKET \d+: /);
    const texts = lines.map((line) => line.replace(/^DWEBSOCKET \d+: /, ''));
    expect(texts[0]).toBe('attached to a server with 0 other upgrade listeners');
    expect(texts).toEqual(
      expect.arrayContaining([
        '/talk: accepted with subprotocol chat',
        '/talk: closed with 1000 "" by this side',
        '/talk: closed with 4001 "enough" by the peer',
        '/talk: closed with 1006 "" by neither side: the connection was lost',
        expect.stringMatching(/^\/json: received "invalid message: .*JSON/),
        expect.stringMatching(/^\/json: closed with 1007 "invalid message: .*JSON.*" by this side$/),
        '/fail: accepted',
        '/fail: the handler failed: Error: the reason',
        '/fail: closed with 1011 "" by this side',
        '/talk: refused with 426, this server supports only version 13 of the WebSocket protocol (RFC 6455)',
        '/nowhere: answered by the app with 404',
      ]),
    );
  },
);

test('without NODE_DEBUG nothing is printed', { timeout: 120_000 }, async () => {
  const { site, stop } = await startProgram('talk');
  await useRoutes(site);
  expect(await stop()).toBe('');
});

test('a warning appears once for each subject and code', async () => {
  const warnings = watchWarnings();
  const [route, server] = [{}, {}];
  for (let i = 0; i < 3; i++) {
    warnOnce(route, 'ONE', 'a route');
    warnOnce(route, 'TWO', 'a route');
    warnOnce(server, 'ONE', 'a server');
  }
  const seen = [await warnings.next(), await warnings.next(), await warnings.next()];
  expect(seen.map(({ name, code, message }) => [name, code, message])).toEqual([
    ['WebsocketWarning', 'ONE', 'a route'],
    ['WebsocketWarning', 'TWO', 'a route'],
    ['WebsocketWarning', 'ONE', 'a server'],
  ]);
  expect(warnings.rest()).toEqual([]);
});

test('a warning with details appears once for each of the first ten details', async () => {
  const warnings = watchWarnings();
  const route = {};
  for (let i = 0; i < 30; i++) warnOnce(route, 'ONE', `detail ${String(i % 15)}`, String(i % 15));
  warnOnce(route, 'TWO', 'another', '0');
  warnOnce({}, 'ONE', 'another route', '0');
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings.rest().map(({ message }) => message)).toEqual([
    ...Array.from({ length: 9 }, (_, i) => `detail ${String(i)}`),
    'detail 9 (the last warning of this kind here)',
    'another',
    'another route',
  ]);
});

const CAUSES: Record<string, [RequireWebsocketHandler, WebsocketOptions?]> = {
  WEBSOCKET_TOO_BIG: [({ websocket }) => websocket.closed, { maxPayload: 3 }],
  WEBSOCKET_LATE_SENDS: [
    async ({ websocket }) => {
      await websocket.close();
      for (let i = 0; i < 100; i++) websocket.send('late');
    },
  ],
  WEBSOCKET_RESPONSE: [(_req, res) => res.end()],
  WEBSOCKET_HANDLER_RETURNED: [() => undefined],
  WEBSOCKET_PROTOCOL: [({ websocket }) => websocket.closed, { protocols: ['v1'] }],
};

test.each(Object.entries(CAUSES))(
  '%s shows the whole path of a request without its query',
  async (expected, [handler, options]) => {
    const warnings = watchWarnings();
    const rooms = express.Router().get('/room', requireWebsocket(handler, options));
    const site = await serve(express().use('/chat', rooms));
    const protocol = expected === 'WEBSOCKET_PROTOCOL' ? 'chat' : undefined;
    const client = await openRaw(site.port, {
      path: '/chat/room?token=secret',
      headers: { 'Sec-WebSocket-Protocol': protocol },
      early: text('1234'),
    });
    client.socket.end();
    const { code, message } = await warnings.next();
    expect(code).toBe(expected);
    expect(message).toContain('/chat/room');
    expect(message).not.toContain('secret');
  },
);
