import { once } from 'node:events';
import { createServer } from 'node:http';
import express, { type Request, type RequestHandler } from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  attachWebsocket,
  limitOpen,
  passUpgrade,
  requireWebsocket,
  websocketMiddleware,
  type LimitOpenOptions,
  type Websocket,
} from 'dwebsocket';
import { connect as connectInMemory } from 'dwebsocket/testing';
import { WebSocketServer } from 'ws';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { connectRaw, openRaw } from '../support/raw-client.js';
import { close } from '../support/raw-frames.js';
import { request, requestUpgrade } from '../support/request.js';
import { listen, serve, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { openSession, requestWebsocket } from '../support/http2-tunnel.js';
import { serveHttp2 } from '../http2/serve-http2.js';

const waiting = requireWebsocket(async ({ websocket }) => {
  while ((await websocket.wait()) !== null);
});

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

/** Opens a websocket as soon as a place is free: the server may notice the end of another one later than its client. */
async function connectWhenFree(
  site: Site,
  path = '/',
  headers: Record<string, string> = {},
): Promise<Client> {
  const open = async (): Promise<Client> => {
    for (;;) {
      const client = await connect(site, path, { headers }).catch(() => undefined);
      if (client !== undefined) return client;
    }
  };
  return within(open(), `free place for ${path}`);
}

/** Checks that one place of one is free, and that it is the only one. */
async function expectOneFree(site: Site, path = '/'): Promise<void> {
  const client = await connectWhenFree(site, path);
  // Whatever still ends must not free a second place.
  await turns(20);
  expect((await requestUpgrade(site, path)).status).toBe(429);
  await client.close();
}

describe.for(FRAMEWORKS)('on %s', ([, build]) => {
  test('a websocket above the limit gets 429, and its place is free when another one ends', async () => {
    const { app, use, route } = build();
    use(limitOpen({ max: 2 }) as RequestHandler);
    route('/', waiting);
    const site = await serve(app);
    const first = await connect(site);
    await connect(site);
    const refused = await requestUpgrade(site, '/');
    expect(refused).toMatchObject({
      status: 429,
      body: 'this client may have 2 websockets open at the same time; close one, or try again later\n',
    });
    expect(refused.headers).toMatchObject({ 'retry-after': '30', connection: 'close' });
    await first.close();
    await connectWhenFree(site);
    expect((await requestUpgrade(site, '/')).status).toBe(429);
  });

  test('plain HTTP does not count, and passes a full limit', async () => {
    const { app, use, route } = build();
    use(limitOpen({ max: 1 }) as RequestHandler);
    route('/', waiting);
    const site = await serve(app);
    for (let i = 0; i < 3; i++) expect((await request(site, '/')).status).toBe(400);
    await connect(site);
    expect((await request(site, '/')).status).toBe(400);
  });

  test('a failed by goes to the error handlers', async () => {
    const { app, use, route, onError } = build();
    const errors = new Inbox<unknown>();
    use(limitOpen({ max: 1, by: () => Promise.reject(new Error('no database')) }) as RequestHandler);
    route('/', waiting);
    onError((error) => errors.push(error));
    const site = await serve(app);
    expect((await requestUpgrade(site, '/')).status).toBe(500);
    expect(await errors.next()).toMatchObject({ message: 'no database' });
  });
});

test('works on a bare server', async () => {
  const limit = limitOpen({ max: 1 });
  const site = await serve((req, res) => limit(req, res, () => waiting(req, res)));
  await connect(site);
  expect((await requestUpgrade(site, '/')).status).toBe(429);
});

test('works in memory, over HTTP/2 and over TLS', async () => {
  const app = express();
  app.get('/', limitOpen({ max: 1 }), waiting);
  const inMemory = await connectInMemory(app, '/');
  await expect(connectInMemory(app, '/')).rejects.toThrow('429');
  await inMemory.close();

  const secure = await serve(app, { tls: true });
  const client = await connectWhenFree(secure);
  expect((await requestUpgrade(secure, '/')).status).toBe(429);
  await client.vanish();

  const site = await serveHttp2(app as never);
  const session = await openSession(site.url);
  onTestFinished(() => {
    session.destroy();
  });
  const ask = async () => {
    const stream = requestWebsocket(session, '/');
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    return { stream, status: headers[':status'], retryAfter: headers['retry-after'] };
  };
  let first = await ask();
  while (first.status !== 200) first = await ask();
  expect(await ask()).toMatchObject({ status: 429, retryAfter: '30' });
  first.stream.close();
  let second = await ask();
  while (second.status !== 200) second = await ask();
  expect((await ask()).status).toBe(429);
});

describe('a place is free again, once, after', () => {
  type Fail = (site: Site) => Promise<unknown>;
  const refused =
    (status: number, path: string, headers = {}) =>
    async (site: Site) => {
      expect((await requestUpgrade(site, path, headers)).status).toBe(status);
    };

  const undecided = new Inbox<() => void>();
  const passed = new WebSocketServer({ noServer: true });

  function build(): Site['server'] {
    const app = express();
    app.use(limitOpen({ max: 1 }));
    app.get('/', waiting);
    app.get('/members', (_req, res) => void res.sendStatus(403));
    app.get('/broken', (_req, _res, next) => next(new Error('broken')));
    app.get('/late', (_req, _res, next) => undecided.push(next), waiting);
    app.get('/never', () => {});
    app.get(
      '/fails',
      requireWebsocket(() => Promise.reject(new Error('failed'))),
    );
    app.get(
      '/library',
      requireWebsocket(({ websocket }) => {
        websocket.handOver().on('message', () => {});
      }),
    );
    app.get(
      '/passed',
      passUpgrade((req, socket, head) => {
        passed.handleUpgrade(req, socket, head, () => {});
      }),
    );
    app.get(
      '/passed-and-broken',
      passUpgrade(() => {
        throw new Error('broken');
      }),
    );
    app.use('/all', websocketMiddleware({ acceptAll: true }));
    app.get('/all/plain', (_req, res) => void res.send('plain'));
    app.get('/all/refused', (req, res) => {
      expect((req as Request & { websocket: Websocket }).websocket.isClosed()).toBe(true);
      res.end();
    });
    app.get('/all/talks', (req, res) => {
      (req as Request & { websocket: Websocket }).websocket.send('hello');
      res.end();
    });
    app.use((_error: unknown, _req: unknown, res: express.Response, _next: unknown) => {
      res.sendStatus(500);
    });
    const server = createServer(app);
    attachWebsocket(server, { handshakeTimeout: 100 });
    return server;
  }

  const WAYS: readonly (readonly [name: string, fail: Fail])[] = [
    ['a later middleware has refused', refused(403, '/members')],
    ['the wrapper has refused the origin', refused(403, '/', { origin: 'https://evil.test' })],
    ['the wrapper has refused the version', refused(426, '/', { 'sec-websocket-version': '8' })],
    ['the wrapper has refused the key', refused(400, '/', { 'sec-websocket-key': 'short' })],
    ['no route was found', refused(404, '/nowhere')],
    ['next(error)', refused(500, '/broken')],
    ['nobody has answered in time', refused(503, '/never')],
    ['an answer over plain HTTP', refused(200, '/all/plain')],
    ['a refusal that acceptAll has sent', refused(403, '/all/refused', { origin: 'https://evil.test' })],
    [
      'the client has reset its connection while a middleware decides',
      async (site) => {
        const client = await connectRaw(site.port, { path: '/late' });
        const next = await undecided.next();
        client.reset();
        await client.end();
        next();
      },
    ],
    [
      'the client has closed',
      async (site) => {
        await (await connect(site)).close();
      },
    ],
    [
      'the client has vanished',
      async (site) => {
        await (await connect(site)).vanish();
      },
    ],
    [
      'the handler has failed',
      async (site) => {
        expect((await (await connect(site, '/fails')).closed()).code).toBe(1011);
      },
    ],
    [
      'a websocket that was handed over has closed',
      async (site) => {
        await (await connect(site, '/library')).close();
      },
    ],
    [
      'a socket that was passed on has closed',
      async (site) => {
        await (await connect(site, '/passed')).close();
      },
    ],
    [
      'a route for sockets has failed',
      async (site) => {
        await expect(connect(site, '/passed-and-broken')).rejects.toThrow();
      },
    ],
    [
      'a route of acceptAll has ended the response',
      async (site) => {
        const client = await connect(site, '/all/talks');
        expect(await client.next()).toBe('hello');
        expect((await client.closed()).code).toBe(1000);
      },
    ],
  ];

  test.for(WAYS)('%s', async ([, fail]) => {
    watchWarnings();
    const site = await listen(build());
    await fail(site);
    await expectOneFree(site);
  });

  test('the server has closed, with 503 for a pending handshake', async () => {
    const server = build();
    const site = await listen(server);
    const late = await connectRaw(site.port, { path: '/late' });
    const next = await undecided.next();
    const closed = once(server, 'close');
    server.close();
    next();
    expect((await late.response()).status).toBe(503);
    await late.end();
    await within(closed, 'close');
    await expectOneFree(await listen(server));
  });
});

test('a websocket counts until its connection has closed, not until the handler ends the response', async () => {
  watchWarnings();
  const app = express();
  app.get(
    '/',
    limitOpen({ max: 1 }),
    requireWebsocket((_req, res) => void res.end()),
  );
  const site = await serve(app);
  const client = await openRaw(site.port);
  await client.nextFrame();
  expect((await requestUpgrade(site, '/')).status).toBe(429);
  client.write(close(1000));
  await client.end();
  await connectWhenFree(site);
});

test('handshakes under way count', async () => {
  const undecided = new Inbox<() => void>();
  const app = express();
  app.get('/', limitOpen({ max: 2 }), (_req, _res, next) => undecided.push(next), waiting);
  const site = await serve(app);
  const clients = [await connectRaw(site.port), await connectRaw(site.port)];
  const nexts = [await undecided.next(), await undecided.next()];
  expect((await requestUpgrade(site, '/')).status).toBe(429);
  for (const next of nexts) next();
  for (const client of clients) expect((await client.response()).status).toBe(101);
  expect((await requestUpgrade(site, '/')).status).toBe(429);
  for (const client of clients) client.destroy();
});

describe('by', () => {
  const user = (name: string) => ({ 'x-user': name });
  const byUser: LimitOpenOptions['by'] = (req) => req.get('x-user');

  test('says whose websockets count together; undefined and null do not count', async () => {
    const app = express();
    app.get('/', limitOpen({ max: 1, by: byUser }), waiting);
    app.get('/null', limitOpen({ max: 1, by: () => null }), waiting);
    const site = await serve(app);
    await connect(site, '/', { headers: user('ada') });
    await connect(site, '/', { headers: user('bob') });
    expect((await requestUpgrade(site, '/', user('ada'))).status).toBe(429);
    for (let i = 0; i < 3; i++) await connect(site);
    for (let i = 0; i < 3; i++) await connect(site, '/null');
  });

  test('may return a promise; a client that leaves meanwhile does not count', async () => {
    const pending = new Inbox<(key: string) => void>();
    const app = express();
    app.get('/', limitOpen({ max: 1, by: () => new Promise((resolve) => pending.push(resolve)) }), waiting);
    const site = await serve(app);
    const gone = await connectRaw(site.port);
    const resolveGone = await pending.next();
    gone.reset();
    const [socket] = site.sockets;
    // `once` of node:events would reject with the error of the reset.
    if (socket !== undefined) await new Promise((resolve) => socket.once('close', resolve));
    resolveGone('ada');

    const first = await connectRaw(site.port);
    (await pending.next())('ada');
    expect((await first.response()).status).toBe(101);
    const second = await connectRaw(site.port);
    (await pending.next())('ada');
    expect((await second.response()).status).toBe(429);
    first.destroy();
    await second.end();
  });

  test.for<[string, () => string | Promise<string>]>([
    ['returned', () => 'ada'],
    ['promised', () => Promise.resolve('ada')],
  ])('when it has %s a key, a hook that fails for the 429 reaches the error handlers', async ([, by]) => {
    const app = express();
    app.use((_req, res, next) => {
      const { writeHead } = res;
      res.writeHead = (...args: unknown[]): express.Response => {
        if (res.statusCode === 429) throw new Error('broken hook');
        return writeHead.apply(res, args as never);
      };
      next();
    });
    app.get('/', limitOpen({ max: 1, by }), waiting);
    const errors = new Inbox<Error>();
    app.use((error: Error, _req: unknown, res: express.Response, _next: unknown) => {
      errors.push(error);
      res.sendStatus(500);
    });
    const site = await serve(app);
    await connect(site);
    expect((await requestUpgrade(site, '/')).status).toBe(500);
    expect((await errors.next()).message).toBe('broken hook');
  });

  test('gets the response, too', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.locals.user = 'ada';
      next();
    });
    app.get('/', limitOpen({ max: 1, by: (_req, res) => res.locals.user as string }), waiting);
    const site = await serve(app);
    await connect(site);
    expect((await requestUpgrade(site, '/')).status).toBe(429);
  });

  test('must not return an object, whose identity would make each websocket the only one of its key', async () => {
    const app = express();
    app.get('/', limitOpen({ max: 1, by: () => ({ id: 1 }) as never }), waiting);
    const errors = new Inbox<Error>();
    app.use((error: Error, _req: unknown, res: express.Response, _next: unknown) => {
      errors.push(error);
      res.sendStatus(500);
    });
    const site = await serve(app);
    expect((await requestUpgrade(site, '/')).status).toBe(500);
    expect((await errors.next()).message).toBe(
      'the function given to limitOpen as by must return a string, a number, or undefined for no limit; got an object; ' +
        'for an id of MongoDB, return String(id)',
    );
  });

  test('two limits hold at the same time, and a refusal of the second frees the place of the first', async () => {
    const app = express();
    app.get('/', limitOpen({ max: 3 }), limitOpen({ max: 1, by: byUser }), waiting);
    const site = await serve(app);
    await connect(site, '/', { headers: user('ada') });
    for (let i = 0; i < 5; i++) {
      expect((await requestUpgrade(site, '/', user('ada'))).body).toContain('may have 1 websocket open');
    }
    await connectWhenFree(site, '/', user('bob'));
    await connectWhenFree(site, '/', user('cyd'));
    expect((await requestUpgrade(site, '/', user('dan'))).body).toContain('may have 3 websockets open');
  });

  test('the same middleware in two places counts a websocket once', async () => {
    const app = express();
    const limit = limitOpen({ max: 2 });
    app.use(limit);
    app.get('/', limit, waiting);
    const site = await serve(app);
    await connect(site);
    await connect(site);
    expect((await requestUpgrade(site, '/')).status).toBe(429);
  });
});

