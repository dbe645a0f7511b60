import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  WebsocketClosedError,
  type AcceptWebsocketHandler,
  type RequireWebsocketHandler,
  type RequireWebsocketRequest,
} from 'dwebsocket';
import { closeClients, runHandler, type HandlerFields, type RunHandlerOptions } from 'dwebsocket/testing';

afterEach(async () => {
  vi.useRealTimers();
  await closeClients();
});

const echo: RequireWebsocketHandler = async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
};

/** Runs a handler that looks at its request. */
async function look<T>(
  see: (req: RequireWebsocketRequest) => T,
  ...rest: [fields?: HandlerFields<RequireWebsocketRequest>, options?: RunHandlerOptions]
): Promise<T> {
  const { ended } = runHandler((req: RequireWebsocketRequest) => see(req), ...rest);
  return (await ended).value as T;
}

test('the client talks to the handler, at once', async () => {
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

test('a message that cannot be sent throws at once, and a buffer may be refilled', async () => {
  const { client } = runHandler(echo);
  expect(() => client.send(1 as never)).toThrow(/JSON\.stringify/);
  const buffer = Buffer.from('a');
  client.send(buffer);
  buffer.fill('b');
  expect(await client.wait()).toEqual(Buffer.from('a'));
});

test('the client can leave at once', async () => {
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
  test('what is given', async () => {
    const app = { locals: { name: 'chat' } };
    const fields = { params: { room: 'a' }, session: { name: 'Ada' }, user: { id: 7 }, app, ip: '10.0.0.1' };
    expect(
      await look((req) => ({ params: req.params, ...pick(req, ['session', 'user', 'app', 'ip']) }), fields),
    ).toEqual(fields);
  });

  test('empty params and an empty query, when none are given', async () => {
    expect(await look((req) => [req.params, req.query, req.url])).toEqual([{}, {}, '/']);
  });

  test('the query of its URL, or the one that is given', async () => {
    const url = '/chat?name=ada&n=1';
    expect(await look((req) => [req.query, req.path, req.originalUrl], { url })).toEqual([
      { name: 'ada', n: '1' },
      '/chat',
      url,
    ]);
    expect(await look((req) => req.query, { url, query: { list: ['1'] } })).toEqual({ list: ['1'] });
  });

  test('headers that have gone over the wire', async () => {
    const headers = { Authorization: 'Bearer 1', 'X-Number': 1, origin: 'https://elsewhere.test' };
    const seen = await look((req) => [req.headers, req.get('AUTHORIZATION')], { headers });
    expect(seen[0]).toMatchObject({ authorization: 'Bearer 1', 'x-number': '1', upgrade: 'websocket' });
    expect(seen[1]).toBe('Bearer 1');
  });

  test('a socket with an address', async () => {
    expect(await look((req) => req.socket.remoteAddress)).toBe('127.0.0.1');
  });
});

describe('ended tells that the handler', () => {
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
    await expect(client.wait()).rejects.toThrow('for the handler failed: Error: no tea');
  });

  test('passed on to the next handler', async () => {
    const { client, ended } = runHandler((_req, _res, next) => {
      next();
    });
    expect(await ended).toMatchObject({ outcome: 'passed on', code: 1000 });
    expect(await client.wait()).toBeNull();
  });

  test('closed with a code of its own', async () => {
    const { ended } = runHandler((req) => req.websocket.close(4001, 'full'));
    expect(await ended).toMatchObject({ outcome: 'returned', code: 4001, reason: 'full' });
  });

  test('ended because its client had left', async () => {
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
  test('fails the test at the deadline, and says so', async () => {
    const { client, ended } = runHandler((req) => req.websocket.wait(), {}, { deadline: 20 });
    await expect(ended).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message: 'expected the handler to end within 20 ms; it still runs, and its websocket is open',
    });
    client.send('go on');
    expect(await ended).toMatchObject({ outcome: 'returned', value: 'go on' });
  });

  test('when its client has left, fails as well', async () => {
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

  test('is no unhandled rejection, when nobody asks', async () => {
    const { client } = runHandler(async () => fail());
    await client.closed;
  });
});

describe('options', () => {
  test('of the route hold', async () => {
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
    [{ timeout: 1 }, 'option "timeout" must be left out'],
  ] as const)('%o is refused', ([options, message]) => {
    expect(() => runHandler(echo, {}, options as object)).toThrow(message);
  });
});

test('what is no handler is told so', () => {
  expect(() => runHandler(undefined as never)).toThrow(
    "runHandler takes the route's handler, a function (req, res) => …; got undefined",
  );
});

test('a handshake that cannot be fails the waits', async () => {
  const { client, ended } = runHandler(echo, {}, { origins: () => false, deadline: 20 });
  await expect(client.wait()).rejects.toThrow('the websocket closed with 1006');
  await expect(ended).rejects.toMatchObject({ status: 403 });
  expect(await client.send('x')).toBe(false);
});

test('works on a fake clock', async () => {
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

test('handlers that name the types of Node only can be run', async () => {
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
