import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import express from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import {
  closeWebsockets,
  requireWebsocket,
  websocketMiddleware,
  type HandedOverWebsocket,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { connect, type Client, type ConnectOptions } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { recordErrors } from '../support/record-errors.js';
import { serve, type Site } from '../support/serve.js';

interface Route {
  site: Site;
  client: Client;
  websocket: Websocket;
  socket: HandedOverWebsocket;
  errors: Inbox<unknown>;
}

/** An app whose route does what `use` does, and hands the websocket over if `use` does not. */
async function handOver(
  use: (socket: HandedOverWebsocket, websocket: Websocket) => unknown = () => {},
  { options = {}, client = {} }: { options?: WebsocketOptions; client?: ConnectOptions } = {},
): Promise<Route> {
  const errors = new Inbox<unknown>();
  const opened = defer<[Websocket, HandedOverWebsocket]>();
  const app = express();
  app.get(
    '/',
    requireWebsocket((req) => {
      const socket = req.websocket.handOver();
      opened.resolve([req.websocket, socket]);
      return use(socket, req.websocket);
    }, options),
  );
  app.use(recordErrors(errors));
  const site = await serve(app);
  const peer = await connect(site, '/', client);
  const [websocket, socket] = await opened.promise;
  return { site, client: peer, websocket, socket, errors };
}

function echo(socket: HandedOverWebsocket): void {
  socket.on('message', (data, isBinary) => {
    socket.send(data as Buffer, { binary: isBinary });
  });
}

describe('a library', () => {
  test('gets a WebSocket of ws, whose handler may return', async () => {
    const { client, socket } = await handOver(echo);
    expect(socket).toBeInstanceOf(WebSocket);
    expect([socket.readyState, socket.OPEN, socket.CLOSED]).toEqual([1, 1, 3]);
    client.send('text', Buffer.from([1, 2, 3]), '', '日本語 🚀', 'x'.repeat(100_000));
    expect(await client.take(5)).toEqual([
      'text',
      Buffer.from([1, 2, 3]),
      '',
      '日本語 🚀',
      'x'.repeat(100_000),
    ]);
  });

  test('gets text as a Buffer, and binary messages as its binaryType says', async () => {
    const { client, socket } = await handOver();
    const messages = new Inbox<unknown>();
    socket.on('message', (data, isBinary) => messages.push([data, isBinary]));
    client.send('text', Buffer.from([1, 2]));
    expect(await messages.next('text')).toEqual([Buffer.from('text'), false]);
    expect(await messages.next('bytes')).toEqual([Buffer.from([1, 2]), true]);
    for (const [type, expected] of [
      ['arraybuffer', new Uint8Array([1, 2]).buffer],
      ['fragments', [Buffer.from([1, 2])]],
    ] as const) {
      (socket as { binaryType: string }).binaryType = type;
      client.send(Buffer.from([1, 2]));
      expect(await messages.next(type)).toEqual([expected, true]);
      client.send('text');
      expect(await messages.next('text')).toEqual([Buffer.from('text'), false]);
    }
    (socket as { binaryType: string }).binaryType = 'blob';
    client.send(Buffer.from([1, 2]));
    const [blob] = (await messages.next('blob')) as [Blob];
    expect(Buffer.from(await blob.arrayBuffer())).toEqual(Buffer.from([1, 2]));
  });

  test('may use the listeners of the WHATWG', async () => {
    const { client, socket } = await handOver();
    const events = new Inbox<unknown>();
    socket.onmessage = ({ data }: { data: unknown }) => events.push(data);
    socket.addEventListener(
      'close',
      ({ code, reason, wasClean }: { code: number; reason: string; wasClean: boolean }) => {
        events.push([code, reason, wasClean]);
      },
    );
    client.send('one');
    expect(await events.next('message')).toBe('one');
    client.ws.close(4001, 'bye');
    expect(await events.next('close')).toEqual([4001, 'bye', true]);
  });

  test('gets messages that came before the first listener, and before handing over', async () => {
    const messages = new Inbox<string>();
    const app = express();
    const ready = defer<HandedOverWebsocket>();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await vi.waitFor(() => {
          expect(req.websocket.countMessages()).toBe(2);
        });
        ready.resolve(req.websocket.handOver());
      }),
    );
    const client = await connect(await serve(app));
    client.send('one', 'two');
    const socket = await ready.promise;
    client.send('three');
    await client.flush();
    socket.on('message', (data) => messages.push((data as Buffer).toString()));
    client.send('four');
    for (const expected of ['one', 'two', 'three', 'four'])
      expect(await messages.next(expected)).toBe(expected);
  });

  test('gets nothing in the turn in which it adds a listener', async () => {
    const { client, socket } = await handOver();
    client.send('early');
    await client.flush();
    const got = defer<string>();
    let isReady = false as boolean;
    socket.on('message', (data) => {
      got.resolve(`${(data as Buffer).toString()} ${String(isReady)}`);
    });
    isReady = true;
    expect(await got.promise).toBe('early true');
  });

  test('holds a client that sends more than maxQueue before the first listener', async () => {
    const { client, socket, websocket } = await handOver(undefined, { options: { maxQueue: 10_000 } });
    const count = 20_000;
    for (let i = 0; i < count; i++) client.ws.send('x'.repeat(1_000));
    await vi.waitFor(() => {
      expect(websocket.countMessages()).toBeGreaterThan(5);
    });
    expect(client.ws.bufferedAmount).toBeGreaterThan(1_000_000);
    expect(websocket.countMessages()).toBeLessThan(200);
    let received = 0;
    const all = defer();
    socket.on('message', () => {
      if (++received === count) all.resolve();
    });
    await all.promise;
  });

  test('learns of a close that came before its first listener', async () => {
    const { client, socket, websocket } = await handOver();
    client.send('last words');
    await client.close(4000, 'gone');
    await websocket.closed;
    expect(socket.readyState).toBe(socket.CLOSED);
    const events = new Inbox<unknown>();
    socket.on('close', (code: number, reason: Buffer) => events.push([code, String(reason)]));
    socket.on('message', (data) => events.push((data as Buffer).toString()));
    expect(await events.next('message')).toBe('last words');
    expect(await events.next('close')).toEqual([4000, 'gone']);
  });

  test('learns of a close that came before handing over', async () => {
    const events = new Inbox<unknown>();
    const app = express();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await req.websocket.closed;
        const socket = req.websocket.handOver();
        socket.on('message', (data) => events.push((data as Buffer).toString()));
        socket.on('close', (code: number) => events.push(code));
      }),
    );
    const client = await connect(await serve(app));
    client.send('one');
    await client.close(1000);
    expect(await events.next('message')).toBe('one');
    expect(await events.next('close')).toBe(1000);
  });

  test.each([
    ['closes', (client: Client) => client.close(4002, 'reason'), [4002, 'reason']],
    ['closes without a code', (client: Client) => client.close(), [1005, '']],
    ['vanishes', (client: Client) => client.vanish(), [1006, '']],
  ])('learns that the client %s; no error handler is called', async (_how, leave, expected) => {
    const { client, socket, errors } = await handOver();
    const closed = once(socket, 'close');
    await leave(client);
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, String(reason)]).toEqual(expected);
    expect(errors.rest()).toEqual([]);
  });

  test('pauses and resumes', async () => {
    const { client, socket } = await handOver();
    const messages: string[] = [];
    socket.on('message', (data) => messages.push((data as Buffer).toString()));
    socket.pause();
    expect(socket.isPaused).toBe(true);
    client.send('one', 'two');
    await client.flush();
    expect(messages).toEqual([]);
    socket.resume();
    socket.pause();
    socket.resume();
    await expect.poll(() => messages).toEqual(['one', 'two']);
    client.send('three');
    await expect.poll(() => messages).toEqual(['one', 'two', 'three']);
    socket.pause();
    client.send('four');
    // As from ws: what came before the end is delivered before it.
    const closed = once(socket, 'close');
    await client.close();
    await closed;
    expect(messages).toEqual(['one', 'two', 'three', 'four']);
  });

  test('gets messages that come between two listeners', async () => {
    const { client, socket } = await handOver();
    client.send('one', 'two');
    const [first] = (await once(socket, 'message')) as [Buffer];
    await client.flush();
    const [second] = (await once(socket, 'message')) as [Buffer];
    expect([String(first), String(second)]).toEqual(['one', 'two']);
  });

  test('gets no message after the close', async () => {
    const { client, socket, websocket } = await handOver();
    const events = new Inbox<string>();
    socket.on('close', () => events.push('close'));
    client.send('unread');
    await client.close();
    expect(await events.next('close')).toBe('close');
    socket.on('message', () => events.push('message'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(events.rest()).toEqual([]);
    expect(websocket.countMessages()).toBe(0);
  });

  test.each(['off', 'removeAllListeners'] as const)(
    'gets messages that come after %s(), as soon as it listens again',
    async (method) => {
      const { client, socket } = await handOver();
      const messages = new Inbox<string>();
      const listener = (data: unknown): void => {
        messages.push(String(data));
      };
      socket.on('message', listener);
      client.send('one');
      expect(await messages.next('message')).toBe('one');
      if (method === 'off') socket.off('message', listener);
      else socket.removeAllListeners();
      const pinged = once(socket, 'ping');
      client.send('two');
      client.ws.ping();
      await pinged;
      socket.on('message', listener);
      expect(await messages.next('message')).toBe('two');
    },
  );

  test('emits events of its own, which reach nobody else', async () => {
    const { client, socket, websocket } = await handOver();
    const messages: unknown[] = [];
    socket.on('message', (data) => messages.push(data));
    socket.emit('message', 'again', false);
    socket.emit('close', 1000, Buffer.alloc(0));
    expect(messages).toEqual(['again']);
    expect(websocket.isClosed()).toBe(false);
    client.send('still here');
    await expect.poll(() => messages.length).toBe(2);
  });

  test('gets pings and pongs; pings are answered all the same', async () => {
    const { client, socket } = await handOver();
    const ping = once(socket, 'ping');
    await client.flush();
    expect(String(((await ping) as [Buffer])[0])).toBe('flush');
    const pong = once(socket, 'pong');
    const written = defer<unknown>();
    socket.ping('hello', false, written.resolve);
    await written.promise;
    expect(String(((await pong) as [Buffer])[0])).toBe('hello');
    socket.ping();
    await once(socket, 'pong');
  });

  test('that answers pings itself is protected from a client that does not read', async () => {
    const { client, socket } = await handOver(
      (socket) => {
        socket.on('ping', (data: Buffer) => {
          socket.pong(data);
        });
      },
      { options: { maxBuffered: 100_000 } },
    );
    const closed = once(socket, 'close');
    client.ws.pause();
    const pings = setInterval(() => {
      for (let i = 0; i < 5_000; i++) client.ws.ping(Buffer.alloc(120));
    });
    onTestFinished(() => {
      clearInterval(pings);
    });
    expect(((await closed) as [number])[0]).toBe(1006);
  });

  test('may use a websocket that was refused: it has closed', async () => {
    const errors = new Inbox<unknown>();
    const results = new Inbox<unknown>();
    const app = express();
    app.use(websocketMiddleware({ acceptAll: true, origins: [] }));
    app.get('/', (req, res) => {
      const socket = (req as unknown as { websocket: Websocket }).websocket.handOver();
      results.push(socket.readyState);
      socket.ping((error: Error) => results.push(error));
      socket.pong('', false, (error) => results.push(error));
      socket.terminate();
      res.end();
    });
    app.use(recordErrors(errors));
    await expect(connect(await serve(app), '/', { origin: 'https://other.test' })).rejects.toThrow('403');
    expect(await results.next('state')).toBe(WebSocket.CLOSED);
    expect(await results.next('result of ping')).toBeInstanceOf(Error);
    expect(await results.next('result of pong')).toBeInstanceOf(Error);
    expect(errors.rest()).toEqual([]);
  });

  test('gets no events of the protocol if it does not listen: a broken frame ends with 1002', async () => {
    const { client, socket, errors } = await handOver();
    const closed = defer();
    // `once` of node:events would listen to 'error', too.
    socket.on('close', closed.resolve);
    // A frame with an unknown opcode.
    (client.ws as unknown as { _socket: NodeJS.WritableStream })._socket.write(
      Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
    );
    expect((await client.closed()).code).toBe(1002);
    await closed.promise;
    expect(errors.rest()).toEqual([]);
  });

  test('gets the error of a broken frame if it listens', async () => {
    const { client, socket } = await handOver();
    const error = once(socket, 'error');
    (client.ws as unknown as { _socket: NodeJS.WritableStream })._socket.write(
      Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
    );
    expect(((await error) as [Error])[0].message).toMatch(/opcode/);
  });

  test('works with createWebSocketStream of ws', async () => {
    const { client } = await handOver((socket) => {
      const stream = createWebSocketStream(socket);
      stream.on('error', () => {});
      stream.pipe(stream);
    });
    const bytes = Buffer.alloc(200_000, 'abc');
    client.send(bytes);
    expect(await client.next()).toEqual(bytes);
    await client.close(1000);
  });
});

