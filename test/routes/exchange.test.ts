import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type express from 'express';
import { describe, expect, test } from 'vitest';
import { acceptWebsocket, requireWebsocket, type Websocket, WebsocketClosedError } from 'dwebsocket';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { openRaw } from '../support/raw-client.js';
import { close, closeCodeOf, Opcode } from '../support/raw-frames.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, FINISHED, expectEnd, waitTurns, watchExchange } from '../support/watch-exchange.js';

/** What no error message can name. */
const TEXTLESS: unknown = Object.create(null);

describe.for(FRAMEWORKS)('on %s', ([, build]) => {
  test('a handler that returns closes with 1000, and its response ends like any other', async () => {
    const { use, route, app } = build();
    const { watch, events } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket(async ({ websocket }) => websocket.send(`you said ${String(await websocket.wait())}`)),
    );
    const client = await connect(await serve(app));
    client.send('hello');
    expect(await client.next()).toBe('you said hello');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    await expectEnd(events, FINISHED);
    expect(events.rest()).toEqual([]);
  });

  test('the error of a handler that another handler called with its own next() reaches the app once', async () => {
    const { route, onError, app } = build();
    const errors = new Inbox<Error>();
    const inner = requireWebsocket(() => Promise.reject(new Error('inner')));
    route(
      '/',
      requireWebsocket((req, res, next) => {
        inner(req, res, next);
        return req.websocket.closed;
      }),
    );
    onError((error) => errors.push(error as Error));
    const client = await connect(await serve(app));
    expect((await client.closed()).code).toBe(1011);
    expect(await errors.next()).toMatchObject({ message: 'inner' });
    await waitTurns();
    expect(errors.rest()).toEqual([]);
  });

  test('a synchronous handler that returns closes at once', async () => {
    const { route, app } = build();
    route(
      '/',
      requireWebsocket(({ websocket }) => void websocket.send('and that is all')),
    );
    const client = await connect(await serve(app));
    expect(await client.next()).toBe('and that is all');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
  });

  test.for([
    ['throws', () => raise(new Error('secret'))],
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'passes an error to next()',
      (_req: unknown, _res: unknown, next: (error: Error) => void) => next(new Error('secret')),
    ],
  ] as const)(
    'a handler that %s closes with 1011, and the error reaches the app after that',
    async ([, handler]) => {
      const { use, route, onError, app } = build();
      const { watch, events } = watchExchange();
      const errors = new Inbox<Error>();
      use(watch);
      route('/', requireWebsocket(handler as never));
      onError((error) => errors.push(error as Error));
      const client = await openRaw((await serve(app)).port);
      const frame = (await client.nextFrame())!;
      expect(closeCodeOf(frame)).toBe(1011);
      expect(frame.payload).toHaveLength(2); // no reason, which could tell what went wrong
      // The client has received the close frame, but not answered it. So the error has not reached the app yet.
      expect(errors.rest()).toEqual([]);
      client.write(close(1011));
      expect(await errors.next()).toMatchObject({ message: 'secret' });
      await expectEnd(events, FINISHED);
      await client.end();
    },
  );

  test('an error handler may end the response itself', async () => {
    const { use, route, app } = build();
    const { watch, events } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket(() => raise(new Error('handled'))),
    );
    (app as express.Express).use(((_error, _req, res, _next) =>
      res.end('not for the wire')) as express.ErrorRequestHandler);
    expect((await (await connect(await serve(app))).closed()).code).toBe(1011);
    await expectEnd(events, FINISHED);
  });

  test.for([
    [
      'rejects with nothing',
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that is the case
      () => Promise.reject(),
      new Error('the handler failed with undefined; throw an Error'),
    ],
    ['throws null', () => raise(null), new Error('the handler failed with null; throw an Error')],
    ['throws what has no text', () => raise(TEXTLESS), TEXTLESS],
  ] as const)('a handler that %s is in error all the same', async ([, handler, failure]) => {
    const { route, onError, app } = build();
    const errors = new Inbox<unknown>();
    route('/', acceptWebsocket(handler));
    onError((error) => errors.push(error));
    const site = await serve(app);
    expect((await (await connect(site)).closed()).code).toBe(1011);
    expect(await errors.next()).toEqual(failure);
    expect((await request(site, '/')).status).toBe(500);
    expect(await errors.next()).toEqual(failure);
  });

  test('a handler that takes next() among the rest of its parameters keeps its websocket', async () => {
    const { use, route, app } = build();
    route(
      '/',
      acceptWebsocket(async (req, ...rest) => {
        rest[1]();
        if (req.isWebsocket()) req.websocket.send(`got ${String(await req.websocket.wait())}`);
      }),
    );
    use((_req, res) => void res.end('behind'));
    const client = await connect(await serve(app));
    client.send('hello');
    expect(await client.next()).toBe('got hello');
    expect(await client.closed()).toMatchObject({ code: 1000 });
  });

  test('next(null) is not an error, as when next is used as a callback', async () => {
    const { route, onError, app } = build();
    const errors: unknown[] = [];
    route(
      '/',
      acceptWebsocket((_req, _res, next) => next(null)),
    );
    route(
      '/',
      acceptWebsocket((req, res) => {
        if (req.isWebsocket()) req.websocket.send('next');
        else res.end('next');
      }),
    );
    onError((error) => errors.push(error));
    const site = await serve(app);
    expect(await (await connect(site)).next()).toBe('next');
    expect(await request(site, '/')).toMatchObject({ status: 200, body: 'next' });
    expect(errors).toEqual([]);
  });

  test.for([
    ['nobody', 1000, FINISHED, undefined],
    ['a route that answers 404', 1000, FINISHED, (res: ServerResponse): void => answer(res, 404)],
    ['a route that answers 503', 1011, FINISHED, (res: ServerResponse): void => answer(res, 503)],
    ['a route that fails', 1011, FINISHED, () => raise(new Error('behind'))],
    ['a route that destroys the response', 1011, CUT_OFF, (res: ServerResponse): void => void res.destroy()],
  ] as const)(
    'a handler that passes on to %s sees the websocket close with %i when it ends itself',
    async ([, code, ends, behind]) => {
      const { use, route, app } = build();
      const { watch, events } = watchExchange();
      use(watch);
      route(
        '/',
        requireWebsocket(async ({ websocket }, _res, next) => {
          next();
          websocket.send(`still here for ${String(await websocket.wait())}`);
        }),
      );
      if (behind !== undefined) use((_req, res) => behind(res));
      const client = await connect(await serve(app));
      // The next route has answered by now.
      await waitTurns();
      client.send('you');
      expect(await client.next()).toBe('still here for you');
      expect(await client.closed()).toEqual({ code, reason: '' });
      await expectEnd(events, ends);
    },
  );

  test('a websocket that is passed on to a plain route stays open until that route ends the response', async () => {
    const { use, route, app } = build();
    const { watch, events } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket((_req, _res, next) => next()),
    );
    const open = defer<{ websocket: Websocket; res: ServerResponse }>();
    use((req, res) => open.resolve({ websocket: (req as { websocket?: Websocket }).websocket!, res }));
    const client = await connect(await serve(app));
    const { websocket, res } = await open.promise;
    await waitTurns();
    websocket.send('from elsewhere');
    expect(await client.next()).toBe('from elsewhere');
    expect(events.rest()).toEqual([]);
    answer(res, 200);
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    await expectEnd(events, FINISHED);
  });

  test('the response has sent headers again if another wrapped handler gets the websocket', async () => {
    const { use, route, app } = build();
    const seen = new Inbox<unknown>();
    const passOn = requireWebsocket((_req, res, next) => {
      seen.push(res.headersSent);
      next();
    });
    route('/', passOn);
    use((_req, res, next) => {
      seen.push(res.headersSent);
      setImmediate(next);
    });
    route('/', passOn);
    route(
      '/',
      requireWebsocket(async ({ websocket }, res) => {
        seen.push(res.headersSent);
        websocket.send(`still open for ${String(await websocket.wait())}`);
      }),
    );
    const client = await connect(await serve(app));
    client.send('you');
    expect(await client.next()).toBe('still open for you');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect(seen.rest()).toEqual([true, false, true, true]);
  });

  test('a websocket that two handlers passed on closes by the status of the answer when both have ended', async () => {
    const { use, route, app } = build();
    for (let i = 0; i < 2; i++) {
      route(
        '/',
        requireWebsocket(async ({ websocket }, _res, next) => {
          next();
          await websocket.wait();
        }),
      );
    }
    use((_req, res) => answer(res, 500));
    const client = await connect(await serve(app));
    await waitTurns();
    client.send('end', 'end');
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
  });

  test('the exchange ends if the peer leaves after it was passed on to a route that never answers', async () => {
    const { use, route, app } = build();
    const { watch, events } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket((_req, _res, next) => next()),
    );
    use(() => undefined);
    const client = await connect(await serve(app));
    await client.close();
    await expectEnd(events, FINISHED);
  });

  test('the client sees 1011 even if the app has no error handler', async () => {
    const { use, route, app } = build();
    const { watch, events } = watchExchange();
    use(watch);
    route(
      '/',
      requireWebsocket(() => raise(new Error('nobody handles it'))),
    );
    const client = await connect(await serve(app));
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    await expectEnd(events, FINISHED);
  });

  test('next() passes the same websocket on to the next route', async () => {
    const { route, app } = build();
    const websockets: Websocket[] = [];
    route(
      '/',
      acceptWebsocket((req, _res, next) => {
        websockets.push(req.websocket!);
        next();
      }),
    );
    route(
      '/',
      acceptWebsocket(async (req) => {
        websockets.push(req.websocket!);
        req.websocket!.send(`second: ${String(await req.websocket!.wait())}`);
      }),
    );
    const client = await connect(await serve(app));
    client.send('hello');
    expect(await client.next()).toBe('second: hello');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect(websockets[0]).toBe(websockets[1]);
  });

  test('the context of AsyncLocalStorage exists in the handler and after each await', async () => {
    const { use, route, app } = build();
    const storage = new AsyncLocalStorage<string>();
    use((req, _res, next) => storage.run(String(req.headers['x-trace']), next));
    route(
      '/',
      requireWebsocket(async ({ websocket }) => {
        websocket.send(`start ${storage.getStore()!}`);
        await websocket.wait();
        websocket.send(`wait ${storage.getStore()!}`);
        for await (const message of websocket) {
          if (message === 'sleep') await websocket.sleep(1);
          websocket.send(`${String(message)} ${storage.getStore()!}`);
        }
      }),
    );
    const site = await serve(app);
    const clients = [
      await connect(site, '/', { headers: { 'x-trace': 'A' } }),
      await connect(site, '/', { headers: { 'x-trace': 'B' } }),
    ];
    for (const client of clients) client.send('first', 'iterate', 'sleep');
    expect(await clients[0]!.take(4)).toEqual(['start A', 'wait A', 'iterate A', 'sleep A']);
    expect(await clients[1]!.take(4)).toEqual(['start B', 'wait B', 'iterate B', 'sleep B']);
  });
});

