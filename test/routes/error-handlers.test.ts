import { access } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import compression from 'compression';
import session from 'express-session';
import { describe, expect, test } from 'vitest';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';
import { EXPRESSES } from '../middleware/expresses.js';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { defer, Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, FINISHED, expectEnd, waitTurns, watchExchange } from '../support/watch-exchange.js';

type Next = (error?: unknown) => void;

/** An error handler that uses only Node's methods, for all frameworks. */
type Handle = (error: Error, req: IncomingMessage, res: ServerResponse, next: Next) => unknown;

const fail = requireWebsocket(async ({ websocket }) => {
  await websocket.wait();
  throw new Error('asked for');
});

function answerJson(res: ServerResponse, error: Error): void {
  const body = JSON.stringify({ error: error.message });
  res.statusCode = 500;
  res.setHeader('Content-Type', 'application/json');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Error handlers that were written for plain HTTP only. */
const HANDLERS: readonly (readonly [string, Handle])[] = [
  ['answers at once', (error, _req, res) => answerJson(res, error)],
  [
    'is async, and answers later',
    async (error, _req, res) => {
      await waitTurns();
      answerJson(res, error);
    },
  ],
  [
    'answers in a callback',
    (error, _req, res) => {
      access('.', () => answerJson(res, error));
    },
  ],
  [
    'answers with writeHead, piece by piece',
    (_error, _req, res) => {
      res.writeHead(500, { 'Content-Type': 'text/html' });
      res.write('<h1>');
      setImmediate(() => res.end('sorry</h1>', 'utf8'));
    },
  ],
  [
    'looks at headersSent, and calls next(error) if it is true',
    (error, _req, res, next) => {
      if (res.headersSent) next(error);
      else answerJson(res, error);
    },
  ],
  ['calls next(error)', (error, _req, _res, next) => next(error)],
  ['throws', (error) => raise(error)],
  [
    'destroys the response',
    (error, _req, res) => {
      res.destroy(error);
    },
  ],
  [
    'answers, and calls next(error) as well',
    (error, _req, res, next) => {
      answerJson(res, error);
      next(error);
    },
  ],
];

describe.for(FRAMEWORKS)('on %s', ([, build]) => {
  test.for(HANDLERS)(
    "an error handler that %s is called before 'finish' and 'close'",
    async ([name, handle]) => {
      const { use, route, app } = build();
      const { events, watch } = watchExchange();
      use(watch);
      route('/', fail);
      const seen = defer<unknown>();
      (app as unknown as { use(handler: Handle): void }).use(function (error, req, res, next) {
        events.push(`handled ${error.message}`);
        seen.resolve(res.headersSent);
        return handle(error, req, res, next);
      });
      const client = await connect(await serve(app));
      client.send('fail');
      expect(await client.closed()).toEqual({ code: 1011, reason: '' });
      expect(await seen.promise).toBe(false);
      expect(await events.next()).toBe('handled asked for');
      await expectEnd(events, name === 'destroys the response' ? CUT_OFF : FINISHED);
      // Nothing comes twice.
      await waitTurns();
      expect(events.rest()).toEqual([]);
    },
  );
});

describe.for(EXPRESSES)('on %s', ([, express]) => {
  /** Builds an app whose failing route is inside three nested routers. */
  function buildDeep() {
    const app = express();
    app.set('env', 'test');
    const { events, watch } = watchExchange();
    app.use(watch);
    const routers = [express.Router(), express.Router(), express.Router()] as const;
    routers[2].get('/fail', fail);
    routers[1].use('/c', routers[2]);
    routers[0].use('/b', routers[1]);
    app.use('/a', routers[0]);
    return { app, events, routers };
  }

  async function meetFailure(app: ReturnType<typeof express>, path = '/a/b/c/fail'): Promise<void> {
    const client = await connect(await serve(app), path);
    client.send('fail');
    expect((await client.closed()).code).toBe(1011);
  }

  test('error handlers may answer late for a handler that fails after next()', async () => {
    const app = express();
    const { events, watch } = watchExchange();
    app.use(watch);
    app.get(
      '/fail',
      requireWebsocket((_req, _res, next) => {
        next();
        throw new Error('asked for');
      }),
    );
    // This route never answers.
    app.get('/fail', () => undefined);
    app.use((async (_error, _req, res, _next) => {
      await waitTurns();
      events.push(`ended before: ${String(res.writableEnded)}`);
      res.status(500).json({ error: 'internal' });
    }) as ErrorRequestHandler);
    await meetFailure(app, '/fail');
    expect(await events.next()).toBe('ended before: false');
    await expectEnd(events, FINISHED);
  });

  test("'finish' comes after the error handlers of all routers", async () => {
    const { app, events, routers } = buildDeep();
    const passOn: ErrorRequestHandler = (_error, req, _res, next) => {
      events.push(`handled at ${req.baseUrl}/`);
      next(_error);
    };
    for (const router of [...routers].reverse()) router.use(passOn);
    app.use(passOn);
    app.use(((_error, _req, res, _next) =>
      res.status(500).json({ error: 'internal' })) as ErrorRequestHandler);
    await meetFailure(app);
    expect([await events.next(), await events.next(), await events.next(), await events.next()]).toEqual([
      'handled at /a/b/c/',
      'handled at /a/b/',
      'handled at /a/',
      'handled at /',
    ]);
    expect(await events.next()).toBe('finish 101');
  });

  test("'finish' and 'close' come without an error handler, too", async () => {
    const { app, events } = buildDeep();
    await meetFailure(app);
    await expectEnd(events, FINISHED);
  });

  test('an error in a mounted app is handled as on plain HTTP', async () => {
    const { app, events } = buildDeep();
    const outer = express();
    outer.set('env', 'test');
    outer.use('/mounted', app);
    outer.use(((error: Error, _req, res, _next) => {
      events.push(`handled ${error.message}`);
      res.status(500).json({});
    }) as ErrorRequestHandler);
    await meetFailure(outer, '/mounted/a/b/c/fail');
    expect(await events.next()).toBe('handled asked for');
    expect(await events.next()).toBe('finish 101');
  });

  test('the error handler of express-generator renders its page', async () => {
    const { app, events } = buildDeep();
    app.engine('page', (_path, options, done) => {
      setImmediate(() => {
        events.push(`rendered ${String((options as { message?: unknown }).message)}`);
        done(null, '<h1>Error</h1>');
      });
    });
    app.set('views', new URL('../support/views', import.meta.url).pathname);
    app.set('view engine', 'page');
    app.use(((error: Error & { status?: number }, req, res, _next) => {
      res.locals.message = error.message;
      res.locals.error = req.app.get('env') === 'development' ? error : {};
      res.status(error.status ?? 500);
      res.render('error');
    }) as ErrorRequestHandler);
    await meetFailure(app);
    expect(await events.next()).toBe('rendered asked for');
    expect(await events.next()).toBe('finish 101');
  });

  test.for([
    ['sends a file', (res) => res.status(500).sendFile(new URL(import.meta.url).pathname)],
    ['redirects', (res) => res.redirect('/sorry')],
    ['sets a cookie', (res) => res.cookie('failed', '1').sendStatus(500)],
    [
      'answers with the content type of the Accept header',
      (res) => res.format({ json: () => res.json({}), default: () => res.send('') }),
    ],
  ] as readonly (readonly [string, (res: import('express').Response) => unknown])[])(
    'an error handler %s',
    async ([, answer]) => {
      const { app, events } = buildDeep();
      app.use(((_error, _req, res, _next) => {
        answer(res);
        events.push('has answered');
      }) as ErrorRequestHandler);
      await meetFailure(app);
      expect(await events.next()).toBe('has answered');
      expect(await events.next()).toBe('finish 101');
    },
  );

  test('a session is saved, and a compressed answer ends, when an error handler has answered', async () => {
    const store = new session.MemoryStore();
    const saved = new Inbox<unknown>();
    const set = store.set.bind(store);
    store.set = (id, data, done) => {
      saved.push((data as { failed?: unknown }).failed);
      set(id, data, done);
    };
    const { events, watch } = watchExchange();
    const app = express();
    app.use(watch, compression(), session({ secret: 's', resave: false, saveUninitialized: false, store }));
    app.get('/', fail);
    app.use(((_error, req, res, _next) => {
      Object.assign(req.session, { failed: true });
      res.status(500).send('sorry '.repeat(1_000));
    }) as ErrorRequestHandler);
    await meetFailure(app, '/');
    expect(await saved.next()).toBe(true);
    expect(await events.next()).toBe('finish 101');
  });

  test('error handlers may answer after the client has vanished', async () => {
    const { events, watch } = watchExchange();
    const mayFail = defer();
    const handled = defer<boolean>();
    const app = express();
    app.use(watch);
    app.get(
      '/',
      requireWebsocket(async () => {
        await mayFail.promise;
        throw new Error('later');
      }),
    );
    app.use((async (_error, _req, res, _next) => {
      await turn();
      res.status(500).json({ headersSent: res.headersSent });
      handled.resolve(res.headersSent);
    }) as ErrorRequestHandler);
    const client = await connect(await serve(app));
    await client.vanish();
    await expectEnd(events, CUT_OFF);
    mayFail.resolve();
    await handled.promise;
    await waitTurns();
    expect(events.rest()).toEqual([]);
  });
});

test('an error handler that never answers delays the end of the response by five seconds', async () => {
  const { app, use, route } = FRAMEWORKS[0]![1]();
  const { events, watch } = watchExchange();
  use(watch);
  route('/', fail);
  const late = defer<ServerResponse>();
  (app as unknown as { use(handler: Handle): void }).use((_error, _req, res, _next) => late.resolve(res));
  const client = await connect(await serve(app));
  client.send('fail');
  await client.closed();
  const res = await late.promise;
  await waitTurns();
  expect(events.rest()).toEqual([]);
  await expectEnd(events, FINISHED);
  // And when it answers after all, that goes nowhere.
  answerJson(res, new Error('too late'));
  await waitTurns();
  expect(events.rest()).toEqual([]);
});

test('on a bare server the response also ends with 101, after the warning', async () => {
  const warnings = watchWarnings();
  const { events, watch } = watchExchange();
  const site = await serve((req, res) => watch(req, res, () => fail(req, res)));
  const client = await connect(site);
  client.send('fail');
  await client.closed();
  expect(await events.next()).toBe('finish 101');
  expect(warnings.rest()).toMatchObject([{ code: 'WEBSOCKET_HANDLER_FAILED' }]);
});

describe('a third argument that is not a function', () => {
  // find-my-way calls a handler with (req, res, params, store, query).
  const callWithParams =
    (route: unknown) =>
    (req: IncomingMessage, res: ServerResponse): void =>
      (route as (...args: unknown[]) => void)(req, res, { id: '7' }, null, {});

  test('is not used as next(): a failure causes 500 or 1011, and one warning', async () => {
    const warnings = watchWarnings();
    const site = await serve(callWithParams(acceptWebsocket(() => Promise.reject(new Error('no next')))));
    expect((await request(site, '/')).status).toBe(500);
    expect((await (await connect(site)).closed()).code).toBe(1011);
    expect(await warnings.next()).toMatchObject({ code: 'WEBSOCKET_HANDLER_FAILED' });
    expect(warnings.rest()).toEqual([]);
  });

  test('does not change the next() of a handler on a bare server', async () => {
    const site = await serve(callWithParams(acceptWebsocket((_req, _res, next) => next())));
    expect((await request(site, '/')).status).toBe(404);
    expect((await (await connect(site)).closed()).code).toBe(1000);
  });
});

function raise(error: unknown): never {
  throw error;
}
