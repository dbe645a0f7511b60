import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import cookieParser from 'cookie-parser';
import express from 'express';
import session from 'express-session';
import supertest from 'supertest';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { acceptWebsocket, openWebsockets, requireWebsocket } from 'dwebsocket';
import { closeClients, connect, TestClient, type Target } from 'dwebsocket/testing';
import { FRAMEWORKS } from '../support/frameworks.js';
import { CERTIFICATE, listen } from '../support/serve.js';

afterEach(closeClients);

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
});

async function expectEcho(target: Target, path?: string): Promise<void> {
  const client = await connect(target, path);
  client.send('hello');
  expect(await client.wait()).toBe('hello');
  await client.close();
}

describe('a target can be', () => {
  test.for(FRAMEWORKS)('an app of %s', async ([, build]) => {
    const { app, route } = build();
    route('/echo', echo);
    await expectEcho(app, '/echo');
  });

  test('a request listener', async () => {
    await expectEcho((req: http.IncomingMessage, res: http.ServerResponse) => {
      echo(req, res);
    });
  });

  test('a wrapped handler', async () => {
    await expectEcho(echo);
  });

  test('a server that does not listen', async () => {
    const server = http.createServer(echo);
    await expectEcho(server);
    expect(server.listening).toBe(false);
  });

  test('an https server that does not listen', async () => {
    let isSecure: boolean | undefined;
    const app = express();
    app.get('/', (req, res, next) => {
      isSecure = req.secure;
      echo(req, res, next);
    });
    await expectEcho(https.createServer(CERTIFICATE, app));
    expect(isSecure).toBe(true);
  });

  test.for(['127.0.0.1', '0.0.0.0', '::'])('a server that listens on %s', async (host) => {
    const server = http.createServer(echo).listen(0, host);
    await listen(server);
    await expectEcho(server);
  });

  test('an https server that listens, with a self-signed certificate', async () => {
    const { server } = await listen(https.createServer(CERTIFICATE, echo));
    await expectEcho(server);
  });

  test('a server that listens on a path', async () => {
    const server = http.createServer(echo).listen(join(tmpdir(), `dwebsocket-${process.pid}.sock`));
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await expectEcho(server);
  });

  test.for(['http', 'ws'])('a URL of %s', async (scheme) => {
    const app = express();
    app.get('/echo', echo);
    const { port } = await listen(http.createServer(app));
    await expectEcho(`${scheme}://127.0.0.1:${port}`, '/echo');
    await expectEcho(`${scheme}://127.0.0.1:${port}/echo`);
    await expectEcho(new URL(`${scheme}://127.0.0.1:${port}/echo`));
  });

  test('a URL of https, whose certificate must be valid unless rejectUnauthorized is false', async () => {
    const { port } = await listen(https.createServer(CERTIFICATE, echo));
    const url = `https://localhost:${port}`;
    await expect(connect(url)).rejects.toThrow(/self-signed certificate/);
    const client = await connect(url, '/', { rejectUnauthorized: false });
    await client.close();
  });

  test('no other value', async () => {
    await expect(connect({} as Target)).rejects.toThrow(
      'connect() takes an app, a request listener, an http.Server, an https.Server or a URL; got an object',
    );
    await expect(connect('ftp://localhost')).rejects.toThrow(
      'connect() takes a URL of ws, wss, http or https',
    );
  });
});

describe('the route sees', () => {
  /** Connects, and returns what `see` reads from the request of the route. */
  async function readFromRequest<T>(
    see: (req: express.Request) => T,
    path = '/',
    options: Parameters<typeof connect>[2] = {},
  ): Promise<T> {
    let seen!: T;
    const app = express();
    app.use(cookieParser());
    app.use((req, res, next) => {
      seen = see(req);
      echo(req, res, next);
    });
    const client = await connect(app, path, options);
    await client.close();
    return seen;
  }

  test('the path and the query', async () => {
    expect(await readFromRequest((req) => [req.path, req.query], '/a/b?name=ada')).toEqual([
      '/a/b',
      { name: 'ada' },
    ]);
    expect(await readFromRequest((req) => req.path, 'a')).toBe('/a');
    expect(await readFromRequest((req) => req.originalUrl, '//a')).toBe('//a');
  });

  test('headers', async () => {
    const headers = { authorization: 'Bearer 1', cookie: 'a=1; b=2', 'x-list': ['1', '2'] };
    const seen = await readFromRequest(
      (req) => [req.get('authorization'), req.cookies, req.get('x-list')],
      '/',
      {
        headers,
      },
    );
    expect(seen).toEqual(['Bearer 1', { a: '1', b: '2' }, '1, 2']);
  });

  test('the Set-Cookie headers of another response as cookies', async () => {
    const cookie = ['a=1; Path=/; HttpOnly', 'b=2; Path=/'];
    expect(await readFromRequest((req) => req.cookies, '/', { headers: { cookie } })).toMatchObject({
      a: '1',
      b: '2',
    });
  });

  test('a peer on this machine, with an ordinary socket', async () => {
    const seen = await readFromRequest((req) => {
      req.socket.setNoDelay().setKeepAlive().setTimeout(0).ref().unref();
      const { ip, protocol, socket } = req;
      return { ip, protocol, port: socket.remotePort, bytesRead: socket.bytesRead, state: socket.readyState };
    });
    const port = expect.any(Number);
    expect(seen).toEqual({ ip: '127.0.0.1', protocol: 'http', port, bytesRead: port, state: 'open' });
  });

  test('no Origin header, or the given one', async () => {
    expect(await readFromRequest((req) => req.get('origin'))).toBeUndefined();
    expect(await readFromRequest((req) => req.get('origin'), '/', { origin: 'http://localhost' })).toBe(
      'http://localhost',
    );
  });
});

