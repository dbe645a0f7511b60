import { access, createReadStream } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import compression from 'compression';
import type { Request, RequestHandler, Response } from 'express';
import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { acceptWebsocket, requireWebsocket, websocketMiddleware, type Websocket } from 'dwebsocket';
import { EXPRESSES } from '../middleware/expresses.js';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { defer, Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, FINISHED, expectEnd, waitTurns, watchExchange } from '../support/watch-exchange.js';

const THIS_FILE = fileURLToPath(import.meta.url);

type Use = (res: ServerResponse, websocket: Websocket) => unknown;

/** Middleware that replaces methods of a response. */
const WRAPPING: readonly (readonly [string, () => readonly RequestHandler[]])[] = [
  ['nothing before it', () => []],
  [
    'express-session and compression before it',
    () => [compression(), session({ secret: 's', resave: false, saveUninitialized: true })],
  ],
];

describe.for(FRAMEWORKS)('on %s, with', ([, build]) => {
  test.for(
    WRAPPING.flatMap(([what, wrap]) =>
      (
        [
          ['res.end()', 1000, FINISHED, (res) => res.end()],
          ['res.end(text)', 1000, FINISHED, (res) => res.end('bye')],
          ['a status of 302', 1000, FINISHED, (res) => Object.assign(res, { statusCode: 302 }).end()],
          ['a status of 401', 1008, FINISHED, (res) => Object.assign(res, { statusCode: 401 }).end()],
          ['a status of 404', 1008, FINISHED, (res) => Object.assign(res, { statusCode: 404 }).end()],
          ['a status of 503', 1011, FINISHED, (res) => Object.assign(res, { statusCode: 503 }).end()],
          ['res.write() and res.end()', 1000, FINISHED, (res) => res.write('so far') && res.end()],
          ['res.destroy()', 1011, CUT_OFF, (res) => res.destroy()],
          ['res.destroy(error)', 1011, CUT_OFF, (res) => res.destroy(new Error('on purpose'))],
          ['a stream', 1000, FINISHED, (res) => pipeline(createReadStream(THIS_FILE), res)],
          [
            'a stream that fails',
            1011,
            CUT_OFF,
            (res) => pipeline(failingStream(), res).catch(() => undefined),
          ],
        ] as readonly (readonly [string, number, readonly string[], Use])[]
      ).map(([name, code, ends, use]) => [what, wrap, name, code, ends, use] as const),
    ),
  )(
    '%s, a handler that ends its response with $2 closes with $3, and one warning says what to do',
    async ([, wrap, , code, ends, use]) => {
      const warnings = watchWarnings();
      const { use: mount, route, onError, app } = build();
      const { events, watch } = watchExchange();
      const errors: unknown[] = [];
      mount(watch, ...wrap());
      route(
        '/',
        requireWebsocket(async ({ websocket }, res) => {
          await use(res as ServerResponse, websocket);
          await websocket.closed;
        }),
      );
      onError((error) => errors.push(error));
      const site = await serve(app);
      for (let i = 0; i < 2; i++) {
        expect(await (await connect(site)).closed()).toEqual({ code, reason: '' });
      }
      const warning = await warnings.next();
      expect(warning.code).toBe('WEBSOCKET_RESPONSE');
      expect(warning.message).toMatch(
        /^\/: the handler called res\.(?:end|write|destroy)\(\) on a websocket/,
      );
      expect(warning.message).toContain('req.websocket.close(code, reason)');
      expect(warning.message).toContain('a middleware before acceptWebsocket');
      for (let i = 0; i < 2; i++) await expectEnd(events, ends);
      await waitTurns();
      expect([warnings.rest(), errors]).toEqual([[], []]);
    },
  );

  test("each route has its own warning, and 'finish' and 'close' come once each", async () => {
    const warnings = watchWarnings();
    const { use, route, app } = build();
    const { events, watch } = watchExchange();
    use(watch);
    const end = async (_req: IncomingMessage, res: ServerResponse) => void res.end();
    route('/a', requireWebsocket(end as never));
    route('/b', requireWebsocket(end as never));
    const site = await serve(app);
    for (const path of ['/a', '/b']) {
      await (await connect(site, path)).closed();
      await expectEnd(events, FINISHED);
      expect((await warnings.next()).message).toContain('the handler called res.end()');
    }
    await waitTurns();
    expect([events.rest(), warnings.rest()]).toEqual([[], []]);
  });

  test('text that a handler only writes is discarded, and the websocket stays open', async () => {
    const warnings = watchWarnings();
    const { route, app } = build();
    route(
      '/',
      requireWebsocket(async ({ websocket }, res) => {
        (res as ServerResponse).write('data: for an EventSource\n\n');
        for await (const message of websocket) websocket.send(message);
      }),
    );
    const client = await connect(await serve(app));
    client.send('hello');
    expect(await client.next()).toBe('hello');
    expect((await warnings.next()).message).toContain('res.write() on a websocket, which sends nothing');
    await client.close();
  });

  test.for([
    [
      'has closed the websocket itself',
      (res, websocket) => {
        void websocket.close(4000);
        res.end();
      },
    ],
    [
      'sees that the peer has left',
      async (res, websocket) => {
        await websocket.closed;
        res.end('bye');
      },
    ],
  ] as readonly (readonly [string, Use])[])(
    'a handler that ends its response when it %s causes no warning',
    async ([, use]) => {
      const warnings = watchWarnings();
      const { use: mount, route, app } = build();
      const { events, watch } = watchExchange();
      mount(watch);
      route(
        '/',
        requireWebsocket(async ({ websocket }, res) => {
          await use(res as ServerResponse, websocket);
        }),
      );
      await (await connect(await serve(app))).close();
      await expectEnd(events, FINISHED);
      expect(warnings.rest()).toEqual([]);
    },
  );

  test('res.setTimeout() has no effect, and does not throw', async () => {
    const { use, route, app } = build();
    const { events, watch } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket(async ({ websocket }, res) => {
        (res as ServerResponse).setTimeout(1, () => expect.unreachable());
        await websocket.wait();
        throw new Error('so that it gets somewhere to be written to');
      }),
    );
    const client = await connect(await serve(app));
    client.send('go on');
    expect((await client.closed()).code).toBe(1011);
    expect(await events.next()).toBe('finish 101');
  });

  test('a handler may set its status and return: the log still says 101', async () => {
    const { use, route, app } = build();
    const { events, watch } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket(async ({ websocket }, res) => {
        (res as ServerResponse).statusCode = 404;
        websocket.send('bye');
      }),
    );
    await (await connect(await serve(app))).closed();
    expect(await events.next()).toBe('finish 101');
  });
});

