import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorRequestHandler, Express } from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { connect, type Client } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { runInBrowser } from './run-block.js';
import { openDocument } from './scenario.js';

const page = openDocument('docs/porting.md');
const json = async (client: Client) => JSON.parse(String(await client.next())) as unknown;

test('what the page begins with listens', async () => {
  const { site } = await page.run('porting-from-pythons-dwebsocket');
  expect((await request(site, '/')).status).toBe(404);
});

test('the first ten minutes: a template at /chat/echo/, and a script that talks to it', async () => {
  const { site } = await page.run('the-first-ten-minutes');
  const views = mkdtempSync(join(tmpdir(), 'dwebsocket-views-'));
  onTestFinished(() => rmSync(views, { recursive: true }));
  writeFileSync(join(views, 'echo.ejs'), page.find('the-first-ten-minutes', 'html').code);
  // EJS is not installed here; of its templates this one needs no more.
  const [app] = site.server.listeners('request') as [Express];
  app.set('views', views);
  app.engine('ejs', (path, options, callback) => {
    callback(null, readFileSync(path, 'utf8').replace('<%= title %>', (options as { title: string }).title));
  });
  expect((await request(site, '/chat/echo')).body).toContain('<title>Echo</title>');

  const appended = await new Promise((resolve) => {
    const document = { body: { append: resolve } };
    void runInBrowser(page.find('the-first-ten-minutes', 'js'), site, { document });
  });
  expect(appended).toBe('Hello, World!');
});

test('one view', async () => {
  const { site } = await page.run('one-view');
  expect((await request(site, '/lower/?message=ABC')).body).toBe('abc');
  const client = await connect(site, '/lower/');
  client.send('ABC');
  expect(await client.next()).toBe('abc');
});

