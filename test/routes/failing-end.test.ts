import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import session from 'express-session';
import { describe, expect, test, vi } from 'vitest';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, expectEnd, FINISHED, waitTurns, watchExchange } from '../support/watch-exchange.js';

// The deadline of error handlers passes twenty times faster.
vi.mock('../../src/shared/real-timers.js', async (importOriginal) => {
  const timers = await importOriginal<typeof import('../../src/shared/real-timers.js')>();
  return { ...timers, setTimeout: (run: () => void, ms: number) => timers.setTimeout(run, ms / 20) };
});
const { acceptWebsocket, limitOpen, passUpgrade, requireWebsocket } = await import('dwebsocket');

/** A middleware whose `end` throws once, before or after it ends the response. Later it does nothing, like express-session's. */
const breakEnd =
  (when: 'before' | 'after'): RequestHandler =>
  (_req, res, next) => {
    const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse;
    let isCalled = false;
    res.end = ((...args: unknown[]) => {
      if (isCalled) return res;
      isCalled = true;
      if (when === 'after') end(...args);
      throw new Error('a hook failed');
    }) as typeof res.end;
    next();
  };

// Each route warns once.
const HANDLERS = [
  ['returns', () => requireWebsocket(({ websocket }) => websocket.wait())],
  [
    'throws',
    () =>
      requireWebsocket(async ({ websocket }) => {
        await websocket.wait();
        throw new Error('asked for');
      }),
  ],
  [
    'hands the websocket over',
    () =>
      requireWebsocket(({ websocket }) => {
        const socket = websocket.handOver();
        socket.on('message', () => socket.close());
      }),
  ],
  [
    'hands the websocket over to a listener that throws',
    () =>
      requireWebsocket(({ websocket }) => {
        websocket.handOver().on('message', () => {
          throw new Error('asked for');
        });
      }),
  ],
  [
    'passes on a websocket that closes',
    () =>
      requireWebsocket(({ websocket }, _res, next) => {
        next();
        void websocket.close();
      }),
  ],
  ['passes the socket on', () => passUpgrade((_req, socket) => void socket.end())],
] as const;

const WARNING = /^WEBSOCKET_RESPONSE_FAILED \/: a middleware has failed in res\.end\(\)[^]*a hook failed/;

// An unhandled error fails the test.
describe.for(FRAMEWORKS)('on %s, an error in res.end() of a middleware', ([, build]) => {
  test.for(HANDLERS)("still brings 'close', where a handler %s", async ([name, wrap]) => {
    const warnings = watchWarnings();
    const { watch, events } = watchExchange();
    const { app, use, route, onError } = build();
    use(watch, breakEnd('before'));
    route('/', wrap());
    if (name === 'passes on a websocket that closes') use(() => {});
    onError(() => {});
    const site = await serve(app);
    for (let i = 0; i < 2; i++) {
      const client = await connect(site).catch(() => undefined);
      client?.send('go on');
      await expectEnd(events, CUT_OFF);
    }
    await waitTurns();
    const texts = warnings.rest().map(({ code, message }) => `${code!} ${message}`);
    // Where a handler fails, its error handlers call `end`, and the framework catches its error.
    expect(texts).toEqual(name.includes('throws') ? [] : [expect.stringMatching(WARNING)]);
  });

  test("changes neither 'finish' nor 'close' if it comes after the end", async () => {
    watchWarnings();
    const { watch, events } = watchExchange();
    const { app, use, route, onError } = build();
    use(watch, breakEnd('after'));
    for (const [name, wrap] of HANDLERS.slice(0, 2)) route(`/${name}`, wrap());
    onError(() => {});
    const site = await serve(app);
    for (const path of ['/returns', '/throws']) {
      const client = await connect(site, path);
      client.send('go on');
      await expectEnd(events, FINISHED);
    }
  });
});

test.for([false, true])(
  'a handler may have replaced the session of express-session, and fail: %s',
  async (fails) => {
    watchWarnings();
    const { watch, events } = watchExchange();
    const { app, use, route, onError } = FRAMEWORKS[0]![1]();
    use(watch, session({ secret: 's', resave: false, saveUninitialized: true }));
    route(
      '/',
      requireWebsocket(async (req) => {
        (req as { session?: unknown }).session = { user: 1 };
        if (fails) throw new Error('asked for');
      }),
    );
    onError(() => {});
    await connect(await serve(app));
    await expectEnd(events, CUT_OFF);
  },
);

test('a next() that throws after the promise of by causes 500, and one warning', async () => {
  const warnings = watchWarnings();
  const limit = limitOpen({ max: 2, by: async () => 'all' });
  const site = await serve((req, res) =>
    limit(req, res, () => {
      throw new Error('no route');
    }),
  );
  for (let i = 0; i < 2; i++) await expect(connect(site)).rejects.toThrow('500');
  expect(await warnings.next()).toMatchObject({
    code: 'WEBSOCKET_RESPONSE_FAILED',
    message: expect.stringContaining('no route') as string,
  });
  expect(warnings.rest()).toEqual([]);
});

test('a next() that throws on plain HTTP causes 500, and one warning', async () => {
  const warnings = watchWarnings();
  const route = acceptWebsocket(() => Promise.reject(new Error('asked for')));
  const site = await serve((req, res) =>
    route(req, res, (error) => {
      throw error;
    }),
  );
  for (let i = 0; i < 2; i++) expect((await request(site, '/')).status).toBe(500);
  expect((await warnings.next()).code).toBe('WEBSOCKET_RESPONSE_FAILED');
  expect(warnings.rest()).toEqual([]);
});