describe.for(EXPRESSES)('on %s', ([, express]) => {
  function serveHandler(handler: (req: Request, res: Response) => unknown, before: RequestHandler[] = []) {
    const app = express();
    app.set('env', 'test');
    app.set('views', fileURLToPath(new URL('../support/views', import.meta.url)));
    app.set('view engine', 'page');
    app.engine('page', (_path, _options, done) => setImmediate(done, null, '<h1>Hello</h1>'));
    if (before.length > 0) app.use(before);
    app.get('/', acceptWebsocket(handler as never));
    return serve(app);
  }

  test.for([
    ['json', (res) => res.json({})],
    ['send', (res) => res.send('text')],
    ['redirect', (res) => res.redirect('/elsewhere')],
    ['sendStatus', (res) => res.sendStatus(401)],
    ['cookie', (res) => res.cookie('a', '1')],
    ['set', (res) => res.set('X-A', '1')],
    ['removeHeader', (res) => res.removeHeader('X-Powered-By')],
    ['writeHead', (res) => res.writeHead(200)],
    ['render', (res) => res.render('error')],
    ['sendFile', (res) => res.sendFile(THIS_FILE)],
    ['download', (res) => res.download(THIS_FILE)],
  ] as readonly (readonly [string, (res: Response) => unknown])[])(
    'res.%s() in a websocket throws an error that says why and what to do',
    async ([, call]) => {
      for (const before of WRAPPING.map(([, wrap]) => [...wrap()])) {
        const site = await serveHandler(async (req, res) => {
          const { websocket } = req as unknown as { websocket: Websocket };
          try {
            call(res);
          } catch (error) {
            websocket.send(`${(error as NodeJS.ErrnoException).code!}: ${(error as Error).message}`);
          }
          await websocket.wait();
        }, before);
        const client = await connect(site);
        const text = String(await client.next());
        expect(text).toMatch(/^ERR_HTTP_HEADERS_SENT: this request is a websocket/);
        expect(text).toContain('req.websocket.send()');
        expect(text).toContain('req.isWebsocket() returns false');
        await client.close();
      }
    },
  );

  test('without a catch, that error closes with 1011 and reaches the error handlers', async () => {
    const errors = new Inbox<Error>();
    const app = express();
    app.get(
      '/',
      acceptWebsocket((_req, res) => void res.json({})),
    );
    app.use(((error: Error, _req: Request, res: Response, _next: unknown) => {
      errors.push(error);
      res.status(500).json({});
    }) as never);
    expect((await (await connect(await serve(app))).closed()).code).toBe(1011);
    expect((await errors.next()).message).toContain('this request is a websocket');
  });

  test('res.render() with a callback returns a text that the handler can send', async () => {
    const site = await serveHandler(async (req, res) => {
      const { websocket } = req as unknown as { websocket: Websocket };
      res.render('error', (_error: Error | null, html: string) => void websocket.send(html));
      await websocket.wait();
    });
    const client = await connect(site);
    expect(await client.next()).toBe('<h1>Hello</h1>');
    await client.close();
  });

  type AnswerLater = (res: Response, done: (value: unknown) => void) => unknown;

  test.for([
    ['answers in a callback', (res, done) => setImmediate(() => done(res.json({}))), FINISHED],
    [
      'sets headers in a callback',
      (res, done) => access('.', () => done(res.cookie('a', '1').send('x'))),
      FINISHED,
    ],
    ['ends in a callback', (res, done) => setImmediate(() => done(res.end())), FINISHED],
    ['streams', (res, done) => setImmediate(() => done(Readable.from(['a', 'b']).pipe(res))), FINISHED],
    [
      'destroys in a callback',
      (res, done) => setImmediate(() => done(res.destroy(new Error('late')))),
      CUT_OFF,
    ],
  ] as readonly (readonly [string, AnswerLater, readonly string[]])[])(
    'a handler for plain HTTP that %s and forgets websockets harms nobody',
    async ([, answerLater, ends]) => {
      watchWarnings();
      const { events, watch } = watchExchange();
      const answered = new Inbox<unknown>();
      const handler = (_req: unknown, res: Response) =>
        void answerLater(res, (value) => answered.push(value === undefined));
      const site = await serveHandler(handler, [watch]);
      await request(site, '/').catch(() => undefined);
      await answered.next();
      await waitTurns();
      events.rest();
      const client = await connect(site);
      expect((await client.closed()).code).toBe(1000);
      await answered.next();
      await expectEnd(events, ends);
      await waitTurns();
      expect(events.rest()).toEqual([]);
    },
  );

  test('a handler that renders a page gets an error when a websocket comes', async () => {
    const errors = new Inbox<Error>();
    const site = await serveHandler((_req, res) => res.render('error'), []);
    expect((await request(site, '/')).body).toContain('<h1>');
    const app = express();
    app.get(
      '/',
      acceptWebsocket((_req, res) => res.render('error')),
    );
    app.use(((error: Error, _req: Request, res: Response, _next: unknown) => {
      errors.push(error);
      res.end();
    }) as never);
    expect((await (await connect(await serve(app))).closed()).code).toBe(1011);
    expect((await errors.next()).message).toContain('res.render() comes too late');
  });

  test.for([
    ['401', 1008, (res) => res.status(401).end()],
    ['500', 1011, (res) => res.status(500).json({ error: 'internal' })],
    ['200', 1000, (res) => res.json({})],
    ['an error that destroys it', 1011, (res) => res.destroy(new Error('gone'))],
  ] as readonly (readonly [string, number, (res: Response) => unknown])[])(
    'with acceptAll, an answer with status %s closes with %i, without a warning',
    async ([, code, answer]) => {
      const warnings = watchWarnings();
      const app = express();
      app.use(websocketMiddleware({ acceptAll: true }));
      app.get('/', (req, res) => {
        void (req as unknown as { websocket: Websocket }).websocket.send('hello');
        setImmediate(() => answer(res));
      });
      expect(await (await connect(await serve(app))).closed()).toEqual({ code, reason: '' });
      expect(warnings.rest()).toEqual([]);
    },
  );

  test('a websocket that is passed on to a route whose stream fails closes with 1011', async () => {
    const { events, watch } = watchExchange();
    const app = express();
    app.use(watch);
    app.get(
      '/',
      acceptWebsocket((_req, _res, next) => next()),
      (_req, res) => {
        res.write('begun');
        void pipeline(failingStream(), res).catch(() => undefined);
      },
    );
    expect((await (await connect(await serve(app))).closed()).code).toBe(1011);
    await expectEnd(events, CUT_OFF);
  });
});

