import http from 'node:http';
import express, { type Router, type RequestHandler } from 'express';
import express4 from 'express4';
import { describe, expect, test } from 'vitest';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { request, requestUpgrade } from '../support/request.js';
import { listen, serve } from '../support/serve.js';

const EXPRESSES = [
  ['Express 5', express],
  ['Express 4', express4],
] as const;

/** Sends a part of the request, over either protocol. */
const tell = (what: (req: express.Request) => unknown) =>
  acceptWebsocket((req, res) => {
    const text = JSON.stringify(what(req));
    if (req.isWebsocket()) req.websocket.send(text);
    else res.end(text);
  });

describe('the first example of the contract', () => {
  async function startExample() {
    const app = express();

    app.get(
      '/echo',
      acceptWebsocket(async (req, res) => {
        if (!req.isWebsocket()) {
          res.type('text').send(req.query.message);
          return;
        }
        for await (const message of req.websocket) req.websocket.send(message);
      }),
    );

    app.get(
      '/once',
      requireWebsocket(async (req) => {
        const message = await req.websocket.wait();
        if (message !== null) req.websocket.send(message);
      }),
    );

    return listen(app.listen(0)); // That is all: no wrapper around the app, no patched server, no attach call.
  }

  test('echoes over WebSocket and answers over HTTP on the same route', async () => {
    const site = await startExample();
    const client = await connect(site, '/echo');
    client.send('hello', Buffer.from('bytes'), '这是你发来的。。。');
    expect(await client.take(3)).toEqual(['hello', Buffer.from('bytes'), '这是你发来的。。。']);
    expect(await client.close(1000)).toEqual({ code: 1000, reason: '' });
    const answer = await request(site, '/echo?message=hi');
    expect(answer).toMatchObject({ status: 200, body: 'hi' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('answers once and closes on a route that requires a WebSocket', async () => {
    const site = await startExample();
    const client = await connect(site, '/once');
    client.send('hello', 'unheard');
    expect(await client.next()).toBe('hello');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect((await request(site, '/once')).status).toBe(400);
  });

  test('serves many clients at a time', async () => {
    const site = await startExample();
    const clients = await Promise.all(Array.from({ length: 50 }, () => connect(site, '/echo')));
    clients.forEach((client, i) => client.send(`client ${i}`));
    const answers = await Promise.all(clients.map((client) => client.next()));
    expect(answers).toEqual(clients.map((_, i) => `client ${i}`));
  });
});

describe.for([
  ['http', false],
  ['https', true],
] as const)('over %s', ([, tls]) => {
  const handler = acceptWebsocket(async (req, res) => {
    if (req.isWebsocket()) for await (const message of req.websocket) req.websocket.send(message);
    else res.end('plain');
  });

  test.for(FRAMEWORKS)('%s echoes, answers plain HTTP, and refuses', async ([, build]) => {
    const { route, app } = build();
    route('/echo', handler);
    const site = await serve(app, { tls });
    const client = await connect(site, '/echo');
    client.send('one', 'two');
    expect(await client.take(2)).toEqual(['one', 'two']);
    await client.close();
    expect(await request(site, '/echo')).toMatchObject({ status: 200, body: 'plain' });
    expect((await requestUpgrade(site, '/nowhere')).status).toBe(404);
    expect((await requestUpgrade(site, '/echo', { 'sec-websocket-version': '8' })).status).toBe(426);
  });

  test('a bare server does so, too', async () => {
    const site = await serve(handler, { tls });
    const client = await connect(site, '/any/path');
    client.send('one', 'two');
    expect(await client.take(2)).toEqual(['one', 'two']);
    await client.close();
    expect(await request(site, '/')).toMatchObject({ status: 200, body: 'plain' });
    expect((await requestUpgrade(site, '/', { 'sec-websocket-version': '8' })).status).toBe(426);
  });
});

describe.for(EXPRESSES)('%s', ([, create]) => {
  const newRouter = () => create.Router() as Router;

  test('provides params, query and the parts of the URL', async () => {
    const app = create();
    app.get(
      '/room/:id/user/:name',
      tell(({ params, query, path, originalUrl }) => ({ params, query, path, originalUrl })),
    );
    const client = await connect(await serve(app), '/room/7/user/J%C3%BCrgen?a=1&b=x%20y');
    expect(JSON.parse(String(await client.next()))).toEqual({
      params: { id: '7', name: 'Jürgen' },
      query: { a: '1', b: 'x y' },
      path: '/room/7/user/J%C3%BCrgen',
      originalUrl: '/room/7/user/J%C3%BCrgen?a=1&b=x%20y',
    });
  });

  test('routes through routers, mounted apps and prefixes', async () => {
    const app = create();
    const inner = create();
    const router = newRouter();
    const merged = create.Router({ mergeParams: true }) as Router;
    router.get(
      '/:id',
      tell(({ params, baseUrl, url }) => ({ params, baseUrl, url })),
    );
    inner.use('/router', router);
    merged.get(
      '/talk',
      tell(({ params }) => params),
    );
    app.use('/app', inner);
    app.use('/room/:room', merged);
    app.use(
      '/prefix',
      tell(({ baseUrl, url }) => ({ baseUrl, url })),
    );
    const site = await serve(app);
    const ask = async (path: string): Promise<unknown> =>
      JSON.parse(String(await (await connect(site, path)).next()));
    expect(await ask('/app/router/5')).toEqual({ params: { id: '5' }, baseUrl: '/app/router', url: '/5' });
    expect(await ask('/room/blue/talk')).toEqual({ room: 'blue' });
    expect(await ask('/prefix/deep/er')).toEqual({ baseUrl: '/prefix', url: '/deep/er' });
  });

  test('runs router.param before the handler, which may refuse', async () => {
    const app = create();
    const router = newRouter();
    router.param('user', (req: express.Request & { user?: unknown }, res, next, name) => {
      if (name === 'nobody') return void res.status(404).send('no such user');
      req.user = { name };
      next();
    });
    router.get(
      '/talk/:user',
      tell((req) => (req as { user?: unknown }).user),
    );
    app.use(router);
    const site = await serve(app);
    expect(await (await connect(site, '/talk/ada')).next()).toBe('{"name":"ada"}');
    expect(await requestUpgrade(site, '/talk/nobody')).toMatchObject({ status: 404, body: 'no such user' });
  });

  test('app.all handles a POST as plain HTTP on the same route', async () => {
    const app = create();
    app.all(
      '/orders',
      create.json() as RequestHandler,
      acceptWebsocket(async (req, res) => {
        if (req.isWebsocket())
          for await (const message of req.websocket) req.websocket.send(`ws ${String(message)}`);
        else res.status(201).json({ method: req.method, got: req.body as unknown });
      }),
    );
    const site = await serve(app);
    const headers = { 'content-type': 'application/json' };
    const posted = await request(site, '/orders', { method: 'POST', headers, body: '{"id":1}' });
    expect(posted.status).toBe(201);
    expect(JSON.parse(posted.body)).toEqual({ method: 'POST', got: { id: 1 } });
    const client = await connect(site, '/orders');
    client.send('order');
    expect(await client.next()).toBe('ws order');
  });

  test('app.route().get().post() and several handlers in a row work as for HTTP', async () => {
    const app = create();
    const note: RequestHandler = (_req, res, next) => {
      res.locals.noted = true;
      next();
    };
    app
      .route('/talk')
      .get(
        note,
        tell(({ res }) => res?.locals),
      )
      .post((_req, res) => void res.send('posted'));
    const site = await serve(app);
    expect(await (await connect(site, '/talk')).next()).toBe('{"noted":true}');
    expect((await request(site, '/talk', { method: 'POST' })).body).toBe('posted');
  });

  test('middleware before the wrapper refuses with an ordinary response', async () => {
    const app = create();
    const mustBeMember: RequestHandler = (req, res, next) => {
      if (req.query.member === 'yes') next();
      else if (req.query.member === 'maybe') res.redirect('/login');
      else res.status(401).set('WWW-Authenticate', 'Basic').json({ error: 'members only' });
    };
    app.get(
      '/club',
      mustBeMember,
      requireWebsocket(({ websocket }) => void websocket.send('welcome')),
    );
    const site = await serve(app);
    const refused = await requestUpgrade(site, '/club');
    expect(refused).toMatchObject({ status: 401, body: '{"error":"members only"}' });
    expect(refused.headers['www-authenticate']).toBe('Basic');
    const redirected = await requestUpgrade(site, '/club?member=maybe');
    expect([redirected.status, redirected.headers.location]).toEqual([302, '/login']);
    expect(await (await connect(site, '/club?member=yes')).next()).toBe('welcome');
  });

  test('a plain route, a 404 handler and a failing middleware answer an upgrade request like any other', async () => {
    const app = create();
    app.get('/page', (_req, res) => void res.send('<h1>a page</h1>'));
    app.get('/broken', () => {
      throw new Error('broken');
    });
    app.use(((_req, res) => void res.status(404).send('nothing here')) as RequestHandler);
    app.use(
      ((error: Error, _req, res, _next) =>
        void res.status(503).send(error.message)) as express.ErrorRequestHandler,
    );
    const site = await serve(app);
    expect(await requestUpgrade(site, '/page')).toMatchObject({ status: 200, body: '<h1>a page</h1>' });
    expect(await requestUpgrade(site, '/elsewhere')).toMatchObject({ status: 404, body: 'nothing here' });
    expect(await requestUpgrade(site, '/broken')).toMatchObject({ status: 503, body: 'broken' });
  });
});

test('wrapped routes work on a server that is created before the app, and on two servers of one app', async () => {
  const app = express();
  const early = http.createServer();
  early.on('request', app);
  const sites = [await listen(early), await serve(app), await serve(app, { tls: true })];
  app.get(
    '/',
    requireWebsocket(({ websocket }) => void websocket.send('here')),
  );
  for (const site of sites) expect(await (await connect(site)).next()).toBe('here');
});
