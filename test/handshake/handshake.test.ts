import { describe, expect, test } from 'vitest';
import express from 'express';
import { requireWebsocket, type WebsocketOptions } from 'dwebsocket';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { connectRaw, RFC_ACCEPT } from '../support/raw-client.js';
import { requestUpgrade } from '../support/request.js';
import { serve, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

/** Serves a route that closes at once, with some options. */
const serveRoute = (options?: WebsocketOptions) =>
  serve(requireWebsocket(({ websocket }) => void websocket.close(), options));

/** Sends a handshake with some headers changed, and returns the response. `undefined` removes a header. */
async function shakeHands(site: Site, headers: Record<string, string | undefined>, httpVersion = '1.1') {
  const client = await connectRaw(site.port, { headers, httpVersion });
  const response = await client.response();
  if (response.status !== 101) await client.end();
  client.destroy();
  return { status: response.status, headers: response.headers, body: response.body() };
}

test('the response to the example handshake of the RFC is the one in the RFC', async () => {
  const { status, headers } = await shakeHands(await serveRoute(), {});
  expect(status).toBe(101);
  expect(headers.get('upgrade')).toBe('websocket');
  expect(headers.get('connection')).toBe('Upgrade');
  expect(headers.get('sec-websocket-accept')).toBe(RFC_ACCEPT);
  expect(headers.has('sec-websocket-protocol')).toBe(false);
  expect(headers.has('sec-websocket-extensions')).toBe(false);
});

test.for([
  ['names in upper case', { Upgrade: 'WEBSOCKET', Connection: 'UPGRADE' }],
  ["Firefox's Connection", { Connection: 'keep-alive, Upgrade' }],
  ['a body of length 0', { 'Content-Length': '0' }],
] as const)('a handshake with %s is accepted', async ([, headers]) => {
  expect((await shakeHands(await serveRoute(), headers)).status).toBe(101);
});

describe('a malformed handshake gets a response that says why, and the connection closes', () => {
  test.for([
    ['no key', { 'Sec-WebSocket-Key': undefined }, 400, 'Sec-WebSocket-Key'],
    [
      'a key that is not base64',
      { 'Sec-WebSocket-Key': 'not base64 at all, sir!!' },
      400,
      'Sec-WebSocket-Key',
    ],
    ['a key of 15 bytes', { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }, 400, '16 bytes'],
    ['an empty key', { 'Sec-WebSocket-Key': '' }, 400, 'Sec-WebSocket-Key'],
    ['no version', { 'Sec-WebSocket-Version': undefined }, 400, 'Sec-WebSocket-Version'],
    ['version 8', { 'Sec-WebSocket-Version': '8' }, 426, 'version 13'],
    ['version 14', { 'Sec-WebSocket-Version': '14' }, 426, 'version 13'],
    ['a version that is not a number', { 'Sec-WebSocket-Version': 'new' }, 426, 'version 13'],
    ['an empty subprotocol', { 'Sec-WebSocket-Protocol': 'chat,,' }, 400, 'Sec-WebSocket-Protocol'],
    ['a subprotocol twice', { 'Sec-WebSocket-Protocol': 'chat, chat' }, 400, 'Sec-WebSocket-Protocol'],
    ['a subprotocol with a space', { 'Sec-WebSocket-Protocol': 'my chat' }, 400, 'Sec-WebSocket-Protocol'],
    ['malformed extensions', { 'Sec-WebSocket-Extensions': 'foo=bar; ;' }, 400, 'Sec-WebSocket-Extensions'],
  ] as const)('%s', async ([, headers, status, text]) => {
    const answer = await shakeHands(await serveRoute(), headers);
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(text);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('a response with 426 names the supported version', async () => {
    const { headers } = await shakeHands(await serveRoute(), { 'Sec-WebSocket-Version': '7' });
    expect(headers.get('sec-websocket-version')).toBe('13');
  });

  test('invalid parameters of permessage-deflate', async () => {
    const site = await serveRoute({ perMessageDeflate: true });
    const offer = 'permessage-deflate; server_max_window_bits=99';
    const answer = await shakeHands(site, { 'Sec-WebSocket-Extensions': offer });
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('Sec-WebSocket-Extensions') });
  });

  test('HTTP/1.0', async () => {
    const answer = await shakeHands(await serveRoute(), {}, '1.0');
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('HTTP/1.1');
  });
});

describe('protocols', () => {
  test('that the route does not support cause one warning for the route, without their names', async () => {
    const warnings = watchWarnings();
    for (const options of [{}, { protocols: ['other'] }]) {
      const site = await serveRoute(options);
      for (let i = 0; i < 2; i++) {
        const { headers } = await shakeHands(site, { 'Sec-WebSocket-Protocol': 'chat.v1, secret-token' });
        expect(headers.has('sec-websocket-protocol')).toBe(false);
      }
      const { code, message } = await warnings.next();
      expect(code).toBe('WEBSOCKET_PROTOCOL');
      expect(message).toContain("protocols: ['chat.v1']");
      expect(message).not.toContain('secret-token');
    }
    // No warning comes after either remedy of the text, nor for a function, which may choose no protocol.
    for (const [options, offered] of [
      [{ protocols: ['chat.v1'] }, 'chat.v1, secret-token'],
      [{}, undefined],
      [{ protocols: () => false as const }, 'chat.v1'],
    ] as const) {
      await shakeHands(await serveRoute(options), { 'Sec-WebSocket-Protocol': offered });
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.rest()).toEqual([]);
  });

  test.for([
    ['the one in common', ['chat'], ['chat', 'superchat'], 'chat'],
    ["the server's first choice", ['v2', 'v1'], ['v1', 'v2'], 'v2'],
    ['none without a common one', ['chat'], ['mqtt'], ''],
    ['none by default', undefined, ['chat'], ''],
    ['none if the client offers none', ['chat'], [], ''],
    ['the choice of a function', (offered: readonly string[]) => offered.at(-1)!, ['a', 'b', 'c'], 'c'],
    ['none if a function returns false', () => false as const, ['a'], ''],
  ] as const)('%s', async ([, protocols, offered, agreed]) => {
    const client = await connect(await serveRoute({ protocols }), '/', { protocols: [...offered] }).catch(
      (error: unknown) => error as Error,
    );
    // A client of ws fails if the server chooses none of its protocols, as browsers do.
    if (client instanceof Error) expect([agreed, client.message]).toEqual(['', 'Server sent no subprotocol']);
    else expect(client.ws.protocol).toBe(agreed);
  });

  test('none in common: the handshake succeeds without a protocol', async () => {
    const site = await serveRoute({ protocols: ['chat'] });
    const { status, headers } = await shakeHands(site, { 'Sec-WebSocket-Protocol': 'mqtt' });
    expect(status).toBe(101);
    expect(headers.has('sec-websocket-protocol')).toBe(false);
  });

  test('a function receives the offered protocols and the request', async () => {
    const calls = new Inbox<unknown[]>();
    const site = await serveRoute({
      protocols: (offered, req) => {
        calls.push([offered, req.url]);
        return 'b';
      },
    });
    await connect(site, '/room?id=1', { protocols: ['a', 'b'] });
    expect(await calls.next()).toEqual([['a', 'b'], '/room?id=1']);
  });

  test.for([
    ['a name that was not offered', () => 'other'],
    ['a promise', (() => Promise.resolve('a')) as never],
    ['true', (() => true) as never],
  ] as const)(
    'a function that returns %s fails the request in the app, with an error that names the rule',
    async ([, protocols]) => {
      const errors = new Inbox<Error>();
      const app = express();
      app.get(
        '/',
        requireWebsocket(() => {}, { protocols }),
      );
      app.use(((error: Error, _req, res, _next) => {
        errors.push(error);
        res.sendStatus(500);
      }) as express.ErrorRequestHandler);
      const answer = await requestUpgrade(await serve(app), '/', { 'sec-websocket-protocol': 'a' });
      expect(answer.status).toBe(500);
      expect(await errors.next()).toMatchObject({ code: 'ERR_WEBSOCKET_OPTION', option: 'protocols' });
    },
  );
});

describe('origins', () => {
  const origin = (value: string) => ({ origin: value });

  test.for([
    ['no Origin header, because the client is not a browser', undefined, {}, 101],
    ['the same host', undefined, { Host: 'a.test', ...origin('http://a.test') }, 101],
    ['the same host with a port', undefined, { Host: 'a.test:81', ...origin('https://a.test:81') }, 101],
    [
      'the same host with its default port',
      undefined,
      { Host: 'a.test:443', ...origin('https://a.test') },
      101,
    ],
    ['another case of the same host', undefined, { Host: 'A.test', ...origin('http://a.TEST') }, 101],
    ['another host', undefined, { Host: 'a.test', ...origin('http://b.test') }, 403],
    ['another port', undefined, { Host: 'a.test:80', ...origin('http://a.test:81') }, 403],
    [
      'a host that only begins with the same text',
      undefined,
      { Host: 'a.test', ...origin('http://a.test.evil.test') },
      403,
    ],
    ['the origin null of a sandboxed frame', undefined, { Host: 'a.test', ...origin('null') }, 403],
    ['an invalid origin', undefined, { Host: 'a.test', ...origin('a.test') }, 403],
    [
      'localhost for 127.0.0.1',
      undefined,
      { Host: '127.0.0.1:8000', ...origin('http://localhost:8000') },
      101,
    ],
    ['[::1] for localhost', undefined, { Host: 'localhost:8000', ...origin('http://[::1]:8000') }, 101],
    [
      'loopback names with other ports',
      undefined,
      { Host: 'localhost:8000', ...origin('http://127.0.0.1:3000') },
      403,
    ],
    ['a loopback page on a public host', undefined, { Host: 'a.test', ...origin('http://localhost') }, 403],
    [
      'a public page whose name resembles loopback',
      undefined,
      { Host: 'localhost', ...origin('http://127.0.0.1.evil.test') },
      403,
    ],
    ["'any'", 'any', { Host: 'a.test', ...origin('http://b.test') }, 101],
    ['a listed origin', ['https://b.test'], origin('https://b.test'), 101],
    ['a listed origin in another case', ['https://B.test'], origin('https://b.test'), 101],
    ['an origin that is not listed', ['https://b.test'], origin('https://c.test'), 403],
    [
      'the host of the request, missing from a list',
      ['https://b.test'],
      { Host: 'a.test', ...origin('https://a.test') },
      403,
    ],
    ['no Origin header, with a list', ['https://b.test'], {}, 101],
    ['any origin, with an empty list', [], origin('http://127.0.0.1'), 403],
    ['a RegExp that matches', [/^https:\/\/[a-z]+\.b\.test$/], origin('https://www.b.test'), 101],
    [
      'a RegExp that does not match',
      [/^https:\/\/[a-z]+\.b\.test$/],
      origin('https://b.test.evil.test'),
      403,
    ],
    ['a function that returns true', () => true, origin('https://c.test'), 101],
    ['a function that returns false', () => false, origin('http://127.0.0.1'), 403],
    ['a function that returns a truthy value', (() => 'yes') as never, origin('http://127.0.0.1'), 403],
    ['a function that returns undefined', (() => undefined) as never, origin('http://127.0.0.1'), 403],
    [
      'a function that refuses requests without an Origin header',
      (value?: string) => value !== undefined,
      {},
      403,
    ],
  ] as const)('%s', async ([, origins, headers, status]) => {
    watchWarnings();
    expect((await shakeHands(await serveRoute({ origins }), headers)).status).toBe(status);
  });

  test('a foreign origin gets a body that says what to do, and each such origin causes one warning', async () => {
    const warnings = watchWarnings();
    const site = await serveRoute();
    for (let round = 0; round < 2; round++) {
      for (const page of ['https://a.test', 'https://b.test', 'https://c.test']) {
        const { status, body } = await requestUpgrade(site, '/chat', { origin: page });
        expect(status).toBe(403);
        expect(body).toContain(
          `origin "${page}" is not allowed here; add it to origins, or pass origins: 'any'`,
        );
        expect(body).toContain('proxy_set_header Host $http_host');
        expect(body).toContain('Vite: leave out changeOrigin, or add rewriteWsOrigin: true');
      }
    }
    for (const page of ['https://a.test', 'https://b.test', 'https://c.test']) {
      expect(await warnings.next()).toMatchObject({
        code: 'WEBSOCKET_ORIGIN',
        message: expect.stringContaining(`/chat: origin "${page}" is not allowed here`),
      });
    }
    expect(warnings.rest()).toEqual([]);
  });

  test('a route warns of at most ten foreign origins, so that clients cannot fill a log', async () => {
    const warnings = watchWarnings();
    const sites = [await serveRoute(), await serveRoute()];
    for (const site of sites) {
      for (let i = 0; i < 20; i++) {
        await requestUpgrade(site, '/', { origin: `https://${'a'.repeat(1_000)}${String(i % 2)}.test` });
        await requestUpgrade(site, '/', { origin: `https://${String(i)}.test` });
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
    const told = warnings.rest();
    expect(told).toHaveLength(20);
    expect(told[9]!.message).toContain('the last warning of this kind here');
    for (const { message } of told) expect(message.length).toBeLessThan(1_000);
  });

  test.for([
    ...['null', 'file://', 'content://', 'app://-', 'capacitor://localhost', 'ionic://localhost'],
    ...[
      'tauri://localhost',
      'chrome-extension://abcdefghijklmnop',
      'moz-extension://0a1b2c-3d',
      'https://[::1]:8443',
    ],
    ...['android-app://com.example', 'https://xn--mnchen-3ya.example', 'http://localhost:3000'],
  ])('%s is accepted once it is added to origins, as the 403 says', async (page) => {
    const warnings = watchWarnings();
    const headers = { Host: 'a.test', origin: page };
    for (const options of [{}, { origins: ['https://b.test'] }]) {
      const { status, body } = await shakeHands(await serveRoute(options), headers);
      expect(status).toBe(403);
      expect(body).toContain(`origin ${JSON.stringify(page)} is not allowed here; add it to origins`);
      expect(body).toContain("or pass origins: 'any'");
    }
    expect((await shakeHands(await serveRoute({ origins: [page] }), headers)).status).toBe(101);
    expect((await shakeHands(await serveRoute({ origins: [page.toUpperCase()] }), headers)).status).toBe(101);
    expect((await shakeHands(await serveRoute({ origins: 'any' }), headers)).status).toBe(101);
    warnings.rest();
  });

  test.for([
    'a.test',
    '*',
    'https://a.test/',
    'https://a.test/path',
    'https://',
    'http://a.test, http://b.test',
    'file',
    '',
  ])('a header that is not an origin (%j) is accepted by a RegExp, as the 403 says', async (page) => {
    watchWarnings();
    const headers = { Host: 'own.test', origin: page };
    for (const options of [{}, { origins: ['https://b.test'] }]) {
      const { status, body } = await shakeHands(await serveRoute(options), headers);
      expect(status).toBe(403);
      expect(body).toContain('add a RegExp that matches this text to origins');
      expect(body).not.toContain('add it to origins');
    }
    const escaped = page.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
    const site = await serveRoute({ origins: [new RegExp(`^${escaped}$`)] });
    expect((await shakeHands(site, headers)).status).toBe(101);
    expect(() => requireWebsocket(() => {}, { origins: [page] })).toThrow('an origin: scheme://host');
  });

  test('a function receives the origin and the request', async () => {
    const calls = new Inbox<unknown[]>();
    const site = await serveRoute({
      origins: (value, req) => {
        calls.push([value, req.url]);
        return true;
      },
    });
    await connect(site, '/a', { origin: 'https://a.test' });
    await connect(site, '/b');
    expect(await calls.next()).toEqual(['https://a.test', '/a']);
    expect(await calls.next()).toEqual([undefined, '/b']);
  });

  test('a function that returns a promise fails the request: a promise would allow every origin', async () => {
    const warnings = watchWarnings();
    const site = await serveRoute({ origins: (async () => false) as never });
    expect(await requestUpgrade(site, '/')).toMatchObject({ status: 500, body: 'Internal Server Error\n' });
    expect((await warnings.next()).message).toContain(
      'option "origins" must be a function that returns true or false',
    );
  });

  describe("the request's host behind a proxy", () => {
    const behindProxy = { Host: 'backend:8000', 'x-forwarded-host': 'a.test', origin: 'https://a.test' };

    async function serveExpress(trust?: unknown) {
      const app = express();
      if (trust !== undefined) app.set('trust proxy', trust);
      app.get(
        '/',
        requireWebsocket(() => {}),
      );
      return serve(app);
    }

    test('is taken from X-Forwarded-Host if the app trusts the proxy', async () => {
      expect((await shakeHands(await serveExpress(true), behindProxy)).status).toBe(101);
      expect((await shakeHands(await serveExpress('loopback'), behindProxy)).status).toBe(101);
      const two = { ...behindProxy, 'x-forwarded-host': 'a.test, inner.test' };
      expect((await shakeHands(await serveExpress(true), two)).status).toBe(101);
    });

    test('is not taken from X-Forwarded-Host if the app does not trust the proxy', async () => {
      watchWarnings();
      const answer = await shakeHands(await serveExpress(), behindProxy);
      expect(answer.status).toBe(403);
      expect(answer.body).toContain("app.set('trust proxy', …)");
      expect((await shakeHands(await serveExpress('10.0.0.1'), behindProxy)).status).toBe(403);
    });

    test('is not taken from X-Forwarded-Host without Express, which has the setting for trusted proxies', async () => {
      watchWarnings();
      const { status, body } = await shakeHands(await serveRoute(), behindProxy);
      expect(status).toBe(403);
      expect(body).not.toContain('trust proxy');
      const forwarded = { ...behindProxy, Host: 'a.test' };
      expect((await shakeHands(await serveRoute(), forwarded)).status).toBe(101);
    });
  });
});
