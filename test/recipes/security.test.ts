import express, { type Request, type RequestHandler } from 'express';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { addRooms } from './access.js';
import { bearerFromProtocol } from './bearer-protocol.js';
import { authenticate } from './first-message.js';
import { onlyHosts } from './hosts.js';
import { addChat } from './limits.js';
import { giveTicket, takeTicket } from './tickets.js';
import { readUntilExpiry } from './token-expiry.js';

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

test('an address may have 50 websockets, a user of it 5, and each of them 20 messages a second', async () => {
  const app = express();
  app.set('trust proxy', 'loopback');
  let received = 0;
  const logIn: RequestHandler = (req, res, next) => {
    res.locals.user = req.get('x-user');
    next();
  };
  addChat(app, logIn, async ({ websocket }) => {
    for await (const message of websocket) received += message.length;
  });
  const site = await serve(app);
  const by = (user: string, address = '192.0.2.1') => ({ 'x-user': user, 'x-forwarded-for': address });
  const start = performance.now();
  for (let user = 0; user < 10; user++) {
    for (let i = 0; i < 5; i++) {
      const client = await connect(site, '/chat', { headers: by(`user ${user}`) });
      if (i === 0) client.send(...Array.from({ length: 100 }, () => 'x'));
    }
  }
  const second = await requestUpgrade(site, '/chat', by('user 0', '192.0.2.2'));
  expect([second.status, second.body]).toEqual([429, expect.stringContaining('5 websockets')]);
  const tooMany = await requestUpgrade(site, '/chat', by('user 10'));
  expect([tooMany.status, tooMany.body]).toEqual([429, expect.stringContaining('50 websockets')]);
  await connect(site, '/chat', { headers: by('user 10', '192.0.2.2') });
  const seconds = (performance.now() - start) / 1_000;
  expect(received).toBeLessThanOrEqual(10 * (21 + 20 * seconds));
});

test('a websocket lives as long as its token, and a new token prolongs it', async () => {
  const app = express();
  const tokens: Record<string, { sub: string; life: number }> = {
    long: { sub: 'ada', life: 3_600 },
    soon: { sub: 'ada', life: 0.05 },
    old: { sub: 'ada', life: -1 },
    foreign: { sub: 'eve', life: 3_600 },
  };
  const verify = (token: string) => {
    if (!(token in tokens)) return undefined;
    const { sub, life } = tokens[token]!;
    return { sub, exp: Date.now() / 1_000 + life };
  };
  const read: unknown[] = [];
  app.get(
    '/:token',
    requireWebsocket(async ({ params, websocket }) => {
      for await (const message of readUntilExpiry(websocket, verify(params.token!)!, verify)) {
        read.push(message);
        websocket.send(message);
      }
    }),
  );
  const site = await serve(app);
  const renewed = await connect(site, '/long');
  const expiring = await connect(site, '/long');
  const invalid = await connect(site, '/long');
  const foreign = await connect(site, '/long');
  renewed.send('token soon', 'token long', 'hello');
  expiring.send('token soon');
  invalid.send('token wrong');
  foreign.send('token foreign', 'delete all');
  expect(await renewed.next()).toBe('hello');
  expect(await invalid.closed()).toEqual({ code: 4401, reason: 'the token is not valid' });
  expect(await foreign.closed()).toEqual({ code: 4401, reason: 'the token is not valid' });
  expect(read).not.toContain('delete all');
  expect(await expiring.closed()).toEqual({ code: 3000, reason: 'the token has expired' });
  expect(await (await connect(site, '/old')).closed()).toEqual({
    code: 3000,
    reason: 'the token has expired',
  });
  renewed.send('still here');
  expect(await renewed.next()).toBe('still here');
});