test('any route may talk', async () => {
  const { site } = await page.run('websocket_accept_all');
  expect((await request(site, '/anything')).body).toBe('plain HTTP');
  const client = await connect(site, '/anything');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test('a loop that has ended cleans up', async () => {
  const { site } = await page.run('the-trailing-none');
  const first = await connect(site, '/clean-up');
  await first.close();
  const second = await connect(site, '/clean-up');
  second.send('');
  expect(await second.next()).toBe(' of 1');
});

test('a visitor without a name or a token gets in nowhere', async () => {
  const { site } = await page.run('missing-keys');
  for (const query of [
    '',
    '?user=ada',
    '?token=c0ffee',
    '?user=eve',
    '?user=constructor',
    '?user=ada&token=',
  ]) {
    expect((await requestUpgrade(site, `/inbox${query}`)).status).toBe(403);
  }
  const client = await connect(site, '/inbox?user=ada&token=c0ffee');
  expect(await client.next()).toBe('welcome');
});

test('bytes arrive as text', async () => {
  const { site } = await page.run('bytes-and-text');
  const client = await connect(site, '/bytes');
  expect(await client.next()).toBe('{"written":"by another program"}');
});

test('a loop around wait() reads everything', async () => {
  const { site } = await page.run('is_closed-and-loops-that-read');
  const client = await connect(site, '/loop');
  client.send('one', '', 'three');
  expect(await client.take(3)).toEqual(['one', '', 'three']);
});

test('two loops in one handler', async () => {
  const { site } = await page.run('threads');
  const client = await connect(site, '/both');
  expect(await json(client)).toEqual({ temperature: 20 });
  client.send('hello');
  expect(await client.next()).toBe('you said hello');
});

test('a loop that polls', async () => {
  const { site } = await page.run('busy-loops');
  const client = await connect(site, '/poll');
  client.send('hello');
  expect(await client.next()).toBe('hello');
});

test('each job goes to one waiting worker, and a worker that has left gets none', async () => {
  const { site } = await page.run('blocking-queues');
  const put = (name: string) => request(site, `/jobs/${name}`, { method: 'POST' });
  await put('before');
  const workers = [await connect(site, '/worker')];
  expect(await workers[0]!.next()).toBe('before');
  // More than Node takes for a leak.
  while (workers.length < 12) workers.push(await connect(site, '/worker'));
  for (const worker of workers.splice(0, 10)) await worker.close();
  await Promise.all(['a', 'b', 'c'].map(put));
  for (const worker of workers) await worker.flush();
  expect(workers.flatMap((worker) => worker.unread()).sort()).toEqual(['a', 'b', 'c']);
});

test('outside of the wrapper a status, inside a close code', async () => {
  const { site } = await page.run('the-order-of-decorators');
  expect((await requestUpgrade(site, '/outside')).status).toBe(403);
  expect(await (await connect(site, '/inside')).closed()).toEqual({ code: 4003, reason: 'no' });
  for (const path of ['/outside', '/inside']) {
    expect(await (await connect(site, `${path}?token=secret`)).next()).toBe('welcome');
  }
});

test('HTTP fallback', async () => {
  const { site } = await page.run('http-fallback-on-the-same-view');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await request(site, '/translate', { method: 'POST', headers, body: 'text=hello' });
  expect(answer.body).toBe('HELLO');
  expect((await request(site, '/translate')).body).toMatch('<title>Translate</title>');
  const client = await connect(site, '/translate');
  client.send('hello');
  expect(await client.next()).toBe('HELLO');
});

test('push loop', async () => {
  const { site } = await page.run('push-loop');
  const client = await connect(site, '/figures');
  expect(await json(client)).toEqual({ temperature: 20 });
  expect(await json(client)).toEqual({ temperature: 20 });
});

test('commands', async () => {
  const { site } = await page.run('commands-in-json-or-plain-text');
  const client = await connect(site, '/calculator');
  client.send('{"command":"add","a":1,"b":2}', '{"command":"fly"}', '{"command":"quit"}');
  expect(await json(client)).toEqual({ sum: 3 });
  expect(await json(client)).toEqual({ error: 'there is no command fly' });
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test('commands in plain text', async () => {
  const { site } = await page.run('commands-in-json-or-plain-text', 1);
  const client = await connect(site, '/player');
  client.send('play La Mer', 'stop', 'fly', 'quit');
  expect(await client.take(3)).toEqual(['playing La Mer', 'stopped', 'there is no command fly']);
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test.for(['add', '{"command":1}'])('the command %s does not fit and closes with 1007', async (command) => {
  const { site, reader } = await page.run('commands-in-json-or-plain-text');
  const errors: unknown[] = [];
  const handleError: ErrorRequestHandler = (error, _req, _res, next) => {
    errors.push(error);
    next(error);
  };
  reader.app.use(handleError);
  const client = await connect(site, '/calculator');
  client.send(command);
  expect(await client.closed()).toMatchObject({ code: 1007 });
  // A handler that fails would have reached it before this answer.
  expect((await request(site, '/calculator')).status).toBe(400);
  expect(errors).toEqual([]);
});

test('parameters', async () => {
  const { site } = await page.run('parameters-of-the-path-and-the-query');
  expect(await (await connect(site, '/rooms/red/7')).next()).toBe('page 7 of red since ever');
  expect(await (await connect(site, '/rooms/red/7?since=May')).next()).toBe('page 7 of red since May');
});

test('login', async () => {
  const { site } = await page.run('login-user-session');
  expect(await requestUpgrade(site, '/account')).toMatchObject({ status: 401, body: 'log in first' });
  const { headers } = await request(site, '/login');
  const cookie = headers['set-cookie']![0]!.split(';')[0]!;
  for (const greeting of ['visit 1', 'visit 2']) {
    const client = await connect(site, '/account', { headers: { cookie } });
    expect(await client.next()).toBe(greeting);
    await client.closed();
  }
});

test('broadcast', async () => {
  const { site } = await page.run('broadcast');
  const [ada, bob, eve] = [
    await connect(site, '/chat/red'),
    await connect(site, '/chat/red'),
    await connect(site, '/chat/blue'),
  ];
  ada.send('hello');
  expect([await ada.next(), await bob.next()]).toEqual(['hello', 'hello']);
  await eve.flush();
  expect(eve.unread()).toEqual([]);
});

test('private messages', async () => {
  const { site } = await page.run('private-messages');
  const [ada, page1, page2] = [
    await connect(site, '/talk/ada'),
    await connect(site, '/talk/bob'),
    await connect(site, '/talk/bob'),
  ];
  ada.send('{"to":"nobody","text":"?"}', '{"to":"bob","text":"hello"}');
  const letter = { from: 'ada', text: 'hello' };
  expect([await json(page1), await json(page2)]).toEqual([letter, letter]);
});

test('bridge', async () => {
  const remote = net.createServer((socket) => socket.pipe(socket)).listen(0, 'localhost');
  onTestFinished(() => void remote.close());
  await once(remote, 'listening');
  const { site } = await page.run('two-way-bridge');
  const client = await connect(site, `/telnet/${(remote.address() as AddressInfo).port}`);
  const [socket] = (await once(remote, 'connection')) as [net.Socket];
  client.send('hello');
  expect(await client.next()).toBe('hello');
  const left = once(socket, 'close');
  await client.close();
  await left;
});

test('log tail', async () => {
  const { site } = await page.run('log-tail-output-of-a-command');
  const client = await connect(site, '/log');
  expect(await client.next()).toBe('GET /home/ 200\nGET /echo/ 101\n');
});

test('output of a command that ends', async () => {
  const { site } = await page.run('log-tail-output-of-a-command', 1);
  const client = await connect(site, '/version');
  expect(await client.take(2)).toEqual([expect.stringMatching(/^v\d+\.\d+\.\d+$/), 'exit code 0']);
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test('event source in the process', async () => {
  const { site, reader } = await page.run('event-source');
  const client = await connect(site, '/prices');
  await client.flush();
  reader.prices.emit('change', 42);
  expect(await client.next()).toBe('42');
  const forgotten = once(reader.prices, 'removeListener');
  await client.close();
  await forgotten;
  expect(reader.prices.listenerCount('change')).toBe(0);
});

test('event source that calls a function', async () => {
  const { site, reader } = await page.run('event-source', 1);
  const client = await connect(site, '/news');
  await client.flush();
  reader.broker.channels.emit('news', 'rain');
  expect(await client.next()).toBe('rain');
  const forgotten = once(reader.broker.channels, 'removeListener');
  await client.close();
  await forgotten;
  expect(reader.broker.channels.listenerCount('news')).toBe(0);
});

test('one message in', async () => {
  const { site } = await page.run('one-message-in-then-act');
  const client = await connect(site, '/order');
  client.send('tea');
  expect(await client.next()).toBe('placed: tea');
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test('progress', async () => {
  const { site } = await page.run('progress-then-close');
  const client = await connect(site, '/import');
  expect(await client.take(4)).toEqual(['25 %', '50 %', '75 %', '100 %']);
  expect(await client.closed()).toMatchObject({ code: 1000 });
});

test('an HTTP view that pushes', async () => {
  const { site } = await page.run('an-http-view-that-pushes');
  const screen = await connect(site, '/orders/7');
  const other = await connect(site, '/orders/8');
  expect((await request(site, '/orders/7/paid', { method: 'POST' })).status).toBe(200);
  expect(await screen.next()).toBe('paid');
  await other.flush();
  expect(other.unread()).toEqual([]);
});

test('methods of a class', async () => {
  const { site } = await page.run('methods-of-a-class');
  const client = await connect(site, '/counter');
  client.send('', '');
  expect(await client.take(2)).toEqual(['1', '2']);
});

test('timed wait', async () => {
  const { site } = await page.run('timed-wait');
  const client = await connect(site, '/quiz');
  expect(await client.next()).toBe('2 + 2?');
  client.send('4');
  expect(await client.next()).toBe('thanks');
});

test('images', async () => {
  const { site, reader } = await page.run('images-and-audio');
  const client = await connect(site, '/photos');
  const photo = Buffer.alloc(3 * 2 ** 20, 'x');
  client.send(photo);
  expect(await client.next()).toBe(`${photo.length} bytes`);
  expect(reader.photos.map((saved) => saved.equals(photo))).toEqual([true]);
  client.send('text');
  expect(await client.closed()).toMatchObject({ code: 1003 });
});

page.testCompleteness();
