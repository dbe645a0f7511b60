import express from 'express';
import { acceptWebsocket, requireWebsocket, type WebsocketOptions } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect, type Client } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { request, requestUpgrade } from '../support/request.js';
import { requirement } from '../support/requirements.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';
import { change, hasNginx, recommendedSnippet, startNginx } from './nginx.js';

function build(options: WebsocketOptions = {}) {
  const app = express();
  app.all(
    '/echo',
    acceptWebsocket(async (req, res) => {
      if (!req.isWebsocket())
        return void res.json({ ip: req.ip, protocol: req.protocol, host: req.get('host') });
      for await (const message of req.websocket) req.websocket.send(message);
    }, options),
  );
  app.get(
    '/only',
    requireWebsocket(() => {}, options),
  );
  return app;
}

/** Resolves when so many pings have come. */
async function waitForPings(client: Client, count: number): Promise<void> {
  const pings = new Inbox<true>();
  client.ws.on('ping', () => pings.push(true));
  for (let i = 0; i < count; i++) await pings.next('ping');
}

const HOST_LINE = 'proxy_set_header Host $http_host;';

describe.runIf(requirement('nginx', hasNginx))('behind nginx', () => {
  test('the recommended snippet brings websockets and plain HTTP to the app', async () => {
    const app = build();
    app.set('trust proxy', 'loopback');
    const nginx = await startNginx(await serve(app), recommendedSnippet());
    const client = await connect(nginx, '/echo', { origin: `http://127.0.0.1:${nginx.port}` });
    const large = 'x'.repeat(1_000_000);
    client.send('hello', Buffer.from([0, 1, 2]), large);
    expect(await client.take(3)).toEqual(['hello', Buffer.from([0, 1, 2]), large]);
    expect(await client.close(4000, 'bye')).toEqual({ code: 4000, reason: 'bye' });
    expect(JSON.parse((await request(nginx, '/echo')).body)).toEqual({
      ip: '127.0.0.1',
      protocol: 'http',
      host: `127.0.0.1:${nginx.port}`,
    });
  });

  test('the same snippet works where nginx terminates TLS', async () => {
    const app = build();
    app.set('trust proxy', 'loopback');
    const nginx = await startNginx(await serve(app), recommendedSnippet(), { tls: true });
    const client = await connect(nginx, '/echo', { origin: `https://127.0.0.1:${nginx.port}` });
    client.send('hello');
    expect(await client.next()).toBe('hello');
    expect(JSON.parse((await request(nginx, '/echo')).body)).toMatchObject({ protocol: 'https' });
  });

  test('a page of another site gets 403 through the recommended snippet, too', async () => {
    const nginx = await startNginx(await serve(build()), recommendedSnippet());
    const { status } = await requestUpgrade(nginx, '/echo', { origin: 'https://evil.test' });
    expect(status).toBe(403);
  });

  test('without the line for Host the answer is 403, and says what to do', async () => {
    const warnings = watchWarnings();
    const nginx = await startNginx(await serve(build()), change(recommendedSnippet(), HOST_LINE, ''));
    const origin = `http://127.0.0.1:${nginx.port}`;
    const { status, body } = await requestUpgrade(nginx, '/echo', { origin });
    expect(status).toBe(403);
    expect(body).toContain(`origin "${origin}" is not allowed here`);
    expect(body).toContain('the host of this request is "app"');
    expect(body).toContain('nginx: proxy_set_header Host $http_host');
    expect((await warnings.next('warning')).message).toContain('proxy_set_header Host $http_host');
    // What is no browser sends no origin, and gets in.
    expect((await (await connect(nginx, '/echo')).close(1000)).code).toBe(1000);
  });

  test('with X-Forwarded-Host in its place the app has to trust the proxy, as the 403 says', async () => {
    const forwarding = change(
      recommendedSnippet(),
      HOST_LINE,
      'proxy_set_header X-Forwarded-Host $http_host;',
    );
    const app = build();
    const nginx = await startNginx(await serve(app), forwarding);
    const origin = `http://127.0.0.1:${nginx.port}`;
    const refused = await requestUpgrade(nginx, '/echo', { origin });
    expect(refused.status).toBe(403);
    expect(refused.body).toContain("app.set('trust proxy'");
    app.set('trust proxy', 'loopback');
    const client = await connect(nginx, '/echo', { origin });
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  test('without the lines for the upgrade a route that needs a websocket says what the proxy must do', async () => {
    let snippet = change(recommendedSnippet(), 'proxy_set_header Upgrade $http_upgrade;', '');
    snippet = change(snippet, 'proxy_set_header Connection $connection_upgrade;', '');
    const nginx = await startNginx(await serve(build()), snippet);
    const { status, body } = await requestUpgrade(nginx, '/only');
    expect(status).toBe(400);
    expect(body).toContain('make each proxy forward both headers, Upgrade and Connection');
  });

  test('without the line for HTTP/1.1 the answer is 400, and says so', async () => {
    const nginx = await startNginx(
      await serve(build()),
      change(recommendedSnippet(), 'proxy_http_version 1.1;', ''),
    );
    const { status, body } = await requestUpgrade(nginx, '/only');
    expect(status).toBe(400);
    expect(body).toContain('make sure that no proxy uses HTTP/1.0');
  });

  const impatient = () => change(recommendedSnippet(), 'proxy_read_timeout 60s;', 'proxy_read_timeout 2s;');

  test('the heartbeat keeps an idle connection open beyond the time-out of nginx', async () => {
    const nginx = await startNginx(await serve(build({ heartbeat: 300 })), impatient());
    const client = await connect(nginx, '/echo');
    // Twice that patience, at least.
    await waitForPings(client, 14);
    client.send('still here');
    expect(await client.next()).toBe('still here');
  });

  test('without the heartbeat nginx ends an idle connection', async () => {
    const nginx = await startNginx(await serve(build({ heartbeat: false })), impatient());
    const client = await connect(nginx, '/echo');
    expect((await client.closed()).code).toBe(1006);
  });
});