describe('the peer', () => {
  test('closes: queued messages are still delivered, then the handler ends', async () => {
    const seen = new Inbox<unknown>();
    const mayRead = defer();
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        await mayRead.promise;
        for await (const message of websocket) seen.push(message);
        seen.push(`sent: ${String(await websocket.send('too late'))}`);
      }),
    );
    const client = await connect(site);
    client.send('one', 'two');
    await client.close(1000);
    mayRead.resolve();
    expect([await seen.next(), await seen.next(), await seen.next()]).toEqual(['one', 'two', 'sent: false']);
  });

  test("leaves: 'close' comes on req and res while the handler still runs", async () => {
    const { watch, events } = watchExchange();
    const mayReturn = defer();
    const site = await serve((req, res) =>
      watch(req, res, () =>
        requireWebsocket(async () => {
          await mayReturn.promise;
          events.push('handler returns');
        })(req, res),
      ),
    );
    const client = await connect(site);
    await client.vanish();
    await expectEnd(events, CUT_OFF);
    mayReturn.resolve();
    expect([await events.next(), await events.next()]).toEqual(['handler returns', 'finish 101']);
    expect(events.rest()).toEqual([]);
  });
});

describe('a handler that ends because the peer has left', () => {
  const quiet: readonly (readonly [string, (websocket: Websocket) => Promise<unknown>])[] = [
    [
      'with the WebsocketClosedError of wait()',
      async (websocket) => {
        while (true) await websocket.wait();
      },
    ],
    [
      'with the WebsocketClosedError of sleep()',
      async (websocket) => {
        while (true) await websocket.sleep(10_000);
      },
    ],
    ['with the WebsocketClosedError of ping()', (websocket) => closedThen(websocket, () => websocket.ping())],
    [
      'with the reason of its signal',
      ({ signal }) => once(signal, 'abort').then(() => signal.throwIfAborted()),
    ],
    ['with the AbortError of its signal', ({ signal }) => once(process, 'nothing', { signal })],
  ];

  test.for(quiet)('%s has not failed', async ([, handler]) => {
    const warnings = watchWarnings();
    const { watch, events } = watchExchange();
    const errors: unknown[] = [];
    const route = requireWebsocket(({ websocket }) => handler(websocket));
    const site = await serve((req, res) =>
      watch(req, res, () => route(req, res, (error) => errors.push(error))),
    );
    const client = await connect(site);
    await client.close(1000);
    await expectEnd(events, FINISHED);
    expect(errors).toEqual([]);
    expect(warnings.rest()).toEqual([]);
  });

  test('but with another error has failed', async () => {
    const errors = new Inbox<unknown>();
    const route = requireWebsocket(({ websocket }) =>
      closedThen(websocket, () => raise(new Error('clean-up failed'))),
    );
    const site = await serve((req, res) => route(req, res, (error) => errors.push(error)));
    const client = await connect(site);
    await client.close(1000);
    expect(await errors.next()).toMatchObject({ message: 'clean-up failed' });
  });
});

