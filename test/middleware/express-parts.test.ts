import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer } from '../support/inbox.js';
import { openRaw } from '../support/raw-client.js';
import { encodeFrame, Opcode } from '../support/raw-frames.js';
import { HANDSHAKE, request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
});

describe.each(EXPRESSES)('what comes with %s', (_name, express) => {
  const allParsers = (): RequestHandler[] => [
    express.json({ type: '*/*' }),
    express.urlencoded({ extended: true }),
    express.text({ type: '*/*' }),
    express.raw({ type: '*/*' }),
  ];

  test('body parsers take nothing of a websocket, not even what comes right behind the handshake', async () => {
    const app = express();
    app.use(...allParsers());
    app.get('/', echo);
    const early = encodeFrame({ opcode: Opcode.text, payload: '{"not": "a body"}' });
    const client = await openRaw((await serve(app)).port, {
      early,
      headers: { 'Content-Type': 'application/json' },
    });
    expect((await client.nextFrame())?.payload.toString()).toBe('{"not": "a body"}');
    client.destroy();
  });

  test('a POST to the same route has its body parsed, also one that says "Upgrade: websocket"', async () => {
    const app = express();
    app.use(express.json());
    app.all(
      '/',
      acceptWebsocket(async (req, res) => {
        if (!req.isWebsocket()) return void res.json({ got: req.body as unknown });
        for await (const message of req.websocket) req.websocket.send(message);
      }),
    );
    const site = await serve(app);
    const headers = { 'content-type': 'application/json' };
    const body = '{"a":1}';
    expect((await request(site, '/', { method: 'POST', headers, body })).body).toBe('{"got":{"a":1}}');
    const upgrading = { ...headers, ...HANDSHAKE };
    expect((await request(site, '/', { method: 'POST', headers: upgrading, body })).body).toBe(
      '{"got":{"a":1}}',
    );

    const client = await connect(site);
    client.send(body);
    expect(await client.next()).toBe(body);
  });

  test('express.static serves its files to an upgrade, too, and lets what is no file pass to the websocket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-static-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    // More than the buffers of a socket hold: it only arrives when 'drain' does.
    const big = 'x'.repeat(8 * 2 ** 20);
    writeFileSync(join(folder, 'big.txt'), big);
    const app = express();
    app.use(express.static(folder));
    app.get('/chat', echo);
    const site = await serve(app);
    const answer = await requestUpgrade(site, '/big.txt');
    expect(answer.status).toBe(200);
    expect(answer.body === big).toBe(true);
    const client = await connect(site, '/chat');
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  test("the app's own 404 answers an upgrade to a path that is not there", async () => {
    const app = express();
    app.get('/', echo);
    app.use((_req, res) => void res.status(404).send('nothing here'));
    const site = await serve(app);
    const answer = await requestUpgrade(site, '/nowhere');
    expect(answer).toMatchObject({ status: 404, body: 'nothing here' });
    expect(answer.headers.connection).toBe('close');
    const plain = express();
    plain.get('/', echo);
    expect((await requestUpgrade(await serve(plain), '/nowhere')).body).toContain('Cannot GET /nowhere');
  });

  test("an error before the handshake gets the answer of the app's error handler", async () => {
    const app = express();
    app.get(
      '/thrown',
      () => {
        throw Object.assign(new Error('no tea'), { status: 418 });
      },
      echo,
    );
    app.get('/passed', (_req, _res, next) => next(new Error('passed on')), echo);
    app.use(((error: Error & { status?: number }, _req, res, _next) => {
      res.status(error.status ?? 500).json({ error: error.message });
    }) satisfies ErrorRequestHandler);
    const site = await serve(app);
    expect(await requestUpgrade(site, '/thrown')).toMatchObject({ status: 418, body: '{"error":"no tea"}' });
    expect(await requestUpgrade(site, '/passed')).toMatchObject({
      status: 500,
      body: '{"error":"passed on"}',
    });
  });

  test('an error after the handshake reaches the error handler when the client has seen 1011', async () => {
    const app = express();
    const seen = defer<[string, boolean]>();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await req.websocket.wait();
        throw new Error('too late for a status');
      }),
    );
    app.use(((error: Error, _req, res, _next) => {
      seen.resolve([error.message, res.headersSent]);
    }) satisfies ErrorRequestHandler);
    const client = await connect(await serve(app));
    client.send('go');
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    expect(await seen.promise).toEqual(['too late for a status', false]);
  });

  test('middleware on the path, routers, params and res.locals reach the handler', async () => {
    const app = express();
    const router = express.Router({ mergeParams: true });
    router.param('room', (req, res, next, room: string) => {
      res.locals.room = room.toUpperCase();
      next();
    });
    router.get(
      '/:room',
      requireWebsocket<{ house: string; room: string }>((req, res) => {
        req.websocket.send(
          [req.params.house, res.locals.room, req.query.x, req.baseUrl, req.hostname].join(' '),
        );
      }),
    );
    app.use('/houses/:house', router);
    const client = await connect(await serve(app), '/houses/7/kitchen?x=1');
    expect(await client.next()).toBe('7 KITCHEN 1 /houses/7 127.0.0.1');
  });
});
