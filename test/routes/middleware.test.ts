import { inspect } from 'node:util';
import express, { type ErrorRequestHandler } from 'express';
import express4 from 'express4';
import { describe, expect, test } from 'vitest';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  type MaybeWebsocket,
  type Websocket,
} from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { connectRaw, openRaw } from '../support/raw-client.js';
import { close, closeCodeOf } from '../support/raw-frames.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { CUT_OFF, FINISHED, expectEnd, watchExchange } from '../support/watch-exchange.js';

/** Stands for a handler of an ordinary route behind the middleware. */
type Handler = (req: express.Request & MaybeWebsocket, res: express.Response) => unknown;

const fail = () => {
  throw new Error('a failure');
};

function answerWith(status: number): ErrorRequestHandler {
  return (_error, _req, res, _next) => void res.status(status).end();
}

/** Resolves after some turns of the event loop. */
async function nextTurns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

const EXPRESSES = [
  ['Express 5', express],
  ['Express 4', express4],
] as const;

function build(create: typeof express, handler: Handler, options = {}) {
  const app = create();
  const { watch, events } = watchExchange();
  app.use(watch, websocketMiddleware(options));
  app.all('/', handler as never);
  return { app, events };
}

describe('without acceptAll', () => {
  test('adds isWebsocket() and websocket to every request; only wrapped routes have a websocket', async () => {
    const seen: unknown[] = [];
    const { app } = build(express, (req, res) => {
      seen.push([req.isWebsocket(), req.websocket]);
      res.send('plain');
    });
    app.get(
      '/wrapped',
      requireWebsocket(({ websocket }) => void websocket.send('wrapped')),
    );
    const site = await serve(app);
    expect(await request(site, '/')).toMatchObject({ status: 200, body: 'plain' });
    expect(await requestUpgrade(site, '/')).toMatchObject({ status: 200, body: 'plain' });
    expect(seen).toEqual([
      [false, null],
      [true, null],
    ]);
    expect(await (await connect(site, '/wrapped')).next()).toBe('wrapped');
  });
});

test.for([{}, { acceptAll: true }])(
  'leaves a request unchanged that a wrapped handler has passed on: %o',
  async (options) => {
    const app = express();
    app.get(
      '/',
      requireWebsocket((_req, _res, next) => next()),
    );
    app.use(websocketMiddleware(options));
    app.get(
      '/',
      acceptWebsocket(async (req) => req.websocket!.send(`got ${String(await req.websocket!.wait())}`)),
    );
    const client = await connect(await serve(app));
    client.send('it');
    expect(await client.next()).toBe('got it');
  },
);

test('a third argument that is not a function is not used as next()', async () => {
  const middleware = websocketMiddleware();
  const site = await serve((req, res) => {
    (middleware as (...args: unknown[]) => void)(req, res, { id: '7' });
    res.end(String((req as unknown as MaybeWebsocket).isWebsocket()));
  });
  expect((await request(site, '/')).body).toBe('false');
});