test('a refusal does not speak of one client where by returns what many share', async () => {
  const app = express();
  app.get('/:room', limitOpen({ max: 1, by: ({ params }: Request) => String(params.room) }), waiting);
  const site = await serve(app);
  await connect(site, '/red');
  expect(await requestUpgrade(site, '/red')).toMatchObject({
    status: 429,
    body: 'all who share this limit may have 1 websocket open at the same time; close one, or try again later\n',
  });
});

describe('the address of a client', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });

  test('is that of Express, with trust proxy; of IPv6 the network counts', async () => {
    const app = express();
    app.set('trust proxy', 'loopback');
    app.get('/', limitOpen({ max: 1 }), waiting);
    const site = await serve(app);
    await connect(site, '/', { headers: from('192.0.2.1') });
    await connect(site, '/', { headers: from('192.0.2.2') });
    await connect(site, '/', { headers: from('2001:db8::1') });
    await connect(site, '/', { headers: from('2001:db8:0:1::1') });
    const again = ['192.0.2.1', '192.0.2.1:4711', '::ffff:192.0.2.2', '2001:db8::ffff:1', '2001:db8:0:1:2::'];
    for (const address of again) expect((await requestUpgrade(site, '/', from(address))).status).toBe(429);
  });

  test('is that of the proxy without trust proxy; a warning says so', async () => {
    const warnings = watchWarnings();
    const app = express();
    app.get('/', limitOpen({ max: 1 }), waiting);
    const site = await serve(app);
    await connect(site, '/', { headers: from('192.0.2.1') });
    expect((await requestUpgrade(site, '/', from('192.0.2.2'))).status).toBe(429);
    const warning = await warnings.next();
    expect(warning.code).toBe('WEBSOCKET_LIMIT_PROXY');
    expect(warning.message).toBe(
      '/: limitOpen has refused a client with 429, by the address 127.0.0.1. If a proxy of yours is there, all its clients ' +
        "count as one: call app.set('trust proxy', …) with its address, or pass the option by. Otherwise ignore this: a " +
        'client has sent the header X-Forwarded-For itself',
    );
    expect((await requestUpgrade(site, '/', from('192.0.2.3'))).status).toBe(429);
    await turns(2);
    expect(warnings.rest()).toEqual([]);
  });

  test('may be unknown; then nothing counts, and a warning says so', async () => {
    const warnings = watchWarnings();
    const app = express();
    app.use((req, _res, next) => {
      Object.defineProperty(req.socket, 'remoteAddress', { value: undefined });
      next();
    });
    app.get('/', limitOpen({ max: 1 }), waiting);
    const site = await serve(app);
    await connect(site);
    await connect(site);
    expect(await warnings.next()).toMatchObject({
      code: 'WEBSOCKET_LIMIT_ADDRESS',
      message:
        '/: limitOpen does not count a client whose address is unknown; behind a proxy, call ' +
        "app.set('trust proxy', …), or pass the option by",
    });
  });
});