describe('a handler that is not async and returns at once', () => {
  const serveBoth = async (handler: Parameters<typeof requireWebsocket>[0], options = {}, tls = false) => {
    const warnings = watchWarnings();
    const site = await serve(requireWebsocket(handler, options), { tls });
    return { site, warnings };
  };

  test.for([
    ['does nothing', (): void => undefined],
    ['returns an object that is not a promise', (): object => ({ then: 'not a function' })],
    [
      'only listens',
      ({ websocket }: { websocket: Websocket }): void => void websocket.closed.then(() => undefined),
    ],
    [
      'only reads a message that is not there',
      ({ websocket }: { websocket: Websocket }): unknown => websocket.read(),
    ],
  ] as const)('causes one warning for its route when it %s', async ([, handler]) => {
    for (const tls of [false, true]) {
      const { site, warnings } = await serveBoth(handler as never, {}, tls);
      for (let i = 0; i < 2; i++) expect((await (await connect(site, '/chat')).closed()).code).toBe(1000);
      const { code, message } = await warnings.next();
      expect(code).toBe('WEBSOCKET_HANDLER_RETURNED');
      expect(message).toMatch(/^\/chat: the handler returned at once/);
      expect(message).toContain('await req.websocket.closed');
      await waitTurns();
      expect(warnings.rest()).toEqual([]);
    }
  });

  test('stays open if it follows the advice of the warning', async () => {
    const { site, warnings } = await serveBoth(async (req) => {
      await req.websocket.closed;
    });
    const client = await connect(site);
    await client.flush();
    await client.close(4000);
    expect(warnings.rest()).toEqual([]);
  });

  test.for([
    ['has sent text', {}, ({ websocket }) => void websocket.send('x')],
    ['has sent nothing but an empty message', {}, ({ websocket }) => void websocket.send('')],
    ['has sent bytes', {}, ({ websocket }) => void websocket.send(Buffer.from('x'))],
    [
      'has sent a compressed message',
      { perMessageDeflate: true },
      ({ websocket }) => void websocket.send('x'.repeat(2_000)),
    ],
    ['has closed', {}, ({ websocket }) => void websocket.close()],
    ['is async', {}, async () => undefined],
    ['returns a promise', {}, () => Promise.resolve()],
  ] as readonly (readonly [string, object, (req: { websocket: Websocket }) => unknown])[])(
    'causes no warning if it %s',
    async ([, options, handler]) => {
      for (const tls of [false, true]) {
        const { site, warnings } = await serveBoth(handler as never, options, tls);
        await (await connect(site)).closed();
        await waitTurns();
        expect(warnings.rest()).toEqual([]);
      }
    },
  );

  test('causes no warning if it has passed the websocket on, or has failed', async () => {
    const warnings = watchWarnings();
    const pass = requireWebsocket((_req, _res, next) => next());
    const talk = requireWebsocket(async ({ websocket }) => void websocket.send('hello'));
    const fail = requireWebsocket((_req, _res, next) => next(new Error('failed')));
    const failed = defer();
    const site = await serve((req, res) => {
      if (req.url === '/fail') fail(req, res, () => failed.resolve());
      else pass(req, res, () => talk(req, res));
    });
    await (await connect(site)).closed();
    await (await connect(site, '/fail')).closed();
    await failed.promise;
    expect(warnings.rest()).toEqual([]);
  });
});

