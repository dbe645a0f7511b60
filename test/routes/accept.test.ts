import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import {
  acceptWebsocket,
  attachWebsocket,
  requireWebsocket,
  websocketMiddleware,
  type Websocket,
} from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { connectRaw, handshakeRequest, openRaw } from '../support/raw-client.js';
import { binary, close, Opcode, text } from '../support/raw-frames.js';
import { request, requestUpgrade } from '../support/request.js';
import { listen, serve, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, expectEnd, watchExchange } from '../support/watch-exchange.js';

const greet = requireWebsocket(({ websocket }) => void websocket.send('welcome'));

describe('on a request', () => {
  test('isWebsocket() is true and req.websocket is set for a WebSocket; for plain HTTP they are false and null', async () => {
    const seen = new Inbox<unknown>();
    const site = await serve(
      acceptWebsocket((req, res) => {
        seen.push([req.isWebsocket(), req.websocket === null]);
        if (!req.isWebsocket()) res.end();
      }),
    );
    await connect(site);
    expect(await seen.next()).toEqual([true, false]);
    await request(site, '/');
    expect(await seen.next()).toEqual([false, true]);
    await request(site, '/', { method: 'POST', body: 'x' });
    expect(await seen.next()).toEqual([false, true]);
  });

  test('the handshake is complete before the handler runs', async () => {
    const mayEnd = defer();
    const site = await serve(requireWebsocket(() => mayEnd.promise));
    const client = await connect(site);
    mayEnd.resolve();
    await client.closed();
  });
});

describe('data that is sent right behind the handshake', () => {
  test('in the same segment arrives, even if async middleware delays the handshake', async () => {
    const mayGoOn = defer();
    const decides = defer();
    const app = express();
    app.use((_req, _res, next) => {
      decides.resolve();
      void mayGoOn.promise.then(() => next());
    });
    app.get(
      '/',
      requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket) websocket.send(message);
      }),
    );
    const long = 'a long one, '.repeat(100);
    const early = Buffer.concat([text('first'), binary(Buffer.from([1, 2])), text(long), text('fourth')]);
    const client = await connectRaw((await serve(app)).port, { early });
    await decides.promise;
    client.write(text('fifth')); // while the middleware still waits
    mayGoOn.resolve();
    await client.until(() => client.framesOf(Opcode.text, Opcode.binary).length === 5, 'five echoes');
    expect(client.frames.map(({ payload }) => payload.toString('latin1'))).toEqual([
      'first',
      '\x01\x02',
      long,
      'fourth',
      'fifth',
    ]);
    client.destroy();
  });

  test('may include a close frame: the messages are delivered first', async () => {
    const seen = new Inbox<unknown>();
    const mayGoOn = defer();
    const app = express();
    app.use((_req, _res, next) => void mayGoOn.promise.then(() => next()));
    app.get(
      '/',
      requireWebsocket(async ({ websocket }) => {
        seen.push(await websocket.wait());
        seen.push(await websocket.wait());
      }),
    );
    const early = Buffer.concat([text('and gone'), close(1000)]);
    const client = await connectRaw((await serve(app)).port, { early });
    mayGoOn.resolve();
    expect([await seen.next(), await seen.next()]).toEqual(['and gone', null]);
    client.destroy();
  });

  test('a handshake that arrives byte by byte is accepted', async () => {
    const client = await connectRaw((await serve(greet)).port, { request: '' });
    await client.writeSlowly(Buffer.from(handshakeRequest()));
    expect((await client.response()).status).toBe(101);
    expect((await client.nextFrame())?.payload.toString()).toBe('welcome');
    client.destroy();
  });
});