test('an AbortError is a failure if the handler has not read the signal, although the peer has left', async () => {
  const errors = new Inbox<unknown>();
  const route = requireWebsocket(async ({ websocket }) => {
    await websocket.closed;
    await once(process, 'nothing', { signal: AbortSignal.abort() });
  });
  const site = await serve((req, res) => route(req, res, (error) => errors.push(error)));
  await (await connect(site)).close();
  expect(await errors.next()).toMatchObject({ name: 'AbortError' });
});

test('the WebsocketClosedError of another websocket is a failure of this handler', async () => {
  const errors = new Inbox<unknown>();
  const first = defer<Websocket>();
  const route = requireWebsocket(async ({ websocket, url }) => {
    if (url === '/first') return first.resolve(websocket);
    const other = await first.promise;
    await other.closed;
    await other.wait();
    await other.wait();
  });
  const site = await serve((req, res) => route(req, res, (error) => errors.push(error)));
  await connect(site, '/first');
  const client = await connect(site, '/second');
  expect(await client.closed()).toEqual({ code: 1011, reason: '' });
  expect(await errors.next()).toBeInstanceOf(WebsocketClosedError);
});

test('the AbortError of another signal is a failure', async () => {
  const errors = new Inbox<unknown>();
  const route = requireWebsocket(async ({ websocket }) => {
    expect(websocket.signal.aborted).toBe(false);
    await once(process, 'nothing', { signal: AbortSignal.abort() });
  });
  const site = await serve((req, res) => route(req, res, (error) => errors.push(error)));
  const client = await connect(site);
  expect(await client.closed()).toEqual({ code: 1011, reason: '' });
  expect(await errors.next()).toMatchObject({ name: 'AbortError' });
});