describe('what a library sends', () => {
  test('arrives in order, whatever its type', async () => {
    const { client, socket } = await handOver();
    const data: unknown[] = [
      'text',
      7,
      Buffer.from('bytes'),
      new Uint8Array([1]),
      new Uint16Array([2]),
      new Uint8Array([3]).buffer,
      [4, 5],
      new Blob(['blob']),
      'after the blob',
      undefined,
      '',
    ];
    for (const each of data) socket.send(each as Buffer);
    expect(await client.take(data.length)).toEqual([
      'text',
      '7',
      Buffer.from('bytes'),
      Buffer.from([1]),
      Buffer.from([2, 0]),
      Buffer.from([3]),
      Buffer.from([4, 5]),
      Buffer.from('blob'),
      'after the blob',
      Buffer.alloc(0),
      '',
    ]);
    expect(() => {
      socket.send({} as unknown as string);
    }).toThrow(TypeError);
  });

  test('calls back when it is written, with or without options', async () => {
    const { client, socket } = await handOver();
    const errors = new Inbox<unknown>();
    socket.send('one', (error) => errors.push(String(error)));
    socket.send('two', {}, (error) => errors.push(String(error)));
    socket.send('three', { binary: true }, (error) => {
      errors.push(String(error));
      socket.terminate();
    });
    for (let i = 0; i < 3; i++) expect(await errors.next('callback')).toBe('undefined');
    expect(await client.take(3)).toEqual(['one', 'two', Buffer.from('three')]);
    expect((await client.closed()).code).toBe(1006);
    socket.send('late', (error) => errors.push(String(error)));
    expect(await errors.next('callback')).toMatch(/not open/);
  });

  test('calls back only when the client reads, if much is buffered', async () => {
    const { client, socket } = await handOver();
    client.ws.pause();
    const chunk = Buffer.alloc(1_000_000);
    let called = 0;
    for (let i = 0; i < 10; i++) socket.send(chunk, () => called++);
    await vi.waitFor(() => {
      expect(socket.bufferedAmount).toBeGreaterThan(1_000_000);
    });
    expect(called).toBeLessThan(10);
    client.ws.resume();
    await client.take(10);
    await expect.poll(() => called).toBe(10);
    expect(socket.bufferedAmount).toBe(0);
  });

  test('is limited by maxBuffered', async () => {
    const { client, socket } = await handOver(undefined, { options: { maxBuffered: 100_000 } });
    client.ws.pause();
    const closed = once(socket, 'close');
    const chunk = Buffer.alloc(1_000_000);
    for (let i = 0; i < 20; i++) socket.send(chunk);
    expect(((await closed) as [number])[0]).toBe(1006);
  });

  test.each([
    ['one Blob', {}],
    ['one part', { fin: false }],
  ])('may have more than maxBuffered bytes in %s; the next one ends the connection', async (_, sending) => {
    const { client, socket } = await handOver(undefined, { options: { maxBuffered: 100_000 } });
    const bytes = new Uint8Array(200_000);
    const send = 'fin' in sending ? bytes : new Blob([bytes]);
    const results = new Inbox<boolean>();
    socket.send(send as Buffer, sending, (error) => results.push(error instanceof Error));
    if ('fin' in sending) socket.send('');
    expect(await client.next()).toHaveLength(200_000);
    expect(await results.next('callback')).toBe(false);
    socket.send(send as Buffer, sending);
    socket.send('', sending, (error) => results.push(error instanceof Error));
    expect(await results.next('callback')).toBe(true);
    expect((await client.closed()).code).toBe(1006);
  });

  test.each([{}, { perMessageDeflate: true }])(
    'goes out in one piece, in spite of messages to its group (options %j)',
    async (options) => {
      const { client, socket, websocket } = await handOver(undefined, {
        options,
        client: { perMessageDeflate: 'perMessageDeflate' in options },
      });
      const group = createGroups().group('all');
      group.add(websocket);
      socket.send('one, ', { fin: false });
      const isAccepted = defer<unknown>();
      socket.send('two, ', { fin: false }, isAccepted.resolve);
      await isAccepted.promise;
      await group.send('to all');
      expect(socket.bufferedAmount).toBeGreaterThan(0);
      socket.send('three');
      socket.send('four');
      expect(await client.take(3)).toEqual(['to all', 'one, two, three', 'four']);
    },
  );

  test('may be text in bytes, and bytes in text', async () => {
    const { client, socket } = await handOver();
    socket.send(Buffer.from('text'), { binary: false });
    socket.send('bytes', { binary: true });
    socket.send(Buffer.from('日本語').subarray(0, 4), { binary: false, fin: false });
    socket.send(Buffer.from('日本語').subarray(4));
    expect(await client.take(3)).toEqual(['text', Buffer.from('bytes'), '日本語']);
  });

  test('mixes with what the app sends', async () => {
    const { client, socket, websocket } = await handOver();
    socket.send('one');
    websocket.send('two');
    socket.send('three');
    expect(await client.take(3)).toEqual(['one', 'two', 'three']);
  });
});