describe('the client sees', () => {
  test('the headers of the 101', async () => {
    const app = express();
    app.use(session({ secret: 'x', resave: false, saveUninitialized: true }));
    app.get('/', echo);
    const client = await connect(app, '/');
    expect(client.headers).toMatchObject({
      upgrade: 'websocket',
      'x-powered-by': 'Express',
      'set-cookie': [expect.stringContaining('connect.sid=')],
    });
  });

  test('the subprotocol', async () => {
    const route = requireWebsocket((req) => req.websocket.wait(), { protocols: ['chat'] });
    expect((await connect(route, '/', { protocols: ['superchat', 'chat'] })).protocol).toBe('chat');
  });

  test('no subprotocol if the route selects none, as RFC 6455 allows', async () => {
    const client = await connect(echo, '/', { protocols: ['chat'] });
    expect(client.protocol).toBe('');
    client.send('hello');
    expect(await client.wait()).toBe('hello');
  });

  test('messages that the route sends at once', async () => {
    const client = await connect(
      requireWebsocket(async (req) => {
        req.websocket.send('first');
        req.websocket.send(Buffer.from([2]));
      }),
    );
    expect(await client.wait()).toBe('first');
    expect(await client.wait()).toEqual(Buffer.from([2]));
    expect(await client.wait()).toBeNull();
  });
});

describe('with a supertest agent', () => {
  const app = express();
  app.use(session({ secret: 'x', resave: false, saveUninitialized: false, rolling: true, name: 'sid' }));
  app.post('/login', (req, res) => {
    Object.assign(req.session, { user: 'ada' });
    res.end();
  });
  app.get('/me', (req, res) => {
    res.json(req.session);
  });
  const mustBeLoggedIn: express.RequestHandler = (req, res, next) => {
    if ('user' in req.session) next();
    else res.status(401).json({ error: 'log in first' });
  };
  app.get(
    '/chat',
    mustBeLoggedIn,
    acceptWebsocket(async (req) => {
      req.websocket!.send((req.session as unknown as { user: string }).user);
    }),
  );
  app.get('/visit', (req, res, next) => {
    Object.assign(req.session, { visited: true });
    echo(req, res, next);
  });

  test('its cookies are sent', async () => {
    const agent = supertest.agent(app);
    await agent.post('/login').expect(200);
    const client = await connect(app, '/chat', { agent });
    expect(await client.wait()).toBe('ada');
  });

  test('its cookies are added to those of the headers', async () => {
    const agent = supertest.agent(app);
    await agent.post('/login').expect(200);
    const client = await connect(app, '/chat', { agent, headers: { Cookie: 'theme=dark' } });
    expect(await client.wait()).toBe('ada');
  });

  test('its secure cookies are sent only over TLS', async () => {
    const agent = supertest.agent(app);
    agent.jar.setCookie('a=1; Secure', '127.0.0.1', '/');
    const listener: http.RequestListener = (req, res) => res.end(req.headers.cookie ?? 'none');
    const plain = connect(http.createServer(listener), '/', { agent });
    await expect(plain).rejects.toMatchObject({ body: 'none' });
    const secure = connect(https.createServer(CERTIFICATE, listener), '/', { agent });
    await expect(secure).rejects.toMatchObject({ body: 'a=1' });
  });

  test('a new agent sends no cookies', async () => {
    await expect(connect(app, '/chat', { agent: supertest.agent(app) })).rejects.toMatchObject({
      status: 401,
    });
  });

  test('it stores the cookies of the 101', async () => {
    const agent = supertest.agent(app);
    const client = await connect(app, '/visit', { agent });
    await client.close();
    const { body } = await agent.get('/me').expect(200);
    expect(body).toMatchObject({ visited: true });
  });

  test('a value that is not an agent throws', async () => {
    const agent = supertest(app) as never;
    await expect(connect(app, '/chat', { agent })).rejects.toThrow(
      /option "agent" must be a supertest agent/,
    );
  });
});