describe('the headers of the 101', () => {
  test('are those that middleware has set on the response', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.cookie('a', '1').cookie('b', '2');
      res.set({ 'X-Request-Id': '42', 'Access-Control-Allow-Origin': '*' });
      res.set('X-List', ['one', 'two']);
      next();
    });
    app.get('/', greet);
    const client = await openRaw((await serve(app)).port);
    const { head } = await client.response();
    const lines = head.split('\r\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'HTTP/1.1 101 Switching Protocols',
        'Set-Cookie: a=1; Path=/',
        'Set-Cookie: b=2; Path=/',
        'X-Request-Id: 42',
        'X-List: one',
        'X-List: two',
        'Access-Control-Allow-Origin: *',
      ]),
    );
    client.destroy();
  });

  test('do not include headers of a body, of the connection, or of the handshake that the app has set', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.set({
        'Content-Type': 'text/html',
        'Content-Length': '5',
        'Content-Encoding': 'gzip',
        'Transfer-Encoding': 'chunked',
        ETag: '"1"',
        Connection: 'close',
        'Keep-Alive': 'timeout=5',
        Upgrade: 'h2',
        'Sec-WebSocket-Accept': 'forged',
        'Sec-WebSocket-Protocol': 'forged',
      });
      next();
    });
    app.get('/', greet);
    const client = await openRaw((await serve(app)).port);
    const { headers } = await client.response();
    expect(Object.fromEntries(headers)).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      'x-powered-by': 'Express',
    });
    expect((await client.nextFrame())?.payload.toString()).toBe('welcome');
    client.destroy();
  });

  test('a hook on writeHead can still add one', async () => {
    const app = express();
    app.use((_req, res, next) => {
      const { writeHead } = res;
      // eslint-disable-next-line @typescript-eslint/no-explicit-any -- on-headers does the same
      res.writeHead = function (this: typeof res, ...args: any[]) {
        res.setHeader('X-Hooked', `at ${String(args[0])}`);
        return writeHead.apply(this, args as never);
      } as never;
      next();
    });
    app.get('/', greet);
    expect((await connect(await serve(app))).headers['x-hooked']).toBe('at 101');
  });

  test.for([{ hooked: false }, { hooked: true }])(
    'leave the response of the handler as sent, with the status 101 (hooked: $hooked)',
    async ({ hooked }) => {
      const responses = new Inbox<unknown>();
      const app = express();
      app.use((_req, res, next) => {
        if (hooked) res.writeHead = res.writeHead.bind(res) as never;
        next();
      });
      app.get(
        '/',
        requireWebsocket((_req, res) => {
          const { statusCode, statusMessage, headersSent } = res;
          responses.push({ statusCode, statusMessage, headersSent, hasBody: Reflect.get(res, '_hasBody') });
        }),
      );
      await connect(await serve(app));
      expect(await responses.next()).toEqual({
        statusCode: 101,
        statusMessage: 'Switching Protocols',
        headersSent: true,
        hasBody: false,
      });
    },
  );

  test('a hook that fails gives the client 500, and its error reaches the app', async () => {
    const errors = new Inbox<Error>();
    const app = express();
    app.use((_req, res, next) => {
      const { writeHead } = res;
      res.writeHead = () => {
        res.writeHead = writeHead;
        throw new Error('the session store is down');
      };
      next();
    });
    app.get('/', greet);
    app.use(((error: Error, _req, _res, next) => {
      errors.push(error);
      next(error);
    }) as express.ErrorRequestHandler);
    expect((await requestUpgrade(await serve(app), '/')).status).toBe(500);
    expect(await errors.next()).toMatchObject({ message: 'the session store is down' });
  });
});