describe('a thenable that a handler returns', () => {
  const refuse = (): never => {
    throw new Error('a broken thenable');
  };

  test.for([
    ['throws in then()', { then: refuse }],
    [
      'has a getter that throws',
      {
        get then(): never {
          return refuse();
        },
      },
    ],
    [
      'rejects',
      { then: (_resolve: unknown, reject: (error: Error) => void) => reject(new Error('a broken thenable')) },
    ],
    [
      'rejects when it has thrown',
      {
        then: (_resolve: unknown, reject: (error: Error) => void) => {
          setImmediate(reject, new Error('later'));
          refuse();
        },
      },
    ],
  ] as const)('closes with 1011 when it %s, and reaches the error handlers once', async ([, thenable]) => {
    for (const [, build] of FRAMEWORKS) {
      const { route, onError, app } = build();
      const errors = new Inbox<Error>();
      route(
        '/',
        requireWebsocket(() => thenable),
      );
      onError((error) => errors.push(error as Error));
      expect((await (await connect(await serve(app))).closed()).code).toBe(1011);
      expect(await errors.next()).toMatchObject({ message: 'a broken thenable' });
      await waitTurns();
      expect(errors.rest()).toEqual([]);
    }
    const warnings = watchWarnings();
    const bare = await serve(requireWebsocket(() => thenable));
    expect((await (await connect(bare)).closed()).code).toBe(1011);
    expect(await warnings.next()).toMatchObject({ code: 'WEBSOCKET_HANDLER_FAILED' });
  });

  test('counts once if it calls back twice', async () => {
    const { events, watch } = watchExchange();
    const twice = {
      then: (resolve: (value: unknown) => void, reject: (error: Error) => void) => {
        resolve('once');
        resolve('twice');
        reject(new Error('and failed'));
      },
    };
    const site = await serve((req, res) => watch(req, res, () => requireWebsocket(() => twice)(req, res)));
    expect((await (await connect(site)).closed()).code).toBe(1000);
    await expectEnd(events, FINISHED);
  });
});