describe('a library closes', () => {
  test('with a code and a reason', async () => {
    const { client, socket, websocket } = await handOver();
    socket.send('bye');
    socket.close(4400, 'because');
    expect(socket.readyState).toBe(socket.CLOSING);
    expect(await client.next()).toBe('bye');
    expect(await client.closed()).toEqual({ code: 4400, reason: 'because' });
    expect(await websocket.closed).toEqual({ code: 4400, reason: 'because', wasClean: true });
    socket.close(4401);
  });

  test('without a code', async () => {
    const { client, socket } = await handOver();
    socket.close();
    expect((await client.closed()).code).toBe(1005);
  });

  test.each([1005, 1006, 999, 5000, Number.NaN, '1000'])(
    'not with the code %s, and stays open',
    async (code) => {
      const { client, socket, websocket } = await handOver(echo);
      expect(() => {
        socket.close(code as number);
      }).toThrow(RangeError);
      expect(websocket.isClosed()).toBe(false);
      client.send('still here');
      expect(await client.next()).toBe('still here');
    },
  );

  test('with a reason that is too long, which is cut between two characters', async () => {
    const { client, socket } = await handOver();
    socket.close(4500, 'é'.repeat(100));
    expect(await client.closed()).toEqual({ code: 4500, reason: 'é'.repeat(61) });
  });

  test('while the client closes, too', async () => {
    const { client, socket } = await handOver((socket) => {
      socket.on('message', () => {
        socket.close(4001);
      });
    });
    const closed = once(socket, 'close');
    client.send('close');
    client.ws.close(4002);
    await closed;
    expect([4001, 4002]).toContain((await client.closed()).code);
  });

  test('at once with terminate(), after what it has sent', async () => {
    const { client, socket } = await handOver();
    socket.send('last');
    socket.terminate();
    expect(await client.next()).toBe('last');
    expect((await client.closed()).code).toBe(1006);
  });

  test('late: a Blob goes out before the close frame', async () => {
    const { client, socket } = await handOver();
    socket.send(new Blob(['blob']));
    socket.close(1000);
    expect(await client.next()).toEqual(Buffer.from('blob'));
    expect((await client.closed()).code).toBe(1000);
  });
});