describe('bytes beyond ASCII in a header', () => {
  test.for([
    ['Latin-1', 'Jos\u00e9'],
    ['every letter of it', String.fromCharCode(...Array.from({ length: 0x60 }, (_, i) => 0xa0 + i))],
    ['what looks like UTF-8', Buffer.from('José').toString('latin1')],
  ] as const)('are the same on the 101 as on a 200: %s', async ([, value]) => {
    for (const tls of [false, true]) {
      const app = express();
      app.use((_req, res, next) => {
        res.setHeader('X-User', value);
        res.setHeader('X-List', [value, 'x']);
        next();
      });
      app.get(
        '/',
        acceptWebsocket(async (req, res) => {
          if (!req.isWebsocket()) return void res.end();
          // Messages are still sent as UTF-8.
          req.websocket.send('José ✓');
        }),
      );
      const site = await serve(app, { tls });
      const client = await connect(site);
      expect(client.headers['x-user']).toBe(value);
      expect(await client.next()).toBe('José ✓');
      const plain = await request(site, '/');
      expect(plain.headers['x-user']).toBe(value);
      expect(client.headers['x-list']).toBe(plain.headers['x-list']);
    }
  });
});

describe('a header hook that fails before the 101', () => {
  async function serveFailing(hook: (res: express.Response) => void, onError?: express.ErrorRequestHandler) {
    const { watch, events } = watchExchange();
    const app = express();
    app.set('env', 'test');
    app.use((req, res, next) => {
      hook(res);
      watch(req, res, next);
    });
    app.get('/', greet);
    if (onError !== undefined) app.use(onError);
    return { site: await serve(app), events };
  }

  /** `when` says whether the hook fails before or after Node's own writeHead. */
  function failOnce(res: express.Response, when: 'before' | 'after'): void {
    const { writeHead } = res;
    res.writeHead = ((...args: Parameters<typeof writeHead>) => {
      res.writeHead = writeHead;
      if (when === 'after') writeHead.apply(res, args);
      throw new Error('the session store is down');
    }) as never;
  }

  test.for(['before', 'after'] as const)(
    "is answered by the app, and 'close' comes: it fails %s Node's own writeHead",
    async (when) => {
      const { site, events } = await serveFailing(
        (res) => failOnce(res, when),
        (error: Error, _req, res, _next) => void res.status(503).json({ sorry: error.message }),
      );
      for (let i = 0; i < 2; i++) {
        const answer = await requestUpgrade(site, '/');
        expect(answer).toMatchObject({ status: 503, body: '{"sorry":"the session store is down"}' });
        await expectEnd(events, ['finish 503', 'req closed', 'res closed']);
      }
    },
  );

  test('causes 500 if no error handler answers', async () => {
    const { site, events } = await serveFailing((res) => failOnce(res, 'before'));
    expect((await requestUpgrade(site, '/')).status).toBe(500);
    await expectEnd(events, ['finish 500', 'req closed', 'res closed']);
  });

  test('again and again ends the connection on a bare server, but not the process', async () => {
    const warnings = watchWarnings();
    const events = new Inbox<string>();
    const answerBoth = acceptWebsocket((_req, res) => void res.end());
    const site = await serve((req, res) => {
      res.on('close', () => events.push('res closed'));
      res.writeHead = () => {
        throw new Error('a hook that always fails');
      };
      answerBoth(req, res);
    });
    for (let i = 0; i < 2; i++) {
      await (
        await connectRaw(site.port)
      ).ended;
      expect(await events.next()).toBe('res closed');
      await expect(request(site, '/')).rejects.toThrow();
      expect(await events.next()).toBe('res closed');
    }
    expect(await warnings.next()).toMatchObject({ code: 'WEBSOCKET_HANDLER_FAILED' });
  });

  test('gives the route a closed websocket with acceptAll', async () => {
    watchWarnings();
    const events = new Inbox<string>();
    const app = express();
    app.use((_req, res, next) => {
      res.on('close', () => events.push('res closed'));
      failOnce(res, 'before');
      next();
    });
    app.use(websocketMiddleware({ acceptAll: true }));
    app.get('/', (req) =>
      events.push(String((req as unknown as { websocket: Websocket }).websocket.isClosed())),
    );
    expect((await requestUpgrade(await serve(app), '/')).status).toBe(500);
    expect([await events.next(), await events.next()]).toEqual(['true', 'res closed']);
  });
});