test('a handler that closes with its own code decides which code the client sees', async () => {
  const site = await serve(requireWebsocket(({ websocket }) => void websocket.close(4001, 'not today')));
  const client = await connect(site);
  expect(await client.closed()).toEqual({ code: 4001, reason: 'not today' });
});

test('a handler that fails after it has closed the websocket has failed nevertheless', async () => {
  const errors = new Inbox<unknown>();
  const route = requireWebsocket(async ({ websocket }) => {
    await websocket.close(4001);
    throw new Error('afterwards');
  });
  const site = await serve((req, res) => route(req, res, (error) => errors.push(error)));
  expect(await (await connect(site)).closed()).toMatchObject({ code: 4001 });
  expect(await errors.next()).toMatchObject({ message: 'afterwards' });
});

describe('on a bare server', () => {
  test('a handler that fails on a websocket closes it with 1011, and one warning shows the error', async () => {
    const warnings = watchWarnings();
    const site = await serve(requireWebsocket(() => Promise.reject(new Error('what went wrong'))));
    for (let i = 0; i < 3; i++) {
      expect(await (await connect(site)).closed()).toEqual({ code: 1011, reason: '' });
    }
    expect((await warnings.next()).message).toContain('what went wrong');
    expect(warnings.rest()).toEqual([]);
  });

  test('next() on a websocket closes it when the handler returns, because no other handler follows', async () => {
    const site = await serve(requireWebsocket((_req, _res, next) => next()));
    expect(await (await connect(site)).closed()).toEqual({ code: 1000, reason: '' });
  });
});

test('after the 101 headersSent of the response is true', async () => {
  const facts = defer<Record<string, unknown>>();
  const site = await serve(
    requireWebsocket(async ({ websocket }, res) => {
      facts.resolve({
        headersSent: res.headersSent,
        statusCode: res.statusCode,
        setHeader: catchCode(() => res.setHeader('x-late', '1')),
        writeHead: catchCode(() => res.writeHead(200)),
      });
      websocket.send('the websocket goes on');
      await websocket.wait();
    }),
  );
  const client = await openRaw(site.port);
  expect(await facts.promise).toEqual({
    headersSent: true,
    statusCode: 101,
    setHeader: 'ERR_HTTP_HEADERS_SENT',
    writeHead: 'ERR_HTTP_HEADERS_SENT',
  });
  const frame = (await client.nextFrame())!;
  expect([frame.opcode, frame.payload.toString()]).toEqual([Opcode.text, 'the websocket goes on']);
  client.destroy();
});

function answer(res: ServerResponse, status: number): void {
  res.statusCode = status;
  res.setHeader('Content-Type', 'text/plain');
  res.end('not for the wire');
}

function raise(error: unknown): never {
  throw error;
}

async function closedThen(websocket: Websocket, then: () => unknown): Promise<unknown> {
  await within(websocket.closed, 'close');
  return then();
}

function catchCode(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