describe('a listener', () => {
  test('that throws closes with 1011, and the error handlers get the error', async () => {
    const { client, socket, errors } = await handOver();
    const failure = new Error('listener');
    socket.on('message', () => {
      throw failure;
    });
    client.send('one');
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    expect(await errors.next('error')).toBe(failure);
  });

  test('that throws gets no more messages', async () => {
    const { client, socket } = await handOver();
    client.send('one', 'two', 'three');
    await client.flush();
    const messages: string[] = [];
    socket.on('message', (data) => {
      messages.push((data as Buffer).toString());
      throw new Error('listener');
    });
    expect((await client.closed()).code).toBe(1011);
    expect(messages).toEqual(['one']);
  });

  test('that rejects does the same', async () => {
    const { client, socket, errors } = await handOver();
    const failure = new Error('listener');
    socket.on('message', () => Promise.reject(failure));
    client.send('one');
    expect((await client.closed()).code).toBe(1011);
    expect(await errors.next('error')).toBe(failure);
  });

  test('of "close" that throws reaches the error handlers', async () => {
    const { client, socket, errors } = await handOver();
    const failure = new Error('listener');
    socket.on('close', () => {
      throw failure;
    });
    await client.close();
    expect(await errors.next('error')).toBe(failure);
  });

  test('of a route behind websocketMiddleware, too', async () => {
    const errors = new Inbox<unknown>();
    const failure = new Error('listener');
    const app = express();
    app.use(websocketMiddleware({ acceptAll: true }));
    app.get('/', (req) => {
      (req as unknown as { websocket: Websocket }).websocket.handOver().on('message', () => {
        throw failure;
      });
    });
    app.use(recordErrors(errors));
    const client = await connect(await serve(app));
    client.send('one');
    expect((await client.closed()).code).toBe(1011);
    expect(await errors.next('error')).toBe(failure);
  });

  test('runs in the AsyncLocalStorage context of the request', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen = new Inbox<unknown>();
    const app = express();
    app.use((req, _res, next) => {
      storage.run(req.query.user as string, next);
    });
    app.get(
      '/',
      requireWebsocket((req) => {
        const socket = req.websocket.handOver();
        for (const event of ['message', 'ping', 'close']) {
          socket.on(event, () => seen.push([event, storage.getStore()]));
        }
      }),
    );
    const client = await connect(await serve(app), '/?user=ada');
    client.send('one');
    expect(await seen.next('message')).toEqual(['message', 'ada']);
    await client.flush();
    expect(await seen.next('ping')).toEqual(['ping', 'ada']);
    await client.close();
    expect(await seen.next('close')).toEqual(['close', 'ada']);
  });
});

