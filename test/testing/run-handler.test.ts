import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  requireWebsocket,
  WebsocketClosedError,
  type AcceptWebsocketHandler,
  type RequireWebsocketHandler,
  type RequireWebsocketRequest,
} from 'dwebsocket';
import {
  closeClients,
  connect,
  runHandler,
  type HandlerFields,
  type RunHandlerOptions,
} from 'dwebsocket/testing';

afterEach(async () => {
  vi.useRealTimers();
  await closeClients();
});

const echo: RequireWebsocketHandler = async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
};

/** Runs a handler that reads its request. */
async function readFromRequest<T>(
  see: (req: RequireWebsocketRequest) => T,
  ...rest: [fields?: HandlerFields<RequireWebsocketRequest>, options?: RunHandlerOptions]
): Promise<T> {
  const { ended } = runHandler((req: RequireWebsocketRequest) => see(req), ...rest);
  return (await ended).value as T;
}

test('the client can be used at once', async () => {
  const { client, ended } = runHandler(echo);
  client.send('1');
  client.send(Buffer.from('2'));
  expect(client.isClosed()).toBe(false);
  expect(await client.wait()).toBe('1');
  expect(await client.wait()).toEqual(Buffer.from('2'));
  await client.close(4000, 'enough');
  expect(await ended).toEqual({
    outcome: 'returned',
    value: undefined,
    error: undefined,
    code: 4000,
    reason: 'enough',
    wasClean: true,
  });
});

test('the time of a wait starts after the handshake, when the handler has begun', async () => {
  const begun: number[] = [];
  for (let i = 0; i < 5; i++) {
    const { client } = runHandler(async ({ websocket }) => {
      begun.push(i);
      await websocket.closed;
    });
    expect(await client.wait(1)).toBe(null);
    expect(begun).toContain(i);
    await client.close();
  }
});

test('a short wait reports a refused handshake', async () => {
  const { client } = runHandler(echo, {}, { origins: () => false });
  await expect(client.wait(1)).rejects.toThrow('the handshake was answered with 403 Forbidden');
});

test('an invalid message throws at once, and a buffer may be reused after send', async () => {
  const { client } = runHandler(echo);
  expect(() => client.send(1 as never)).toThrow(/JSON\.stringify/);
  const buffer = Buffer.from('a');
  client.send(buffer);
  buffer.fill('b');
  expect(await client.wait()).toEqual(Buffer.from('a'));
});

test('the client can close at once', async () => {
  const { client, ended } = runHandler(echo);
  await client.close();
  expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
});

test('a handler of acceptWebsocket runs as on a WebSocket request', async () => {
  const handler: AcceptWebsocketHandler = async (req, res) => {
    if (!req.isWebsocket()) return res.end();
    req.websocket.send('hello');
    return 'done';
  };
  const { client, ended } = runHandler(handler);
  expect(await client.wait()).toBe('hello');
  expect(await ended).toMatchObject({ outcome: 'returned', value: 'done', code: 1000 });
});