test('a tracer of ws sees the whole URL behind a mounted router, and the handler sees that of the router', async () => {
  const seen: unknown[] = [];
  const { handleUpgrade } = WebSocketServer.prototype;
  onTestFinished(() => {
    WebSocketServer.prototype.handleUpgrade = handleUpgrade;
  });
  WebSocketServer.prototype.handleUpgrade = function (req, ...rest) {
    seen.push(req.url);
    handleUpgrade.call(this, req, ...rest);
  };
  const router = express.Router();
  router.get(
    '/lobby',
    requireWebsocket(({ url, websocket }) => void websocket.send(url)),
  );
  const site = await serve(express().use('/chat', router));
  const client = await connect(site, '/chat/lobby?user=ada');
  expect(await client.next()).toBe('/lobby?user=ada');
  expect(seen).toEqual(['/chat/lobby?user=ada']);
});

test("a socket that other code has given to ws causes an error in the app, and 'close' comes", async () => {
  const others = new WebSocketServer({ noServer: true });
  const errors = new Inbox<Error>();
  const events = new Inbox<string>();
  const app = express();
  app.use((req, res, next) => {
    res.on('close', () => events.push('res closed'));
    others.handleUpgrade(req, req.socket, Buffer.alloc(0), (theirs) => theirs.on('error', () => undefined));
    next();
  });
  app.get('/', greet);
  app.use(((error: Error, req, res, _next) => {
    errors.push(error);
    res.status(500).json({});
    req.socket.destroy();
  }) as express.ErrorRequestHandler);
  const client = await connectRaw((await serve(app)).port);
  expect((await errors.next()).message).toContain('more than once');
  expect(await events.next()).toBe('res closed');
  await client.ended;
});

describe('a wrapper inside a wrapper', () => {
  test('gets the same websocket, which closes when the outer handler ends', async () => {
    const websockets: (Websocket | null)[] = [];
    const inner = acceptWebsocket((req) => {
      websockets.push(req.websocket);
      req.websocket?.send('inner');
    });
    const outer = acceptWebsocket(async (req, res) => {
      websockets.push(req.websocket);
      inner(req, res);
      req.websocket?.send(`outer ${String(await req.websocket.wait())}`);
    });
    const client = await connect(await serve(outer));
    expect(await client.next()).toBe('inner');
    client.send('still open');
    expect(await client.next()).toBe('outer still open');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect(websockets[0]).toBe(websockets[1]);
  });

  test('handles a plain request as plain HTTP', async () => {
    const inner = acceptWebsocket((req, res) => void res.end(JSON.stringify(req.websocket)));
    expect(await request(await serve(acceptWebsocket((req, res) => inner(req, res))), '/')).toMatchObject({
      status: 200,
      body: 'null',
    });
  });
});

test('a client that resets the connection during async middleware never reaches the handler', async () => {
  const mayGoOn = defer();
  const events = new Inbox<string>();
  const app = express();
  app.use((req, res, next) => {
    res.on('close', () => events.push('res closed'));
    req.on('close', () => events.push('req closed'));
    events.push('in middleware');
    void mayGoOn.promise.then(() => {
      next();
      events.push('went on');
    });
  });
  app.get(
    '/',
    requireWebsocket(() => events.push('in handler')),
  );
  const site = await serve(app);
  const client = await connectRaw(site.port);
  expect(await events.next()).toBe('in middleware');
  client.reset();
  await expectEnd(events, CUT_OFF);
  mayGoOn.resolve();
  expect(await events.next()).toBe('went on');
  expect(events.rest()).toEqual([]);
});