describe('with a server', () => {
  test('it emits "connection", knows its clients, and calls back when the last has gone', async () => {
    const wss = new WebSocketServer({ noServer: true });
    const requests: (string | undefined)[] = [];
    wss.on('connection', (socket, req) => {
      requests.push(req.url);
      echo(socket as unknown as HandedOverWebsocket);
      socket.on('close', () => requests.push(`${String(wss.clients.size)} left`));
    });
    const app = express();
    app.get(
      '/ws/:id',
      requireWebsocket((req) => {
        req.websocket.handOver(wss);
      }),
    );
    const site = await serve(app);
    const [one, two] = [await connect(site, '/ws/1?x'), await connect(site, '/ws/2')];
    one.send('hello');
    expect(await one.next()).toBe('hello');
    expect(wss.clients.size).toBe(2);
    await one.close();
    await expect.poll(() => wss.clients.size).toBe(1);
    const closed = defer<unknown>();
    wss.close(closed.resolve);
    for (const socket of wss.clients) socket.close(1001);
    expect((await two.closed()).code).toBe(1001);
    expect(await closed.promise).toBeUndefined();
    expect(requests).toEqual(['/ws/1?x', '/ws/2', '1 left', '0 left']);
    expect((await (await connect(site, '/ws/3')).closed()).code).toBe(1001);
  });

  test('it gets a websocket that has closed already, and the close', async () => {
    const wss = new WebSocketServer({ noServer: true });
    const codes = new Inbox<number>();
    wss.on('connection', (socket) => {
      socket.on('close', (code) => codes.push(code));
    });
    const app = express();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await req.websocket.closed;
        req.websocket.handOver(wss);
      }),
    );
    await (await connect(await serve(app))).close(4000);
    expect(await codes.next('close')).toBe(4000);
    expect(wss.clients.size).toBe(0);
  });

  test('a listener of "connection" that throws is a handler that fails', async () => {
    const wss = new WebSocketServer({ noServer: true });
    const failure = new Error('connection');
    wss.on('connection', () => {
      throw failure;
    });
    const errors = new Inbox<unknown>();
    const app = express();
    app.get(
      '/',
      requireWebsocket((req) => {
        req.websocket.handOver(wss);
      }),
    );
    app.use(recordErrors(errors));
    const client = await connect(await serve(app));
    expect((await client.closed()).code).toBe(1011);
    expect(await errors.next('error')).toBe(failure);
    await expect.poll(() => wss.clients.size).toBe(0);
  });

  test('anything else is refused', async () => {
    const { websocket } = await handOver();
    expect(() => websocket.handOver({} as WebSocketServer)).toThrow(
      /handOver\(\) takes nothing, or a server of ws/,
    );
  });
});