describe('a refused handshake', () => {
  test('rejects with status, headers and body', async () => {
    const app = express();
    app.get('/private', (_req, res) => {
      res.status(401).set('www-authenticate', 'Bearer').json({ error: 'log in first' });
    });
    await expect(connect(app, '/private')).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_HANDSHAKE',
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
      body: '{"error":"log in first"}',
      message:
        'expected /private to become a websocket; it was answered with 401 Unauthorized: {"error":"log in first"}',
    });
  });

  test('shows the text of an HTML page', async () => {
    const error = (await connect(express(), '/nope').catch((reason: unknown) => reason)) as Error;
    expect(error.message).toBe(
      'expected /nope to become a websocket; it was answered with 404 Not Found: Cannot GET /nope',
    );
    expect(error).toMatchObject({ body: expect.stringMatching(/^<!DOCTYPE html>/) });
  });

  test('does not follow a redirect', async () => {
    const app = express();
    app.get('/old', (_req, res) => {
      res.redirect('/new');
    });
    await expect(connect(app, '/old')).rejects.toMatchObject({ status: 302, headers: { location: '/new' } });
  });

  test('shows the received part of a body that never ends', async () => {
    const app = express();
    app.get('/events', (_req, res) => {
      res.type('text/event-stream').write('data: 1\n\n');
    });
    await expect(connect(app, '/events', { deadline: 50 })).rejects.toMatchObject({
      status: 200,
      body: 'data: 1\n\n',
    });
  });

  test('contains a long body completely', async () => {
    const app = express();
    app.get('/long', (_req, res) => {
      res.status(500).send('x'.repeat(1_000_000));
    });
    const error = (await connect(app, '/long').catch((reason: unknown) => reason)) as Error & {
      body: string;
    };
    expect(error.body).toHaveLength(1_000_000);
    expect(error.message.length).toBeLessThan(500);
  });

  test('also results from the origins of the route', async () => {
    await expect(connect(echo, '/', { origin: 'https://elsewhere.test' })).rejects.toMatchObject({
      status: 403,
    });
  });
});

describe('a handshake that is not answered', () => {
  test('rejects at the deadline, and says what may be wrong', async () => {
    const app = express();
    app.use(() => {});
    await expect(connect(app, '/chat?a=1', { deadline: 20 })).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message:
        'expected /chat?a=1 to become a websocket within 20 ms; ' +
        'nothing came: does a middleware forget to call next(), or a route to answer?',
    });
  });

  test('rejects when the server closes the connection', async () => {
    const app = express();
    app.use((req) => {
      req.socket.destroy();
    });
    await expect(connect(app, '/')).rejects.toThrow(
      'expected / to become a websocket within 1000 ms; the server closed the connection',
    );
  });

  test('rejects when no server listens', async () => {
    const unused = net.createServer().listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as net.AddressInfo;
    unused.close();
    await once(unused, 'close');
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message: expect.stringContaining('ECONNREFUSED'),
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('has the line of the test in its stack', async () => {
    const error = (await connect(express(), '/nope').catch((reason: unknown) => reason)) as Error;
    expect(error.stack!.split('\n')[1]).toContain('connect.test.ts');
  });
});

test('several clients of one app share a server', async () => {
  const seen = new Set<unknown>();
  const app = express();
  app.get('/', (req, res, next) => {
    seen.add((req.socket as unknown as { server: unknown }).server);
    echo(req, res, next);
  });
  await Promise.all([connect(app, '/'), connect(app, '/'), connect(app, '/')]);
  expect(seen.size).toBe(1);
  expect(openWebsockets([...seen][0] as http.Server).size).toBe(3);
});

test('closing the server closes its clients', async () => {
  const server = http.createServer(echo);
  const client = await connect(server);
  server.close();
  expect(await client.closed).toMatchObject({ code: 1001 });
});

test.for([
  [{ deadline: 0 }, 'option "deadline" must be whole milliseconds from 1 to 2 ** 31 - 1; got the number 0'],
  [{ protocols: 'chat' }, 'option "protocols" must be a list such as [\'chat\']; got the string "chat"'],
  [{ maxPayload: 0 }, 'option "maxPayload" must be a whole number of bytes'],
  [{ heartbeat: 1 }, 'unknown option "heartbeat"; known options: messages, sends, invalid, maxPayload,'],
  [{ cookie: 'a=1' }, 'unknown option "cookie"; known options: messages, sends, invalid, maxPayload,'],
] as const)('the option %o throws', async ([options, message]) => {
  await expect(connect(echo, '/', options as never)).rejects.toThrow(message);
});

test('the client is an instance of TestClient', async () => {
  expect(await connect(echo)).toBeInstanceOf(TestClient);
});
