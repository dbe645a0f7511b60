import express, { type Request } from 'express';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { addRooms } from './access.js';
import { bearerFromProtocol } from './bearer-protocol.js';
import { authenticate } from './first-message.js';
import { onlyHosts } from './hosts.js';
import { limitOpen, limitRate } from './limits.js';
import { giveTicket, takeTicket } from './tickets.js';

const findUser = (token: string) => (token === 'eyJ.good-token_1' ? 'ada' : undefined);
const greet = ({ websocket, res }: Pick<Request, 'res'> & { websocket: Websocket }) => {
  websocket.send(`hello ${String(res?.locals.user)}`);
};

test('only members on pages of the named origins may connect', async () => {
  const app = express();
  addRooms(app, async (cookie, room) => cookie === 'user=ada' && room === 'red');
  const site = await serve(app);
  const ask = (path: string, origin: string, cookie = 'user=ada') =>
    requestUpgrade(site, path, { origin, cookie });

  for (const origin of ['https://example.org', 'https://shop.example.org']) {
    const client = await connect(site, '/rooms/red', { origin, headers: { cookie: 'user=ada' } });
    client.send('hello');
    expect(await client.next()).toBe('hello');
  }
  expect(await ask('/rooms/blue', 'https://example.org')).toMatchObject({
    status: 403,
    body: 'for members only',
  });
  expect((await ask('/rooms/red', 'https://example.org', 'user=eve')).status).toBe(403);
  for (const origin of [
    'http://example.org',
    'https://example.org.evil.test',
    'https://a.b.example.org',
    'null',
  ]) {
    const { status, body } = await ask('/rooms/red', origin);
    expect([status, body]).toEqual([403, expect.stringContaining('is not allowed here')]);
  }
});

test('a page whose name was rebound to this server gets in by default, and not where hosts or origins are named', async () => {
  const app = express();
  const hello = requireWebsocket(({ websocket }) => void websocket.send('hello'));
  app.get('/default', hello);
  app.get(
    '/origins',
    requireWebsocket(() => expect.unreachable(), { origins: ['http://localhost:8000'] }),
  );
  app.use(onlyHosts(['localhost', '127.0.0.1']));
  app.get('/hosts', hello);
  const site = await serve(app);
  const rebound = { origin: 'http://evil.test', headers: { host: 'evil.test' } };

  expect(await (await connect(site, '/default', rebound)).next()).toBe('hello');
  await expect(connect(site, '/origins', rebound)).rejects.toThrow('403');
  await expect(connect(site, '/hosts', rebound)).rejects.toThrow('421');
  const { status } = await request(site, '/hosts', { headers: { host: 'evil.test' } });
  expect(status).toBe(421);
  expect(await (await connect(site, '/hosts')).next()).toBe('hello');
});

test('a ticket opens one websocket, and no second one', async () => {
  const app = express();
  app.post(
    '/ticket',
    (req, res, next) => {
      res.locals.user = findUser(req.get('Authorization')?.replace('Bearer ', '') ?? '');
      if (res.locals.user === undefined) res.sendStatus(401);
      else next();
    },
    giveTicket,
  );
  app.get('/chat', takeTicket, requireWebsocket(greet));
  const site = await serve(app);
  const ask = (authorization: string) =>
    request(site, '/ticket', { method: 'POST', headers: { authorization } });
  expect((await ask('Bearer wrong')).status).toBe(401);
  const { body, headers } = await ask('Bearer eyJ.good-token_1');
  expect(headers['cache-control']).toBe('no-store');
  const { ticket } = JSON.parse(body) as { ticket: string };

  const client = await connect(site, `/chat?ticket=${ticket}`);
  expect(await client.next()).toBe('hello ada');
  expect((await requestUpgrade(site, `/chat?ticket=${ticket}`)).status).toBe(401);
  expect((await requestUpgrade(site, '/chat')).status).toBe(401);
  expect((await requestUpgrade(site, '/chat?ticket=a&ticket=b')).status).toBe(401);
});

test('a token among the subprotocols is taken, and the answer does not repeat it', async () => {
  const app = express();
  app.get('/chat', bearerFromProtocol(findUser), requireWebsocket(greet, { protocols: ['chat'] }));
  const site = await serve(app);
  for (const protocols of [
    ['chat', 'bearer.eyJ.good-token_1'],
    ['bearer.eyJ.good-token_1', 'chat'],
  ]) {
    const client = await connect(site, '/chat', { protocols });
    expect(client.ws.protocol).toBe('chat');
    expect(JSON.stringify(client.headers)).not.toContain('good-token');
    expect(await client.next()).toBe('hello ada');
  }
  for (const protocols of ['chat', 'chat, bearer.wrong', 'notbearer.eyJ.good-token_1']) {
    expect((await requestUpgrade(site, '/chat', { 'sec-websocket-protocol': protocols })).status).toBe(401);
  }
});

test('a token as the first message lets in, anything else closes with 4401', async () => {
  const app = express();
  app.get(
    '/chat',
    requireWebsocket(async (req) => {
      const user = await authenticate(req.websocket, findUser);
      if (user === undefined) return;
      req.websocket.send(`hello ${user}`);
      await req.websocket.wait();
    }),
  );
  const site = await serve(app);
  const client = await connect(site, '/chat');
  client.send('eyJ.good-token_1');
  expect(await client.next()).toBe('hello ada');
  for (const first of ['wrong', Buffer.from('eyJ.good-token_1')]) {
    const other = await connect(site, '/chat');
    other.send(first);
    expect(await other.closed()).toEqual({ code: 4401, reason: 'send your token first' });
  }
});

test('an address may have a limited number of websockets at a time, and a new one when one ends', async () => {
  const app = express();
  app.set('trust proxy', 'loopback');
  app.get(
    '/chat',
    limitOpen(2),
    requireWebsocket((req) => req.websocket.wait()),
  );
  const site = await serve(app);
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const [first] = [
    await connect(site, '/chat', { headers: from('192.0.2.1') }),
    await connect(site, '/chat', { headers: from('192.0.2.1') }),
  ];
  expect((await requestUpgrade(site, '/chat', from('192.0.2.1'))).status).toBe(429);
  await connect(site, '/chat', { headers: from('192.0.2.2') });

  await first.close();
  // The place is free when the server has seen the end, which is after the client has.
  let isOpen = false;
  while (!isOpen) {
    isOpen = await connect(site, '/chat', { headers: from('192.0.2.1') }).then(
      () => true,
      () => false,
    );
  }
  expect((await requestUpgrade(site, '/chat', from('192.0.2.1'))).status).toBe(429);
});

test('a client that exceeds the rate is closed with 1008, after the messages that the rate allows', async () => {
  const app = express();
  app.get(
    '/chat',
    requireWebsocket(async (req) => {
      for await (const message of limitRate(req.websocket, 10)) req.websocket.send(message);
    }),
  );
  const client = await connect(await serve(app), '/chat');
  client.send(...Array.from({ length: 100 }, (_, i) => String(i)));
  expect(await client.closed()).toEqual({ code: 1008, reason: 'too many messages' });
  const echoed = client.unread();
  expect(echoed.length).toBeGreaterThanOrEqual(10);
  expect(echoed.length).toBeLessThan(100);
});