describe('the app', () => {
  test('may close, and the library learns it', async () => {
    const { client, socket, websocket } = await handOver();
    const closed = once(socket, 'close');
    await websocket.close(4003, 'by the app');
    expect(((await closed) as [number])[0]).toBe(4003);
    expect(await client.closed()).toEqual({ code: 4003, reason: 'by the app' });
  });

  test('shuts down with 1001', async () => {
    const { site, client, socket } = await handOver();
    const closed = once(socket, 'close');
    await closeWebsockets(site.server);
    expect((await client.closed()).code).toBe(1001);
    await closed;
  });

  test('gets 1011 when its handler fails after handing over', async () => {
    const failure = new Error('handler');
    const { client, errors } = await handOver(() => Promise.reject(failure));
    expect((await client.closed()).code).toBe(1011);
    expect(await errors.next('error')).toBe(failure);
  });

  test('keeps its options: kinds of messages, maxPayload and the heartbeat', async () => {
    const { client } = await handOver(echo, { options: { messages: 'text', maxPayload: 100 } });
    client.send(Buffer.from('bytes'));
    expect((await client.closed()).code).toBe(1003);
    const { client: other } = await handOver(echo, { options: { maxPayload: 100 } });
    other.send('x'.repeat(101));
    expect((await other.closed()).code).toBe(1009);
    const { client: silent, socket } = await handOver(echo, {
      options: { heartbeat: 50 },
      client: { autoPong: false },
    });
    await once(socket, 'close');
    await silent.closed();
  });

  test('ends the response when the library has closed', async () => {
    const finished = defer<number>();
    const app = express();
    app.use((_req, res, next) => {
      res.on('finish', () => {
        finished.resolve(res.statusCode);
      });
      next();
    });
    app.get(
      '/',
      requireWebsocket((req) => {
        const socket = req.websocket.handOver();
        socket.on('message', () => {
          socket.close();
        });
      }),
    );
    const client = await connect(await serve(app));
    client.send('end');
    expect(await finished.promise).toBe(101);
  });

  test('hears no warning of a handler that returned at once', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const { client, websocket } = await handOver();
    await client.close();
    await websocket.closed;
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  test('hands over texts on a route for values', async () => {
    const { client, websocket } = await handOver(echo, { options: { messages: 'json' } as object });
    client.send('not JSON', '{"a":1}');
    expect(await client.take(2)).toEqual(['not JSON', '{"a":1}']);
    websocket.send({ b: 2 } as unknown as string);
    expect(await client.next()).toBe('{"b":2}');
  });
});

describe('bad use is told', () => {
  const code = { code: 'ERR_WEBSOCKET_READER' };

  test('reading after handing over', async () => {
    const { websocket } = await handOver();
    expect(() => websocket.read()).toThrow(expect.objectContaining(code) as Error);
    expect(() => websocket.wait()).toThrow(/go to another reader/);
    await expect(async () => {
      for await (const message of websocket) expect(message).toBe(undefined);
    }).rejects.toMatchObject(code);
  });

  test('reading on in an iteration that has begun before', async () => {
    const ended = defer<unknown>();
    const app = express();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        try {
          for await (const message of req.websocket) {
            expect(message).toBe('one');
            req.websocket.handOver();
          }
          ended.resolve('no error');
        } catch (error) {
          ended.resolve(error);
        }
      }),
    );
    const client = await connect(await serve(app));
    client.send('one', 'two');
    expect(await ended.promise).toMatchObject(code);
  });

  test('handing over twice, or to two readers', async () => {
    const { websocket } = await handOver();
    expect(() => websocket.handOver()).toThrow(expect.objectContaining(code) as Error);
    expect(() => websocket.stream()).toThrow(expect.objectContaining(code) as Error);
    expect(() => websocket.readable).toThrow(expect.objectContaining(code) as Error);
  });

  test('handing over while somebody waits', async () => {
    const ended = defer<unknown>();
    const app = express();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        const waiting = req.websocket.wait();
        try {
          req.websocket.handOver();
        } catch (error) {
          ended.resolve(error);
        }
        req.websocket.send((await waiting) as string);
      }),
    );
    const client = await connect(await serve(app));
    expect(await ended.promise).toMatchObject({ ...code, message: /still waits/ as unknown as string });
    client.send('works');
    expect(await client.next()).toBe('works');
  });
});