describe('a client that ends its side with FIN', () => {
  /** Serves a route behind middleware that waits for a call, and records the events of the route. */
  async function serveSlowly() {
    const mayGoOn = defer();
    const events = new Inbox<unknown>();
    const app = express();
    app.get('/other', (_req, res) => void res.end());
    app.use((_req, res, next) => {
      res.once('close', () => events.push('res closed'));
      events.push('in middleware');
      void mayGoOn.promise.then(() => next());
    });
    app.get(
      '/',
      requireWebsocket(async ({ websocket }) => {
        events.push(await websocket.wait());
        events.push(await websocket.wait());
      }),
    );
    return { site: await serve(app), events, mayGoOn };
  }

  test('during async middleware gets no 101, and its handler does not run', async () => {
    const { site, events, mayGoOn } = await serveSlowly();
    const client = await connectRaw(site.port);
    expect(await events.next()).toBe('in middleware');
    await new Promise<void>((resolve) => client.socket.end(resolve));
    // A later request has been answered, so the FIN has arrived, too.
    expect(await request(site, '/other')).toMatchObject({ status: 200 });
    mayGoOn.resolve();
    expect(await events.next()).toBe('res closed');
    await client.ended;
    expect(client.socket.bytesRead).toBe(0);
    expect(events.rest()).toEqual([]);
  });

  test('behind a message: the handler reads the message first', async () => {
    const { site, events, mayGoOn } = await serveSlowly();
    const client = await connectRaw(site.port);
    expect(await events.next()).toBe('in middleware');
    client.socket.end(text('hi'));
    mayGoOn.resolve();
    expect(await events.next()).toBe('hi');
    expect(await events.next()).toBeNull();
    expect(await events.next()).toBe('res closed');
  });

  test('while its websocket is open: the handler sees it leave', async () => {
    const ends = new Inbox<unknown>();
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        ends.push(await websocket.wait());
        ends.push(await websocket.closed);
      }),
    );
    const client = await connectRaw(site.port);
    await client.response();
    client.socket.end();
    expect(await ends.next()).toBeNull();
    expect(await ends.next()).toEqual({ code: 1006, reason: '', wasClean: false });
  });
});

test('a request that a middleware has answered before it calls next() is not accepted', async () => {
  const errors: unknown[] = [];
  const app = express();
  app.use((_req, res, next) => {
    res.status(403).end('no');
    next();
  });
  app.get(
    '/',
    requireWebsocket(() => expect.unreachable()),
  );
  app.use(((error, _req, _res, _next) => errors.push(error)) as express.ErrorRequestHandler);
  expect(await requestUpgrade(await serve(app), '/')).toMatchObject({ status: 403, body: 'no' });
  expect(errors).toEqual([]);
});

describe('a connection that other code accepted and passed to the server', () => {
  /** Starts a TCP server that passes its connections on, like a TLS terminator or a balancer with sticky sessions. */
  async function serveBehind(handOver: (server: Server, socket: Socket) => void): Promise<Site> {
    const server = createServer(greet);
    const outer = createTcpServer((socket) => handOver(server, socket));
    const { port, tls, sockets } = await listen(outer as Server);
    return { server, port, tls, sockets };
  }

  test('at once becomes a websocket', async () => {
    const site = await serveBehind((server, socket) => server.emit('connection', socket));
    expect(await (await connect(site)).next()).toBe('welcome');
  });

  test('later gets 503 with what to do, and one warning says so, too', async () => {
    const warnings = watchWarnings();
    const site = await serveBehind((server, socket) => setImmediate(() => server.emit('connection', socket)));
    for (let i = 0; i < 3; i++) {
      const { status, body } = await requestUpgrade(site, '/chat');
      expect(status).toBe(503);
      expect(body).toContain('call attachWebsocket(server) before server.emit("connection", socket)');
    }
    expect(await warnings.next()).toMatchObject({
      code: 'WEBSOCKET_NOT_ATTACHED',
      message: expect.stringContaining('attachWebsocket(server)'),
    });
    expect(warnings.rest()).toEqual([]);
  });

  test('later, on an attached server, becomes a websocket', async () => {
    const site = await serveBehind((server, socket) => {
      attachWebsocket(server);
      setImmediate(() => server.emit('connection', socket));
    });
    expect(await (await connect(site)).next()).toBe('welcome');
  });
});