test('a client that has left before the limit causes no warning, and is not given to by', async () => {
  const warnings = watchWarnings();
  const pending = new Inbox<() => void>();
  const passed = defer();
  const asked: string[] = [];
  const app = express();
  app.get(
    '/',
    (_req, _res, next) => pending.push(next),
    limitOpen({ max: 1 }),
    limitOpen({ max: 1, by: (req) => void asked.push(req.url) }),
    () => {
      passed.resolve();
    },
  );
  const site = await serve(app);
  const client = await connectRaw(site.port);
  const next = await pending.next();
  const [socket] = site.sockets;
  // `once` of node:events would reject with the error of the reset.
  const gone = new Promise((resolve) => socket!.once('close', resolve));
  client.reset();
  await within(gone, 'end of the connection');
  next();
  await within(passed.promise, 'next handler');
  await turns(2);
  expect(warnings.rest()).toEqual([]);
  expect(asked).toEqual([]);
});

test('a websocket of a wrapped handler that passes it on meets no second limit', async () => {
  const app = express();
  const opened = defer<Websocket>();
  app.get(
    '/',
    requireWebsocket((req, _res, next) => {
      opened.resolve(req.websocket);
      next();
    }),
    limitOpen({ max: 1, by: () => 'all' }),
    waiting,
  );
  const site = await serve(app);
  const clients = [await connect(site), await connect(site)];
  expect((await opened.promise).isClosed()).toBe(false);
  for (const client of clients) expect((await client.close()).code).toBe(1005);
});

