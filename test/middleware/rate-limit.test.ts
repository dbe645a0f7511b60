import { rateLimit } from 'express-rate-limit';
import { requireWebsocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { EXPRESSES } from './expresses.js';

describe.each(EXPRESSES)('express-rate-limit on %s', (_name, express) => {
  test('the third handshake in a minute gets 429 and never a 101', async () => {
    const app = express();
    let handled = 0;
    app.use(rateLimit({ windowMs: 60_000, limit: 2, standardHeaders: 'draft-6', legacyHeaders: false }));
    app.get(
      '/',
      requireWebsocket(async (req) => {
        handled++;
        await req.websocket.wait();
      }),
    );
    const site = await serve(app);
    const first = await connect(site);
    expect(first.headers).toMatchObject({ 'ratelimit-limit': '2', 'ratelimit-remaining': '1' });
    expect((await connect(site)).headers['ratelimit-remaining']).toBe('0');

    const refused = await requestUpgrade(site, '/');
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('60');
    expect(refused.headers.connection).toBe('close');
    expect(refused.body).toMatch(/Too many requests/);
    expect(handled).toBe(2);
    first.send('still open');
    expect((await first.closed()).code).toBe(1000);
  });

  test('skipFailedRequests forgives handshakes that were refused, and counts those that were not', async () => {
    const app = express();
    app.use(rateLimit({ windowMs: 60_000, limit: 1, skipFailedRequests: true }));
    app.get(
      '/',
      requireWebsocket((req) => req.websocket.wait()),
    );
    const site = await serve(app);
    for (let i = 0; i < 3; i++) {
      expect((await requestUpgrade(site, '/', { origin: 'https://foreign.test' })).status).toBe(403);
    }
    await connect(site);
    expect((await requestUpgrade(site, '/')).status).toBe(429);
  });

  test('behind a proxy that the app trusts, each client has its own count', async () => {
    const app = express();
    app.set('trust proxy', 'loopback');
    app.use(rateLimit({ windowMs: 60_000, limit: 1 }));
    app.get(
      '/',
      requireWebsocket((req) => req.websocket.wait()),
    );
    const site = await serve(app);
    await connect(site, '/', { headers: { 'x-forwarded-for': '192.0.2.1' } });
    await connect(site, '/', { headers: { 'x-forwarded-for': '192.0.2.2' } });
    expect((await requestUpgrade(site, '/', { 'x-forwarded-for': '192.0.2.1' })).status).toBe(429);
  });
});