describe.for(EXPRESSES)('with acceptAll on %s', ([, create]) => {
  const options = { acceptAll: true };

  test('the 101 is sent when a route first reads req.websocket, and the websocket stays open until res.end()', async () => {
    const mayTouch = defer();
    const mayEnd = defer();
    const { app, events } = build(
      create,
      async (req, res) => {
        if (!req.isWebsocket()) {
          res.send('plain');
          return;
        }
        await mayTouch.promise;
        req.websocket.send(`you said ${String(await req.websocket.wait())}`);
        await mayEnd.promise;
        res.end();
      },
      options,
    );
    const site = await serve(app);
    const client = await connectRaw(site.port);
    const answer = client.response();
    expect(client.socket.bytesRead).toBe(0);
    mayTouch.resolve();
    expect((await answer).status).toBe(101);
    client.destroy();

    const honest = await connect(site);
    honest.send('hello');
    expect(await honest.next()).toBe('you said hello');
    events.rest();
    mayEnd.resolve();
    expect(await honest.closed()).toEqual({ code: 1000, reason: '' });
    expect(await events.next()).toBe('finish 101');
    expect(await request(site, '/')).toMatchObject({ status: 200, body: 'plain' });
  });

  test('a route that never reads it answers over plain HTTP', async () => {
    const { app } = build(create, (_req, res) => res.status(418).send('no websocket here'), options);
    expect(await requestUpgrade(await serve(app), '/')).toMatchObject({
      status: 418,
      body: 'no websocket here',
    });
  });

  test('copying or printing a request does not accept its websocket', async () => {
    const { app } = build(create, (req, res) => res.send(String(inspect({ ...req }).length > 0)), options);
    expect(await requestUpgrade(await serve(app), '/')).toMatchObject({ status: 200, body: 'true' });
  });

  test('the websocket stays open after its handler returns, like an HTTP response', async () => {
    const stored = defer<{ websocket: Websocket; res: express.Response }>();
    const { app } = build(create, (req, res) => stored.resolve({ websocket: req.websocket!, res }), options);
    const client = await connect(await serve(app));
    const { websocket, res } = await stored.promise;
    websocket.send('from elsewhere');
    expect(await client.next()).toBe('from elsewhere');
    res.end();
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
  });

  test('a route that fails closes with 1011, and its error goes to the error handlers', async () => {
    const { app, events } = build(
      create,
      (req) => {
        req.websocket!.send('so far');
        throw new Error('secret');
      },
      options,
    );
    const errors = new Inbox<Error>();
    app.use(((error: Error, _req, _res, next) => {
      errors.push(error);
      next(error);
    }) as ErrorRequestHandler);
    const client = await openRaw((await serve(app)).port);
    expect((await client.nextFrame())!.payload.toString()).toBe('so far');
    const frame = (await client.nextFrame())!;
    expect([closeCodeOf(frame), frame.payload.length]).toEqual([1011, 2]);
    client.write(close(1011));
    expect(await errors.next()).toMatchObject({ message: 'secret' });
    await expectEnd(events, FINISHED);
    await client.end();
  });

  test("a peer that leaves causes 'close' on req and res while the route still runs", async () => {
    const mayReturn = defer();
    const ends = new Inbox<unknown>();
    const { app, events } = build(
      create,
      async ({ websocket }) => {
        ends.push(await websocket!.wait());
        await mayReturn.promise;
      },
      options,
    );
    const client = await connect(await serve(app));
    await client.close(1000);
    expect(await ends.next()).toBeNull();
    await expectEnd(events, FINISHED);
    mayReturn.resolve();
  });

  test('req.websocket is the same object each time, and the 101 has the headers of the middleware', async () => {
    const seen = defer<boolean>();
    const app = create();
    app.use((_req, res, next) => {
      res.set('X-Request-Id', '7');
      next();
    });
    app.use(websocketMiddleware(options));
    app.get('/', ((req: MaybeWebsocket, res: express.Response) => {
      seen.resolve(req.websocket !== null && req.websocket === req.websocket);
      res.end();
    }) as never);
    const client = await connect(await serve(app));
    expect(client.headers['x-request-id']).toBe('7');
    expect(await seen.promise).toBe(true);
  });

  test('a wrapped route behind it works as usual, with its own options', async () => {
    const app = create();
    app.use(websocketMiddleware({ acceptAll: true, protocols: ['middleware'] }));
    app.get(
      '/',
      acceptWebsocket((req) => void req.websocket!.send(req.websocket!.protocol), { protocols: ['route'] }),
    );
    const client = await connect(await serve(app), '/', { protocols: ['middleware', 'route'] });
    expect(await client.next()).toBe('route');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
  });

  test.for([
    ['a malformed handshake', { 'sec-websocket-version': '8' }, 426],
    ['a foreign origin', { origin: 'https://evil.test' }, 403],
  ] as const)(
    '%s is refused when the route reads req.websocket, and the route gets a closed websocket',
    async ([, headers, status]) => {
      watchWarnings();
      const seen = new Inbox<unknown>();
      const { app, events } = build(
        create,
        async ({ websocket }, res) => {
          seen.push([websocket!.isClosed(), await websocket!.send('never'), websocket!.protocol]);
          seen.push(await websocket!.wait());
          seen.push(await websocket!.closed);
          res.send('never');
        },
        options,
      );
      const answer = await requestUpgrade(await serve(app), '/', headers);
      expect(answer.status).toBe(status);
      if (status === 426) expect(answer.headers['sec-websocket-version']).toBe('13');
      else expect(answer.body).toContain("pass origins: 'any'");
      expect(await seen.next()).toEqual([true, false, '']);
      expect(await seen.next()).toBeNull();
      expect(await seen.next()).toEqual({ code: 1006, reason: '', wasClean: false });
      await expectEnd(events, [`finish ${status}`, 'req closed', 'res closed']);
    },
  );

  test('an option function that fails causes 500 and one warning, and the route gets a closed websocket', async () => {
    const warnings = watchWarnings();
    const seen = new Inbox<unknown>();
    const { app, events } = build(create, async ({ websocket }) => seen.push(await websocket!.wait()), {
      ...options,
      origins: () => JSON.parse('') as boolean,
    });
    const site = await serve(app);
    for (let i = 0; i < 2; i++) {
      expect((await requestUpgrade(site, '/')).status).toBe(500);
      expect(await seen.next()).toBeNull();
    }
    expect(await events.next()).toBe('finish 500');
    expect((await warnings.next()).message).toContain('SyntaxError');
    expect(warnings.rest()).toEqual([]);
  });

  // Express 4 ignores the promise, so a rejection of these routes would end the process (and here the test run).
  test.for([
    ['waits', (websocket: Websocket): Promise<unknown> => websocket.wait()],
    [
      'catches the end of an endless loop',
      async (websocket: Websocket): Promise<unknown> => {
        try {
          while (true) websocket.send(String(await websocket.wait()));
        } catch (error) {
          return expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
        }
      },
    ],
    ['looks at nothing', (websocket: Websocket): PromiseLike<unknown> => websocket.send('hello')],
    ['takes its time', (websocket: Websocket): Promise<unknown> => websocket.closed.then(nextTurns)],
  ] as const)(
    'an async route that %s and then answers does not reject when clients are refused or leave',
    async ([, talk]) => {
      watchWarnings();
      const ends = new Inbox<string>();
      const { app } = build(
        create,
        async (req, res) => {
          const { websocket } = req;
          await talk(websocket!);
          res.status(200).send('done');
          ends.push('done');
        },
        options,
      );
      const site = await serve(app);
      const { status } = await requestUpgrade(site, '/', { origin: 'https://evil.test' });
      expect([status, await ends.next()]).toEqual([403, 'done']);
      for (const leave of ['reset', 'destroy'] as const) {
        (await openRaw(site.port))[leave]();
        expect(await ends.next()).toBe('done');
      }
    },
  );

  test.for([
    ['an error handler that answers 500', 1011, FINISHED, [fail, answerWith(500)]],
    ['an error handler that answers 404', 1000, FINISHED, [fail, answerWith(404)]],
    ['an error that nobody handles', 1011, FINISHED, [fail]],
    [
      'a response that is destroyed',
      1011,
      CUT_OFF,
      [(_req: unknown, res: express.Response): void => void res.destroy()],
    ],
    [
      'a route that sends an answer',
      1000,
      FINISHED,
      [(_req: unknown, res: express.Response): void => void res.send('bye')],
    ],
    ['no route at all', 1000, FINISHED, []],
  ] as const)('touched by a middleware, with %s behind it: %i', async ([, code, ends, behind]) => {
    const { app, events } = build(
      create,
      (req, _res) => {
        req.websocket!.send('hello');
        req.next!();
      },
      options,
    );
    for (const one of behind) app.use(one as never);
    const client = await connect(await serve(app));
    expect(await client.next()).toBe('hello');
    expect(await client.closed()).toEqual({ code, reason: '' });
    await expectEnd(events, ends);
  });
});