test.for([
  ['a rest parameter', (_req: unknown, ...rest: unknown[]) => (rest[1] as () => void)()],
  [
    'arguments',
    function (_req: unknown, _res: unknown) {
      // eslint-disable-next-line prefer-rest-params -- that is the case
      (arguments[2] as () => void)();
    },
  ],
  ['a default value', (_req: unknown, _res = {}, next: () => void = () => undefined) => next()],
] as const)('next() that a handler takes from %s passes the websocket on', async ([, handler]) => {
  for (const [, build] of FRAMEWORKS) {
    const { use, route, app } = build();
    route('/', requireWebsocket(handler as never));
    use((_req, _res, next) => setImmediate(next));
    route(
      '/',
      requireWebsocket(async ({ websocket }) => void websocket.send(`got ${String(await websocket.wait())}`)),
    );
    const client = await connect(await serve(app));
    client.send('it');
    expect(await client.next()).toBe('got it');
  }
});

test('a response with a frozen method stays unchanged', async () => {
  const site = await serve((req, res) => {
    Object.defineProperty(res, 'end', { value: res.end, writable: false });
    requireWebsocket(async ({ websocket }) => void websocket.send('hello'))(req, res);
  });
  expect(await (await connect(site)).next()).toBe('hello');
});

function failingStream(): Readable {
  return new Readable({
    read() {
      this.destroy(new Error('disk'));
    },
  });
}