describe('the options', () => {
  const count = 'a whole number from 1 to 2 ** 31 - 1';
  test.for([
    [{}, TypeError, `option "max" must be ${count}; got undefined`],
    [{ max: 0 }, RangeError, `option "max" must be ${count}; got the number 0`],
    [{ max: '5' }, TypeError, `option "max" must be ${count}; got the string "5"`],
    [
      { max: 1, by: 'ip' },
      TypeError,
      'option "by" must be a function (req, res) => key; got the string "ip"',
    ],
    [{ max: 1, retryAfter: 0.5 }, RangeError, `option "retryAfter" must be ${count}; got the number 0.5`],
    [{ max: 1, limit: 1 }, TypeError, 'unknown option "limit"; known options: max, by, retryAfter'],
    [5, TypeError, 'option "options" must be an object; got the number 5'],
    [undefined, TypeError, 'option "options" must be an object; got undefined'],
  ] as const)('%j throws', ([options, Kind, message]) => {
    const give = () => limitOpen(options as never);
    expect(give).toThrow(Kind);
    expect(give).toThrow(message);
  });

  test('retryAfter sets the header, in seconds', async () => {
    const app = express();
    app.get('/', limitOpen({ max: 1, by: undefined, retryAfter: 5 }), waiting);
    const site = await serve(app);
    await connect(site);
    expect((await requestUpgrade(site, '/')).headers['retry-after']).toBe('5');
  });
});
