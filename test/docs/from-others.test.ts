import { fileURLToPath } from 'node:url';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { readDocument } from './document.js';
import { openDocument } from './scenario.js';

const [expressWs, ws, socketIo] = [
  openDocument('docs/from-express-ws.md'),
  openDocument('docs/from-ws.md'),
  openDocument('docs/from-socket-io.md'),
];

test('from express-ws: a handler for a socket of ws works as it is', async () => {
  const { site } = await expressWs.run('from-express-ws');
  const client = await connect(site, '/chat');
  client.send('hello');
  expect(await client.next()).toBe('/chat: hello');
});

test('from express-ws: everybody hears everybody', async () => {
  const { site } = await expressWs.run('from-express-ws', 1);
  const [ada, bob] = [await connect(site, '/chat?name=ada'), await connect(site, '/chat?name=bob')];
  ada.send('hello');
  expect([await ada.next(), await bob.next()]).toEqual(['ada: hello', 'ada: hello']);
  expect((await requestUpgrade(site, '/elsewhere')).status).toBe(404);
});

test('from express-ws: in CommonJS', async () => {
  const { site } = await expressWs.run('from-express-ws', 1, 'js');
  const client = await connect(site, '/echo');
  client.send('hello');
  expect(await client.next()).toBe('hello');
});

test('from ws: all but the sender hear, once they have logged in', async () => {
  const { site } = await ws.run('from-ws');
  expect(await requestUpgrade(site, '/chat')).toMatchObject({ status: 401, body: 'log in first' });
  const headers = { cookie: 'user=ada' };
  const [ada, bob] = [await connect(site, '/chat', { headers }), await connect(site, '/chat', { headers })];
  ada.send(Buffer.from('bytes'), 'text');
  expect(await bob.take(2)).toEqual([Buffer.from('bytes'), 'text']);
  await ada.flush();
  expect(ada.unread()).toEqual([]);
});

test('from ws: without Express', async () => {
  const { site } = await ws.run('from-ws', 1);
  expect((await request(site, '/')).body).toBe('plain HTTP');
  const client = await connect(site);
  client.send('hello');
  expect(await client.next()).toBe('hello');
});

test('from ws: at /, beside the files of a folder', async () => {
  const { site } = await ws.run('from-ws', 2);
  const client = await connect(site);
  client.send('hello');
  expect(await client.next()).toBe('hello');
  // There is no such folder here; the route has passed it on.
  expect((await request(site, '/')).status).toBe(404);
});

test('from ws: why the route comes before the files', async () => {
  const app = express();
  app.use(express.static(fileURLToPath(new URL('../../example-app/public/echo', import.meta.url))));
  app.get(
    '/',
    requireWebsocket(() => expect.unreachable()),
  );
  expect((await requestUpgrade(await serve(app), '/')).status).toBe(200);
});

test('from socket.io: rooms, and news from a route', async () => {
  const { site } = await socketIo.run('from-socketios-rooms');
  expect((await requestUpgrade(site, '/rooms')).status).toBe(401);
  const headers = { cookie: 'user=ada' };
  const [ada, bob, eve] = [
    await connect(site, '/rooms', { headers }),
    await connect(site, '/rooms', { headers }),
    await connect(site, '/rooms', { headers }),
  ];
  for (const client of [ada, bob]) {
    client.send('{"event":"join","room":"red"}');
    await client.flush();
  }
  // She has not joined, and is not heard.
  eve.send('{"event":"say","room":"red","text":"spam"}');
  await eve.flush();
  ada.send('{"event":"say","room":"red","text":"hello"}');
  expect(await bob.next()).toBe('{"event":"said","text":"hello"}');
  await request(site, '/rooms/red/news', { method: 'POST' });
  const news = '{"event":"said","text":"news"}';
  expect([await ada.next(), await bob.next()]).toEqual([news, news]);
});

test.for(['docs/from-express-ws.md', 'docs/from-ws.md', 'docs/from-socket-io.md'])(
  '%s fits on a page or two',
  (path) => {
    expect(readDocument(path).text.split('\n').length).toBeLessThan(120);
  },
);

for (const document of [expressWs, ws, socketIo]) document.testCompleteness();
