import { inspect } from 'node:util';
import express, { type ErrorRequestHandler } from 'express';
import express4 from 'express4';
import { describe, expect, test } from 'vitest';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  WebsocketRefusedError,
  type MaybeWebsocket,
  type Websocket,
} from 'dwebsocket';
import { connect } from './support/client.js';
import { defer, Inbox, within } from './support/inbox.js';
import { connectRaw, openRaw } from './support/raw-client.js';
import { close, closeCodeOf } from './support/raw-frames.js';
import { request, requestUpgrade } from './support/request.js';
import { serve } from './support/serve.js';
import { watchWarnings } from './support/warnings.js';

/** A handler of an ordinary route, behind the middleware. */
type Handler = (req: express.Request & MaybeWebsocket, res: express.Response) => unknown;

const EXPRESSES = [
  ['Express 5', express],
  ['Express 4', express4],
] as const;

function build(create: typeof express, handler: Handler, options = {}) {
  const app = create();
  const events = new Inbox<string>();
  app.use((req, res, next) => {
    res.on('finish', () => events.push(`finish ${res.statusCode}`));
    res.on('close', () => events.push('res closed'));
    req.on('close', () => events.push('req closed'));
    next();
  });
  app.use(websocketMiddleware(options));
  app.all('/', handler as never);
  return { app, events };
}

describe('without acceptAll', () => {
  test('puts isWebsocket() and websocket on every request; only wrapped routes talk', async () => {
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

describe.for(EXPRESSES)('with acceptAll on %s', ([, create]) => {
  const options = { acceptAll: true };

  test('the 101 goes out when a route first touches req.websocket, and the websocket lives until res.end()', async () => {
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

  test('a route that never touches it answers plain HTTP', async () => {
    const { app } = build(create, (_req, res) => res.status(418).send('no websocket here'), options);
    expect(await requestUpgrade(await serve(app), '/')).toMatchObject({
      status: 418,
      body: 'no websocket here',
    });
  });

  test('who copies or prints a request does not accept its websocket', async () => {
    const { app } = build(create, (req, res) => res.send(String(inspect({ ...req }).length > 0)), options);
    expect(await requestUpgrade(await serve(app), '/')).toMatchObject({ status: 200, body: 'true' });
  });

  test('the websocket outlives a handler that returns, as an HTTP answer does', async () => {
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
    const seen = [await events.next(), await events.next(), await events.next()];
    expect(seen.sort()).toEqual(['finish 101', 'req closed', 'res closed']);
    await client.end();
  });

  test("a peer that leaves ends it, with 'close' on req and res, while the route still runs", async () => {
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
    const seen = [await events.next(), await events.next(), await events.next()];
    expect(seen.sort()).toEqual(['finish 101', 'req closed', 'res closed']);
    mayReturn.resolve();
  });

  test('req.websocket is the same each time, and what middleware set goes out with the 101', async () => {
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

  test('a wrapped route behind it is a wrapped route, under its own options', async () => {
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
    '%s is refused through the error handlers of the app, when the route touches it',
    async ([, headers, status]) => {
      watchWarnings();
      const errors = new Inbox<unknown>();
      const { app } = build(create, ({ websocket }) => websocket?.send('never'), options);
      app.use(((error: unknown, _req, _res, next) => {
        errors.push(error);
        next(error);
      }) as ErrorRequestHandler);
      const answer = await requestUpgrade(await serve(app), '/', headers);
      expect(answer.status).toBe(status);
      const error = (await errors.next()) as WebsocketRefusedError;
      expect(error).toBeInstanceOf(WebsocketRefusedError);
      expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_REFUSED', status, expose: true });
      if (status === 426) expect(answer.headers['sec-websocket-version']).toBe('13');
    },
  );
});

test('is given options like a wrapper', async () => {
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

test('req.websocket is null where the client has left before a route touches it', async () => {
  const mayTouch = defer();
  const arrived = defer();
  const seen = defer<unknown>();
  const app = express();
  app.use(websocketMiddleware({ acceptAll: true }));
  app.get('/', (async (req: express.Request & MaybeWebsocket) => {
    req.on('close', () => mayTouch.resolve());
    arrived.resolve();
    await mayTouch.promise;
    seen.resolve(req.websocket);
  }) as never);
  const client = await connectRaw((await serve(app)).port);
  await within(arrived.promise, 'request');
  client.reset();
  expect(await within(seen.promise, 'touch')).toBeNull();
});
