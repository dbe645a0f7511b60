import express from 'express';
import { describe, expect, test } from 'vitest';
import { acceptWebsocket, requireWebsocket } from 'dwebsocket';
import { FRAMEWORKS } from '../support/frameworks.js';
import { connectRaw, handshakeRequest } from '../support/raw-client.js';
import { request, requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

describe('requireWebsocket', () => {
  test.for(FRAMEWORKS)('answers plain HTTP with 400 and never runs the handler, on %s', async ([, build]) => {
    const { route, app } = build();
    route(
      '/',
      requireWebsocket(() => expect.unreachable()),
    );
    const site = await serve(app);
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      const { status, headers, body } = await request(site, '/', { method });
      // The client has announced that it closes the connection.
      expect([status, headers.upgrade, headers.connection]).toEqual([400, 'websocket', 'Upgrade, close']);
      expect(headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(body).toBe('this route accepts only WebSocket requests; connect with a WebSocket client\n');
    }
    const head = await request(site, '/', { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([400, '']);
  });

  test.for([
    ['HTTP/1.1', '', 'Upgrade', true],
    ['HTTP/1.1', 'Connection: close\r\n', 'Upgrade, close', false],
    ['HTTP/1.0', '', 'Upgrade, close', false],
    ['HTTP/1.0', 'Connection: keep-alive\r\n', 'Upgrade, keep-alive', true],
    ['HTTP/1.1', 'X-Last: yes\r\n', 'Upgrade, close', false],
  ] as const)(
    'keeps the connection open or closes it like any response: %s, %j',
    async ([version, header, connection, staysOpen]) => {
      const app = express();
      app.use((req, res, next) => {
        // http-terminator does this while a server closes.
        if (req.get('X-Last') !== undefined) res.set('Connection', 'close');
        next();
      });
      app.get('/other', (_req, res) => res.send('another answer'));
      app.get(
        '/',
        requireWebsocket(() => {}),
      );
      const site = await serve(app);
      const format = (path: string) => `GET ${path} ${version}\r\nHost: a\r\n${header}\r\n`;
      const client = await connectRaw(site.port, { request: format('/') });
      const { status, headers, body } = await client.response();
      expect([status, headers.get('connection')]).toEqual([400, connection]);
      if (staysOpen) {
        client.write(format('/other'));
        await client.until(() => body().includes('another answer'), 'another answer');
        client.destroy();
      } else {
        await client.end();
      }
    },
  );

  test('mentions the proxy if half of the handshake is missing', async () => {
    const site = await serve(requireWebsocket(() => {}));
    const { status, body } = await request(site, '/', {
      headers: { upgrade: 'websocket', connection: 'close' },
    });
    expect(status).toBe(400);
    expect(body).toContain('make each proxy forward both headers, Upgrade and Connection');
  });

  test.for([
    ['HTTP/1.1', '1.1', undefined, 'Upgrade', true],
    ['HTTP/1.1 that closes', '1.1', 'close', 'Upgrade, close', false],
    ['HTTP/1.0', '1.0', undefined, 'Upgrade, close', false],
    ['HTTP/1.0 that is kept', '1.0', 'keep-alive', 'Upgrade, keep-alive', true],
  ] as const)(
    'keeps or closes the connection like any response: %s',
    async ([, httpVersion, connection, answered, isKept]) => {
      const site = await serve(requireWebsocket(() => {}));
      const headers = {
        'Sec-WebSocket-Key': undefined,
        'Sec-WebSocket-Version': undefined,
        Upgrade: undefined,
        Connection: connection,
      };
      const client = await connectRaw(site.port, { headers, httpVersion });
      const response = await client.response();
      expect([response.status, response.headers.get('connection')]).toEqual([400, answered]);
      if (isKept) {
        client.write(handshakeRequest({ headers, httpVersion }));
        await client.until(() => response.body().includes('HTTP/1.1 400'), 'a second answer');
        client.destroy();
      } else {
        expect(await client.ended).toBe('end');
      }
    },
  );

  test('closes the connection after its last allowed request', async () => {
    const site = await serve(requireWebsocket(() => {}));
    site.server.maxRequestsPerSocket = 1;
    const headers = { Upgrade: undefined, Connection: undefined };
    const client = await connectRaw(site.port, { headers });
    expect((await client.response()).headers.get('connection')).toBe('Upgrade, close');
    expect(await client.ended).toBe('end');
  });

  test('answers with one body: Express adds none', async () => {
    const app = express();
    app.get(
      '/',
      requireWebsocket(() => {}),
    );
    app.use((_req, res) => res.status(500).send('next() was called'));
    expect((await request(await serve(app), '/')).status).toBe(400);
  });
});

test('a wrapper around an async handler returns no promise to Express', async () => {
  const rejected = acceptWebsocket(() => Promise.reject(new Error('for next() only')));
  const errors: unknown[] = [];
  const site = await serve((req, res) => {
    const result: unknown = rejected(req, res, (error) => {
      errors.push(error);
      res.end('told');
    });
    expect(result).toBeUndefined();
  });
  expect((await request(site, '/')).body).toBe('told');
  expect(errors).toHaveLength(1);
});

test('one handler that is wrapped twice serves two routes with different options', async () => {
  watchWarnings();
  const handler = () => {};
  const app = express();
  app.get('/a', requireWebsocket(handler, { origins: ['https://a.test'] }));
  app.get('/b', requireWebsocket(handler, { origins: ['https://b.test'] }));
  const site = await serve(app);
  expect((await requestUpgrade(site, '/a', { origin: 'https://b.test' })).status).toBe(403);
  expect((await requestUpgrade(site, '/b', { origin: 'https://a.test' })).status).toBe(403);
});