test('takes the options of a wrapper', async () => {
  const app = express();
  app.use(websocketMiddleware({ acceptAll: true, messages: 'text', origins: 'any' }));
  app.get('/', (async (req: MaybeWebsocket) => {
    for await (const message of req.websocket!) req.websocket!.send(message);
  }) as never);
  const client = await connect(await serve(app), '/', { origin: 'https://elsewhere.test' });
  client.send('text');
  expect(await client.next()).toBe('text');
  client.send(Buffer.from('bytes'));
  expect((await client.closed()).code).toBe(1003);
});

test('refuses an acceptAll that is neither true nor false', () => {
  const give = () => websocketMiddleware({ acceptAll: 1 as never });
  expect(give).toThrow(TypeError);
  expect(give).toThrow('option "acceptAll" must be true or false; got the number 1');
  expect(() => requireWebsocket(() => {}, { acceptAll: true } as never)).toThrow(
    'websocketMiddleware({ acceptAll })',
  );
});

test('req.websocket is closed if the client left before a route reads it', async () => {
  const mayTouch = defer();
  const arrived = defer();
  const seen = defer<unknown>();
  const app = express();
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/', (async (req: express.Request & MaybeWebsocket, res: express.Response) => {
    req.on('close', () => mayTouch.resolve());
    arrived.resolve();
    await mayTouch.promise;
    const { websocket } = req;
    seen.resolve([req.isWebsocket(), websocket === req.websocket, await websocket!.wait()]);
    res.send('never');
  }) as never);
  const client = await connectRaw((await serve(app)).port);
  await within(arrived.promise, 'request');
  client.reset();
  expect(await within(seen.promise, 'touch')).toEqual([true, true, null]);
});

test('a route that reads it after the client has ended its side may still answer', async () => {
  const mayTouch = defer();
  const arrived = defer();
  const seen = defer<unknown>();
  const app = express4();
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/', (async (req: express.Request & MaybeWebsocket, res: express.Response) => {
    arrived.resolve();
    await mayTouch.promise;
    const { websocket } = req;
    const first = await websocket!.wait();
    res.send('never');
    seen.resolve(first);
  }) as never);
  const site = await serve(app);
  const client = await connectRaw(site.port);
  await within(arrived.promise, 'request');
  client.socket.end();
  await nextTurns();
  mayTouch.resolve();
  expect(await within(seen.promise, 'touch')).toBeNull();
  expect(await client.end()).toBe('end');
});

test('a request whose response has begun gets no websocket, and the response continues', async () => {
  const app = express();
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/', ((req: express.Request & MaybeWebsocket, res: express.Response) => {
    res.write('an answer ');
    res.end(String(req.websocket!.isClosed()));
  }) as never);
  expect(await requestUpgrade(await serve(app), '/')).toMatchObject({ status: 200, body: 'an answer true' });
});