describe('the request has', () => {
  test('the given fields', async () => {
    const app = { locals: { name: 'chat' } };
    const fields = { params: { room: 'a' }, session: { name: 'Ada' }, user: { id: 7 }, app, ip: '10.0.0.1' };
    expect(
      await readFromRequest(
        (req) => ({ params: req.params, ...pick(req, ['session', 'user', 'app', 'ip']) }),
        fields,
      ),
    ).toEqual(fields);
  });

  test('empty params and an empty query by default', async () => {
    expect(await readFromRequest((req) => [req.params, req.query, req.url])).toEqual([{}, {}, '/']);
  });

  test('the query of its URL, or the given one', async () => {
    const url = '/chat?name=ada&n=1';
    expect(await readFromRequest((req) => [req.query, req.path, req.originalUrl], { url })).toEqual([
      { name: 'ada', n: '1' },
      '/chat',
      url,
    ]);
    expect(await readFromRequest((req) => req.query, { url, query: { list: ['1'] } })).toEqual({
      list: ['1'],
    });
  });

  test('headers as they arrive over a connection', async () => {
    const headers = { Authorization: 'Bearer 1', 'X-Number': 1, origin: 'https://elsewhere.test' };
    const seen = await readFromRequest((req) => [req.headers, req.get('AUTHORIZATION')], { headers });
    expect(seen[0]).toMatchObject({ authorization: 'Bearer 1', 'x-number': '1', upgrade: 'websocket' });
    expect(seen[1]).toBe('Bearer 1');
  });

  test.for([
    ['/', {}],
    ['/chat?a=1&a=2&b[c]=3&d', { host: 'chat.test:8000', referer: 'https://a.test/' }],
    ['/a%20b?q=%F0%9F%8E%89+x&q', { host: '[::1]:8000', Referrer: 'https://b.test/' }],
    ['//a/b?=1&toString=2', {}],
    ['/chat?', { host: 'localhost' }],
  ] as const)('the fields that Express adds, for %s', async ([url, headers]) => {
    const see = (req: RequireWebsocketRequest, res: express.Response) => ({
      ...pick(req, ['query', 'path', 'url', 'originalUrl', 'baseUrl', 'ip', 'ips', 'protocol', 'secure']),
      ...pick(req, ['hostname', 'host', 'params']),
      names: ['host', 'Referer', 'referrer', 'x-none'].map((name) => [req.get(name), req.header(name)]),
      locals: res.locals,
      response: [req.res === res, res.req === (req as unknown)],
    });
    const { ended } = runHandler(see, { url, headers });
    const app = express();
    let seen: unknown;
    app.get(
      /.*/,
      requireWebsocket((req, res) => {
        // The pattern has no params.
        seen = see(req as never, res as never);
      }),
    );
    const client = await connect(app, url, { headers });
    await client.closed;
    expect((await ended).value).toEqual(seen);
  });

  test('the given locals on its response, as an app or a middleware sets them', async () => {
    const locals = { user: 'Ada' };
    const { ended } = runHandler(
      (_req, res: express.Response) => {
        res.locals['seen'] = true;
        return res.locals['user'] as unknown;
      },
      { locals },
    );
    expect((await ended).value).toBe('Ada');
    expect(locals).toEqual({ user: 'Ada', seen: true });
  });

  test('secure: true, if its protocol is https', async () => {
    expect(await readFromRequest((req) => req.secure, { protocol: 'https' })).toBe(true);
  });

  test('a socket with an address', async () => {
    expect(await readFromRequest((req) => req.socket.remoteAddress)).toBe('127.0.0.1');
  });
});

describe('ended reports that the handler', () => {
  test('returned', async () => {
    expect(await runHandler(() => 42).ended).toMatchObject({ outcome: 'returned', value: 42, code: 1000 });
  });

  test.for([
    ['threw', () => fail()],
    ['rejected', async () => fail()],
    [
      'called next with an error',
      (_req: unknown, _res: unknown, next: (error: unknown) => void) => next(failure),
    ],
  ] as const)('%s', async ([, handler]) => {
    const { client, ended } = runHandler(handler);
    expect(await ended).toEqual({
      outcome: 'threw',
      value: undefined,
      error: failure,
      code: 1011,
      reason: '',
      wasClean: true,
    });
    await expect(client.wait()).rejects.toThrow('because the handler failed: Error: no tea');
  });

  test('called next()', async () => {
    const { client, ended } = runHandler((_req, _res, next) => {
      next();
    });
    expect(await ended).toMatchObject({ outcome: 'passed on', code: 1000 });
    expect(await client.wait()).toBeNull();
  });

  test('closed with its own code', async () => {
    const { ended } = runHandler((req) => req.websocket.close(4001, 'full'));
    expect(await ended).toMatchObject({ outcome: 'returned', code: 4001, reason: 'full' });
  });

  test('ended because its client had disconnected', async () => {
    const { client, ended } = runHandler(async (req) => {
      while (true) await req.websocket.wait();
    });
    client.terminate();
    const { outcome, error, code } = await ended;
    expect({ outcome, code }).toEqual({ outcome: 'threw', code: 1006 });
    expect(error).toBeInstanceOf(WebsocketClosedError);
  });
});

describe('a handler that does not end', () => {
  test('rejects at the deadline, and says so', async () => {
    const { client, ended } = runHandler((req) => req.websocket.wait(), {}, { deadline: 20 });
    await expect(ended).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message: 'expected the handler to end within 20 ms; it still runs, and its websocket is open',
    });
    client.send('go on');
    expect(await ended).toMatchObject({ outcome: 'returned', value: 'go on' });
  });

  test('also rejects when its client has disconnected', async () => {
    let stop!: () => void;
    const { client, ended } = runHandler(
      () => new Promise<void>((resolve) => (stop = resolve)),
      {},
      { deadline: 20 },
    );
    await client.close();
    await expect(ended).rejects.toThrow(
      'expected the handler to end within 20 ms; its websocket has closed, and it still runs',
    );
    stop();
    await ended;
  });

  test('causes no unhandled rejection if nobody awaits it', async () => {
    const { client } = runHandler(async () => fail());
    await client.closed;
  });
});

