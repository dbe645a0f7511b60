import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  openWebsockets,
  requireWebsocket,
  WebsocketClosedError,
  WebsocketError,
  type RequireWebsocketHandler,
  type Websocket,
} from 'dwebsocket';
import { closeClients, connect, WebsocketExpectationError } from 'dwebsocket/testing';
import { listen } from '../support/serve.js';

afterEach(async () => {
  vi.useRealTimers();
  await closeClients();
});

const untilClosed: RequireWebsocketHandler = (req) => req.websocket.closed;
const silent = requireWebsocket(untilClosed);

/** Returns the error of a promise that must reject. */
async function errorOf(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    (value) => expect.fail(`gave ${String(value)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
}

describe('a wait without a timeout', () => {
  test('rejects at the deadline, and says that nothing came', async () => {
    const client = await connect(silent, '/', { deadline: 20 });
    const error = await errorOf(client.wait());
    expect(error).toMatchObject({
      name: 'WebsocketExpectationError',
      code: 'ERR_WEBSOCKET_EXPECTATION',
      message: 'expected a message within 20 ms; the websocket is open, and nothing came',
      expected: 'a message within 20 ms',
      came: 'the websocket is open, and nothing came',
    });
    expect(error).toBeInstanceOf(WebsocketExpectationError);
    expect(error).toBeInstanceOf(WebsocketError);
    expect(error).not.toBeInstanceOf(WebsocketClosedError);
  });

  test('rejects after a second by default', async () => {
    const client = await connect(silent);
    await expect(client.wait()).rejects.toThrow('expected a message within 1000 ms');
  });

  test('shows the last message', async () => {
    const greeting = requireWebsocket(async (req) => {
      req.websocket.send('welcome');
      await req.websocket.wait();
      req.websocket.send(Buffer.alloc(12));
      await req.websocket.closed;
    });
    const client = await connect(greeting, '/', { deadline: 20 });
    expect(await client.wait()).toBe('welcome');
    await expect(client.wait()).rejects.toThrow('nothing came; the last message was the string "welcome"');
    client.send('more');
    await client.wait();
    await expect(client.wait()).rejects.toThrow('nothing came; the last message was 12 bytes');
  });

  test('loses no message when it rejects', async () => {
    const echo = requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    });
    const client = await connect(echo, '/', { deadline: 20 });
    await expect(client.wait()).rejects.toThrow(WebsocketExpectationError);
    client.send('late');
    expect(await client.wait()).toBe('late');
  });

  test('has the line of the test in the stack of its error', async () => {
    const client = await connect(silent, '/', { deadline: 20 });
    const error = await errorOf(client.wait());
    expect(error.stack!.split('\n')[1]).toContain('test-client.test.ts');
  });

  test('does not time out because the process was busy', async () => {
    const busy = requireWebsocket(async (req) => {
      const end = performance.now() + 300;
      while (performance.now() < end);
      req.websocket.send('done');
    });
    const client = await connect(busy, '/', { deadline: 200 });
    expect(await client.wait()).toBe('done');
  });
});

describe('when the handler fails', () => {
  const failing = requireWebsocket(async (req) => {
    if ((await req.websocket.wait()) !== null) throw new TypeError('no such room');
  });

  /** Sends a message that makes the handler fail. */
  async function connectToFailing(target: Parameters<typeof connect>[0] = failing) {
    const app = (req: http.IncomingMessage, res: http.ServerResponse) => {
      failing(req, res, () => {});
    };
    const client = await connect(target === failing ? app : target);
    client.send('fail');
    return client;
  }

  test('a wait rejects with its error', async () => {
    const client = await connectToFailing();
    const error = await errorOf(client.wait());
    expect(error.message).toBe(
      'expected a message within 1000 ms; ' +
        'the websocket closed with 1011, because the handler failed: TypeError: no such room',
    );
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test('so does a wait with a timeout', async () => {
    const client = await connectToFailing();
    await expect(client.wait(500)).rejects.toThrow(
      'expected a message within 500 ms; the websocket closed with 1011',
    );
  });

  test('so does a later wait', async () => {
    const client = await connectToFailing();
    await client.closed;
    await expect(client.wait()).rejects.toThrow('the websocket closed with 1011, because the handler failed');
    await expect(client.wait()).rejects.toThrow(WebsocketClosedError);
  });

  test('all pending waits reject', async () => {
    const client = await connectToFailing();
    const waits = await Promise.allSettled([client.wait(), client.wait(500), client.wait()]);
    expect(waits.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await expect(client.wait()).rejects.toThrow(WebsocketClosedError);
  });

  test('an iteration rejects, too', async () => {
    const client = await connectToFailing();
    const iterate = async () => {
      for await (const message of client) expect(message).toBe('nothing');
    };
    await expect(iterate()).rejects.toThrow(
      'expected a message or the end within 1000 ms; the websocket closed with 1011, because the handler failed',
    );
  });

  test('earlier messages are read first', async () => {
    const route = requireWebsocket((req) => {
      req.websocket.send('before');
      throw new Error('too bad');
    });
    const client = await connect((req: http.IncomingMessage, res: http.ServerResponse) => {
      route(req, res, () => {});
    });
    await client.closed;
    expect(await client.wait()).toBe('before');
    await expect(client.wait()).rejects.toThrow('too bad; the last message was the string "before"');
  });

  test('closed resolves with the code as always', async () => {
    const client = await connectToFailing();
    expect(await client.closed).toEqual({ code: 1011, reason: '', wasClean: true });
  });

  test('its error is also known over the network if it ran in this process', async () => {
    const { server } = await listen(
      http.createServer((req, res) => {
        failing(req, res, () => {});
      }),
    );
    const client = await connectToFailing(server);
    await expect(client.wait()).rejects.toThrow('TypeError: no such room');
  });

  test('each client gets the error of its own handler', async () => {
    const route = requireWebsocket(async (req) => {
      throw new Error(`failed for ${req.url}`);
    });
    const app = (req: http.IncomingMessage, res: http.ServerResponse) => {
      route(req, res, () => {});
    };
    const clients = [await connect(app, '/1'), await connect(app, '/2')];
    for (const [i, client] of clients.entries()) {
      await expect(client.wait()).rejects.toThrow(`Error: failed for /${i + 1}`);
    }
  });
});

describe('a close', () => {
  test.for([1000, 1001, 1008, 3000, 4000])('with %d resolves a wait with null', async (code) => {
    const client = await connect(requireWebsocket((req) => req.websocket.close(code)));
    expect(await client.wait()).toBeNull();
    expect((await client.closed).code).toBe(code);
  });

  test('with 1011 shows its reason', async () => {
    const client = await connect(requireWebsocket((req) => req.websocket.close(1011, 'out of tea')));
    await expect(client.wait()).rejects.toThrow('the websocket closed with 1011 (out of tea)');
  });

  test('without a close frame rejects a wait', async () => {
    const client = await connect(
      requireWebsocket((req) => {
        req.socket.destroy();
      }),
    );
    await expect(client.wait()).rejects.toThrow(
      'expected a message within 1000 ms; the websocket closed with 1006',
    );
  });

  test('by the test itself resolves a wait with null', async () => {
    const cut = await connect(silent);
    cut.terminate();
    expect(await cut.wait()).toBeNull();
    expect(await cut.closed).toMatchObject({ code: 1006 });
    const closed = await connect(silent);
    await closed.close(1011);
    expect(await closed.wait()).toBeNull();
  });
});

describe('closed', () => {
  test('rejects when the websocket stays open until the deadline', async () => {
    const client = await connect(silent, '/', { deadline: 20 });
    const error = await errorOf(client.closed);
    expect(error.message).toBe(
      'expected the websocket to close within 20 ms; the websocket is open, and nothing came',
    );
    expect(error.stack!.split('\n')[1]).toContain('test-client.test.ts');
  });

  test('reports the number of unread messages', async () => {
    const chatty = requireWebsocket(async (req) => {
      req.websocket.send('1');
      req.websocket.send('2');
      await req.websocket.closed;
    });
    const client = await connect(chatty, '/', { deadline: 20 });
    await expect(client.closed).rejects.toThrow('2 messages are unread; the last message was the string "2"');
  });

  test('starts its deadline when it is awaited', async () => {
    const client = await connect(silent, '/', { deadline: 20 });
    const { closed } = client;
    await expect(client.wait()).rejects.toThrow(WebsocketExpectationError);
    await client.close(4000);
    expect(await closed).toMatchObject({ code: 4000 });
    const settled: string[] = [];
    await closed.then(() => settled.push('then'));
    await closed.finally(() => settled.push('finally'));
    await closed.catch(() => settled.push('catch'));
    expect(settled).toEqual(['then', 'finally']);
  });
});

test('an iteration rejects at the deadline, and loses no message', async () => {
  const echo = requireWebsocket(async (req) => {
    for await (const message of req.websocket) req.websocket.send(message);
  });
  const client = await connect(echo, '/', { deadline: 20 });
  const messages = client[Symbol.asyncIterator]();
  await expect(messages.next()).rejects.toThrow(
    'expected a message or the end within 20 ms; the websocket is open, and nothing came',
  );
  client.send('late');
  expect(await messages.next()).toEqual({ done: false, value: 'late' });
});

test('an unanswered ping rejects at the deadline', async () => {
  const busy = requireWebsocket(async (req) => {
    req.socket.pause();
    await req.websocket.closed;
  });
  const client = await connect(busy, '/', { deadline: 20 });
  await expect(client.ping()).rejects.toThrow('expected a pong within 20 ms');
  client.terminate();
});

test('close() terminates the connection to a server that does not answer', async () => {
  const pausedRoute = requireWebsocket(async (req) => {
    req.socket.pause();
    await req.websocket.closed;
  });
  const client = await connect(pausedRoute, '/', { deadline: 20 });
  await client.close();
  expect(await client.closed).toEqual({ code: 1000, reason: '', wasClean: false });
});

describe('a client that breaks the protocol', () => {
  test.for([
    ['an unmasked frame', { payload: 'hello', masked: false }, 1002],
    ['a frame of a reserved opcode', { opcode: 3 }, 1002],
    ['reserved bits', { payload: 'hello', rsv: 4 }, 1002],
    ['a continuation of nothing', { opcode: 0, payload: 'hello' }, 1002],
    ['a fragmented ping', { opcode: 9, fin: false }, 1002],
    ['a long ping', { opcode: 9, payload: 'x'.repeat(126) }, 1002],
    ['text that is no UTF-8', { opcode: 1, payload: Buffer.from([0xff]) }, 1007],
    ['a close frame with a code that does not exist', { opcode: 8, payload: Buffer.from([0, 1]) }, 1002],
    ['the header of a frame that is too large', { payload: 'x', length: 2 ** 21 }, 1009],
    ['the header of a frame beyond all measure', { length: 2n ** 62n }, 1009],
  ] as const)('sends %s', async ([, frame, code]) => {
    const client = await connect(silent);
    client.sendFrame(frame);
    expect((await client.closed).code).toBe(code);
  });

  test('sends a message in fragments', async () => {
    const client = await connect(
      requireWebsocket(async (req) => void req.websocket.send((await req.websocket.wait())!)),
    );
    client.sendFrame({ payload: 'hel', fin: false });
    client.sendFrame({ opcode: 0, payload: 'x'.repeat(70_000), fin: false });
    client.sendFrame({ opcode: 0, payload: 'lo'.repeat(100) });
    expect(await client.wait()).toBe(`hel${'x'.repeat(70_000)}${'lo'.repeat(100)}`);
  });

  test('sends bytes that are not frames', async () => {
    const client = await connect(silent);
    client.sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect((await client.closed).code).toBe(1002);
  });
});

describe('with a fake clock', () => {
  test('messages arrive and waits and closes end while the clock stands still', async () => {
    vi.useFakeTimers();
    const echo = requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    });
    const client = await connect(echo, '/', { deadline: 50 });
    client.send('hello');
    expect(await client.wait()).toBe('hello');
    expect(await client.wait(1)).toBeNull();
    await expect(client.wait()).rejects.toThrow(WebsocketExpectationError);
    await client.close();
  });

  test('close() terminates the connection to a server that does not read', async () => {
    vi.useFakeTimers();
    const pausedRoute = requireWebsocket(async (req) => {
      req.socket.pause();
      await req.websocket.closed;
    });
    const client = await connect(pausedRoute, '/', { deadline: 20 });
    await client.close();
    expect(client.isClosed()).toBe(true);
  });

  test('the test advances the clock of the handler', async () => {
    vi.useFakeTimers();
    const ticking = requireWebsocket(async (req) => {
      while (await req.websocket.sleep(60_000)) req.websocket.send('tick');
    });
    const client = await connect(ticking);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await client.wait()).toBe('tick');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await client.wait()).toBe('tick');
  });
});

test('a test client publishes nothing on the diagnostics channels', async () => {
  const told: string[] = [];
  const names = ['send', 'receive', 'close'].map((name) => `dwebsocket.${name}`);
  const listener = (message: unknown, name: string | symbol) => {
    const { request } = (message as { websocket: Websocket }).websocket;
    if (request.url?.includes('/told') === true) told.push(String(name));
  };
  for (const name of names) subscribe(name, listener);
  const server = http.createServer(
    requireWebsocket(async (req) => void req.websocket.send((await req.websocket.wait())!)),
  );
  const client = await connect(server, '/told');
  const ends = [...openWebsockets(server)].map(({ closed }) => closed);
  client.send('hello');
  await client.wait();
  await Promise.all([client.closed, ...ends]);
  for (const name of names) unsubscribe(name, listener);
  expect(told.sort()).toEqual(['dwebsocket.close', 'dwebsocket.receive', 'dwebsocket.send']);
});
