import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import compression from 'compression';
import cors from 'cors';
import helmet from 'helmet';
import { acceptWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { HANDSHAKE, request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';

const LONG = 'all work and no play '.repeat(1_000);

/** A route that answers both, with an echo or a text that is worth compressing. */
const both = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return void res.type('text').send(LONG);
  for await (const message of req.websocket) req.websocket.send(message);
});

describe.each(EXPRESSES)('middleware that works on headers, on %s', (_name, express) => {
  test("helmet's headers are on the 101 as on any response, and the websocket works", async () => {
    const app = express();
    app.use(helmet());
    app.get('/', both);
    const site = await serve(app);
    const client = await connect(site);
    const overHttp = (await request(site, '/')).headers;

    expect(client.headers).toMatchObject({
      'content-security-policy': overHttp['content-security-policy'],
      'strict-transport-security': overHttp['strict-transport-security'],
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    expect(client.headers['x-powered-by']).toBeUndefined();
    expect(client.headers.connection).toBe('Upgrade');
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  test("cors puts its headers on the 101, and leaves the question who may connect to 'origins'", async () => {
    const app = express();
    app.use(cors({ origin: 'https://a.test', credentials: true }));
    app.get('/', both);
    app.get(
      '/open',
      acceptWebsocket(() => {}, { origins: ['https://a.test'] }),
    );
    const site = await serve(app);
    const { headers } = await connect(site, '/open', { origin: 'https://a.test' });
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://a.test',
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    });
    const refused = await requestUpgrade(site, '/', { origin: 'https://a.test' });
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('add it to origins');
  });

  test('a preflight on the path of a websocket is answered by cors', async () => {
    const app = express();
    app.use(cors());
    app.get('/', both);
    const answer = await request(await serve(app), '/', {
      method: 'OPTIONS',
      headers: { origin: 'https://a.test', 'access-control-request-method': 'GET' },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  test('compression compresses the HTTP answer of a route and leaves its websocket alone', async () => {
    const app = express();
    app.use(compression({ threshold: 0 }));
    app.get('/', both);
    const site = await serve(app);
    const zipped = await request(site, '/', { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');

    const client = await connect(site, '/', { headers: { 'accept-encoding': 'gzip' } });
    expect(client.headers['content-encoding']).toBeUndefined();
    client.send('hello', Buffer.from([1, 2, 3]), LONG);
    expect(await client.take(3)).toEqual(['hello', Buffer.from([1, 2, 3]), LONG]);
    expect(await client.close()).toEqual({ code: 1005, reason: '' });
  });

  test('an upgrade that a route answers with HTTP is compressed, and arrives whole', async () => {
    const app = express();
    app.use(compression({ threshold: 0 }));
    app.get('/page', (_req, res) => void res.type('text').send(LONG));
    const { port } = await serve(app);
    const req = get({
      port,
      path: '/page',
      headers: { ...HANDSHAKE, 'accept-encoding': 'gzip' },
      agent: false,
    });
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    expect(res.statusCode).toBe(200);
    expect(res.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(await buffer(res)).toString()).toBe(LONG);
  });

  test('a hop-by-hop header or one of a body, set by middleware for all answers, does not break the 101', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.set({
        Connection: 'close',
        Upgrade: 'h2',
        'Content-Type': 'text/html',
        ETag: 'x',
        'X-Kept': 'yes',
      });
      next();
    });
    app.get('/', both);
    const client = await connect(await serve(app));
    expect(client.headers).toMatchObject({ connection: 'Upgrade', upgrade: 'websocket', 'x-kept': 'yes' });
    expect(client.headers['content-type']).toBeUndefined();
    expect(client.headers.etag).toBeUndefined();
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });
});