describe('options', () => {
  test('of the route apply', async () => {
    const handler: RequireWebsocketHandler<Record<string, string>, 'text'> = async (req) => {
      for await (const message of req.websocket) req.websocket.send(message.toUpperCase());
    };
    const { client, ended } = runHandler(handler, {}, { messages: 'text', maxPayload: 10 });
    client.send('hello');
    expect(await client.wait()).toBe('HELLO');
    client.send(Buffer.from('x'));
    expect(await ended).toMatchObject({ code: 1003 });
  });

  test('protocols are offered and chosen', async () => {
    const { client, ended } = runHandler(
      (req) => req.websocket.protocol,
      {},
      { protocols: ['chat', 'superchat'] },
    );
    expect((await ended).value).toBe('chat');
    expect(client.protocol).toBe('chat');
  });

  test.for([
    [{ deadline: -1 }, 'option "deadline" must be'],
    [{ maxPayload: 0 }, 'option "maxPayload" must be'],
    [{ timeout: 1 }, 'unknown option "timeout"; known options: messages,'],
  ] as const)('%o throws', ([options, message]) => {
    expect(() => runHandler(echo, {}, options as object)).toThrow(message);
  });
});

test('a value that is not a function throws', () => {
  expect(() => runHandler(undefined as never)).toThrow(
    "runHandler takes the route's handler, a function (req, res) => …; got undefined",
  );
});

describe('a refused handshake', () => {
  const runRefused = () =>
    runHandler(echo, { headers: { origin: 'https://b.test' } }, { origins: ['https://a.test'] });
  const why =
    'the handshake was answered with 403 Forbidden: ' +
    'origin "https://b.test" is not allowed here; add it to origins, or pass origins: \'any\'';

  test('rejects all waits, and says why', async () => {
    const { client, ended } = runRefused();
    await expect(client.wait()).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message: `expected a message within 1000 ms; ${why}`,
      cause: { code: 'ERR_WEBSOCKET_HANDSHAKE', status: 403 },
    });
    await expect(client.closed).rejects.toThrow(`expected the websocket to close within 1000 ms; ${why}`);
    await expect(client.ping()).rejects.toMatchObject({ status: 403 });
    await expect(ended).rejects.toMatchObject({ status: 403 });
    expect(await client.send('x')).toBe(false);
    expect(client.isClosed()).toBe(true);
  });

  test('rejects an iteration and `ended`', async () => {
    const { client } = runRefused();
    await expect(client[Symbol.asyncIterator]().next()).rejects.toThrow(why);
    await expect(runRefused().client.closed).rejects.toThrow(why);
  });

  test('causes no unhandled rejection if nobody awaits `ended`', async () => {
    // Vitest fails the run for an unhandled rejection.
    const { client } = runRefused();
    await expect(client.wait()).rejects.toThrow('403');
    await client.close();
  });

  test('reports a broken connection, too', async () => {
    const { client } = runHandler(
      echo,
      {},
      {
        origins: (_origin, req) => {
          req.socket.destroy();
          return true;
        },
      },
    );
    client.send('hello');
    await expect(client.wait()).rejects.toThrow(
      'expected a message within 1000 ms; the handshake failed: the server closed the connection',
    );
  });
});

test('works with a fake clock', async () => {
  vi.useFakeTimers();
  const { client, ended } = runHandler(async (req) => {
    while (await req.websocket.sleep(1_000)) req.websocket.send('tick');
  });
  client.send('hello');
  await expect(client.wait(1)).resolves.toBeNull();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await client.wait()).toBe('tick');
  await client.close();
  expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
});

test('a handler with only the types of Node can be run', async () => {
  const handler = (req: IncomingMessage, res: ServerResponse) => `${req.url!} ${res.statusCode}`;
  expect((await runHandler(handler, { url: '/a' }).ended).value).toBe('/a 101');
});

const failure = new Error('no tea');

function fail(): never {
  throw failure;
}

function pick(object: object, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, (object as Record<string, unknown>)[name]]));
}
