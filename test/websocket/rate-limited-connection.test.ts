import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import {
  relay,
  requireWebsocket,
  withDefaults,
  type CloseInfo,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { handshakeRequest, openRaw } from '../support/raw-client.js';
import { close, closeCodeOf, more, Opcode, ping, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { Http2Tunnel } from '../support/http2-tunnel.js';
import { serveHttp2 } from '../http2/serve-http2.js';
import { eventually } from '../hostile/eventually.js';

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

const RATE = { count: 10, per: 100 };

/** Opens a websocket whose client writes bytes. */
async function openRawPair(options: WebsocketOptions) {
  const opened = defer<Websocket>();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      opened.resolve(websocket);
      await websocket.closed;
    }, options),
  );
  const client = await openRaw(site.port);
  return { websocket: await opened.promise, client, site };
}
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** Counts what arrives, and compares it with what the rate allows at that moment. */
function watchRate({ count, per } = RATE) {
  const start = performance.now();
  const received: string[] = [];
  let most = -Infinity;
  return {
    received,
    add: (message: unknown) => {
      received.push(String(message));
      const allowed = count + ((performance.now() - start) / per) * count;
      most = Math.max(most, received.length - allowed);
    },
    /** A timer may come a millisecond early. */
    check: () => expect(most).toBeLessThanOrEqual(1),
  };
}

/** Sends 40 messages and a close frame at once, and checks that the websocket receives them in order, at the rate. */
async function receiveAll(
  websocket: AsyncIterable<unknown>,
  client: Client,
  rate: ReturnType<typeof watchRate>,
): Promise<void> {
  client.send(...numbers(40));
  client.ws.close(1000);
  for await (const message of websocket) rate.add(message);
  expect(rate.received).toEqual(numbers(40));
  rate.check();
}

type Read = (websocket: Websocket, add: (message: unknown) => void) => unknown;

const WAYS: readonly (readonly [name: string, read: Read])[] = [
  [
    'wait',
    async (websocket, add) => {
      for (let message = await websocket.wait(); message !== null; message = await websocket.wait())
        add(message);
    },
  ],
  [
    'an iteration',
    async (websocket, add) => {
      for await (const message of websocket) add(message);
    },
  ],
  [
    'read',
    async (websocket, add) => {
      while (!websocket.isClosed() || websocket.hasMessages()) {
        const message = websocket.read();
        if (message === null) await new Promise(setImmediate);
        else add(message);
      }
    },
  ],
  [
    'handOver',
    (websocket, add) => {
      websocket.handOver().on('message', (data: Buffer) => {
        add(data);
      });
    },
  ],
  [
    'a stream',
    async (websocket, add) => {
      const stream: Duplex = websocket.stream({ objectMode: true });
      for await (const message of stream) add(message);
    },
  ],
  [
    'a web stream',
    async (websocket, add) => {
      for await (const message of websocket.readable) add(message);
    },
  ],
];

describe('messages that come too fast are received at the rate, in order and without loss, by', () => {
  test.for(WAYS)('%s', async ([, read]) => {
    const ended = defer<CloseInfo>();
    const rate = watchRate();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          await read(websocket, rate.add);
          ended.resolve(await websocket.closed);
        },
        { messageRate: RATE },
      ),
    );
    const client = await openRaw(site.port);
    // All in one write, so that one chunk of the socket holds far more than the rate allows.
    client.write(Buffer.concat([...numbers(40).map((number) => text(number)), close(1000)]));
    expect(await within(ended.promise, 'end')).toEqual({ code: 1000, reason: '', wasClean: true });
    expect(rate.received).toEqual(numbers(40));
    rate.check();
    await client.end();
  });

  test('a relay', async () => {
    const upstream = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const rate = watchRate();
    const ended = defer();
    upstream.on('connection', (socket) => {
      socket.on('message', rate.add);
      socket.on('close', () => {
        upstream.close(() => ended.resolve());
      });
    });
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const site = await serve(
      requireWebsocket(({ websocket }) => relay(websocket, new WebSocket(`ws://127.0.0.1:${port}`)), {
        messageRate: RATE,
      }),
    );
    const client = await connect(site);
    client.send(...numbers(40));
    client.ws.close(1000);
    await within(ended.promise, 'end');
    expect(rate.received).toEqual(numbers(40));
    rate.check();
  });

  test('a route for values', async () => {
    const rate = watchRate();
    const { websocket, client } = await openPair({ messages: 'json', messageRate: RATE });
    await receiveAll(websocket, client, rate);
  });

  test('a route with compression', async () => {
    const rate = watchRate();
    const perMessageDeflate = { threshold: 0 };
    const { websocket, client } = await openPair(
      { messageRate: RATE, perMessageDeflate },
      { perMessageDeflate },
    );
    await receiveAll(websocket, client, rate);
  });

  test('a route over TLS', async () => {
    const rate = watchRate();
    const ended = defer();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          for await (const message of websocket) rate.add(message);
          ended.resolve();
        },
        { messageRate: RATE },
      ),
      { tls: true },
    );
    const client = await connect(site);
    client.send(...numbers(40));
    client.ws.close(1000);
    await within(ended.promise, 'end');
    expect(rate.received).toEqual(numbers(40));
    rate.check();
  });
});

test('a stream of HTTP/2 is limited, too, and its client must wait', async () => {
  const rate = watchRate();
  const ended = defer<CloseInfo>();
  const site = await serveHttp2(
    requireWebsocket(
      async ({ websocket }) => {
        for await (const message of websocket) rate.add(message);
        ended.resolve(await websocket.closed);
      },
      { messageRate: RATE },
    ),
  );
  const socket = new Http2Tunnel(await site.session()).asSocket();
  const client = await openRaw(site.port, { socket });
  client.write(Buffer.concat([...numbers(40).map((number) => text(number)), close(1000)]));
  expect(await within(ended.promise, 'end')).toEqual({ code: 1000, reason: '', wasClean: true });
  expect(rate.received).toEqual(numbers(40));
  rate.check();
  client.destroy();
});

test('as many messages as the rate allows come at once', async () => {
  const { websocket, client } = await openPair({ messageRate: { count: 5, per: 60_000 } });
  client.send(...numbers(6));
  for (const number of numbers(5)) expect(await websocket.wait()).toBe(number);
  expect(websocket.hasMessages()).toBe(false);
});

describe('a client that has sent as many messages as the rate allows', () => {
  const RATE_OF_TWO = { messageRate: { count: 2, per: 60_000 } };

  test('gets a pong, and its close is seen, at once', async () => {
    const { websocket, client } = await openPair(RATE_OF_TWO);
    client.send('1', '2');
    await client.flush();
    client.ws.close(4000, 'done');
    expect(await within(websocket.closed, 'end')).toEqual({ code: 4000, reason: 'done', wasClean: true });
    expect([await websocket.wait(), await websocket.wait(), await websocket.wait()]).toEqual([
      '1',
      '2',
      null,
    ]);
  });

  test('has sent a whole stream if it ends its connection behind its close frame', async () => {
    const received: unknown[] = [];
    const ended = defer();
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket.stream({ objectMode: true })) received.push(message);
        ended.resolve();
      }, RATE_OF_TWO),
      { tls: true },
    );
    const socket = connectTls({ port: site.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const client = await openRaw(site.port, { socket, request: handshakeRequest() });
    client.socket.end(Buffer.concat([text('1'), text('2'), close(1000)]));
    await within(ended.promise, 'end of the stream');
    expect(received).toEqual(['1', '2']);
    client.destroy();
  });
});

test('a message above the rate that comes in pieces waits until it is due', async () => {
  const slow = { count: 1, per: 100 };
  const { websocket, client, site } = await openRawPair({ messageRate: slow });
  const rate = watchRate(slow);
  const long = 'x'.repeat(300);
  const frame = text(long);
  const [socket] = site.sockets;
  const before = socket!.bytesRead;
  const start = Buffer.concat([text('first'), frame.subarray(0, 100)]);
  client.write(start);
  await eventually(() => socket!.bytesRead === before + start.length, 'the start of the message');
  client.write(Buffer.concat([frame.subarray(100), text('behind'), close(1000)]));
  for await (const message of websocket) rate.add(message);
  expect(rate.received).toEqual(['first', long, 'behind']);
  rate.check();
  await client.end();
});

test('the fragments of a message count as one message', async () => {
  const { websocket, client } = await openRawPair({ messageRate: { count: 2, per: 60_000 } });
  const fragments = [text('a', { fin: false }), more('b', { fin: false }), more('c')];
  client.write(Buffer.concat([...fragments, ...fragments, ...fragments]));
  expect([await websocket.wait(), await websocket.wait()]).toEqual(['abc', 'abc']);
  await turns(10);
  expect(websocket.countMessages()).toBe(0);
  client.destroy();
});

test('pings do not count, and are answered while the rate allows messages', async () => {
  const { websocket, client } = await openPair({ messageRate: { count: 1, per: 100 } });
  for (let i = 0; i < 50; i++) await client.flush();
  client.send('1', '2');
  expect([await websocket.wait(), await websocket.wait()]).toEqual(['1', '2']);
});

test('a client that sends too fast must wait: the server reads no more from its socket', async () => {
  const site = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        websocket.ignoreMessages();
        await websocket.closed;
      },
      { messageRate: { count: 1, per: 60_000 } },
    ),
  );
  const client = await openRaw(site.port);
  const block = Buffer.concat(Array.from({ length: 10_000 }, () => text('x'.repeat(100))));
  client.write(block);
  const [socket] = site.sockets;
  await eventually(() => socket!.isPaused(), 'the socket is paused');
  const { bytesRead } = socket!;
  // More than both kernels hold.
  for (let sent = 0; sent < 32 * 2 ** 20; sent += block.length) client.write(block);
  await turns(200);
  expect(socket!.bytesRead).toBe(bytesRead);
  expect(bytesRead).toBeLessThan(2 ** 20);
  expect(client.socket.writableLength).toBeGreaterThan(0);
  client.destroy();
});

test('the queue and the rate may both pause reading, and nothing is lost', async () => {
  const { websocket, client } = await openPair({ messageRate: RATE, maxQueue: 500 });
  const all = numbers(60);
  client.send(...all);
  client.ws.close(1000);
  const received: unknown[] = [];
  for await (const message of websocket) {
    received.push(message);
    // Now the queue is full, now the rate is exceeded.
    if (received.length % 7 === 0) await websocket.sleep(30).catch(() => false);
  }
  expect(received).toEqual(all);
});

describe('while the rate pauses reading', () => {
  const SLOW = { count: 1, per: 60_000 };

  /** Opens a websocket whose client has sent two messages more than the rate allows. */
  async function openPaused(options: { heartbeat?: number; closeTimeout?: number } = {}) {
    const { websocket, client, site } = await openRawPair({ messageRate: SLOW, ...options });
    client.write(Buffer.concat([text('1'), text('2'), text('3')]));
    expect(await websocket.wait()).toBe('1');
    return { websocket, client, site };
  }

  test('pings go out, and a client that cannot answer them stays connected', async () => {
    const { websocket, client } = await openPaused({ heartbeat: 20 });
    for (let pings = 0; pings < 5; pings++) expect((await client.nextFrame())!.opcode).toBe(Opcode.ping);
    expect(websocket.isClosed()).toBe(false);
    client.destroy();
  });

  test('a close of this side is answered at once', async () => {
    const { websocket, client } = await openPaused();
    void websocket.close(4000);
    const frame = (await client.nextFrame())!;
    expect(closeCodeOf(frame)).toBe(4000);
    client.write(close(4000));
    expect(await within(websocket.closed, 'end')).toEqual({ code: 4000, reason: '', wasClean: true });
    expect(websocket.countMessages()).toBe(0);
  });

  test('a client that does not answer our close is disconnected', async () => {
    const { websocket, client } = await openPaused({ closeTimeout: 30 });
    void websocket.close(4000);
    expect(await within(websocket.closed, 'end')).toEqual({ code: 4000, reason: '', wasClean: false });
    await client.end();
  });

  test('a lost connection ends the websocket, and what came too fast is discarded', async () => {
    const { websocket, client } = await openPaused();
    client.reset();
    // The socket is paused. So the server notices the reset when it sends.
    while (!websocket.isClosed()) {
      websocket.send('x');
      await new Promise(setImmediate);
    }
    expect(await within(websocket.closed, 'end')).toMatchObject({ code: 1006, wasClean: false });
    expect(await websocket.wait()).toBeNull();
  });

  test('a client that ends its connection after a close frame does not get its messages through', async () => {
    const opened = defer<Websocket>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          opened.resolve(websocket);
          await websocket.closed;
        },
        { messageRate: SLOW, heartbeat: 20 },
      ),
      // Over TLS, the end of a connection is seen while its socket is paused.
      { tls: true },
    );
    const socket = connectTls({ port: site.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const client = await openRaw(site.port, { socket, request: handshakeRequest() });
    const websocket = await opened.promise;
    client.socket.end(Buffer.concat([text('1'), text('2'), text('3'), close(1000)]));
    expect(await within(websocket.closed, 'end')).toEqual({ code: 1006, reason: '', wasClean: false });
    expect([await websocket.wait(), await websocket.wait()]).toEqual(['1', null]);
    client.destroy();
  });

  test('a terminated websocket leaves no timer', async () => {
    const { websocket, site } = await openPaused();
    for (const socket of site.sockets) socket.destroy();
    expect(await within(websocket.closed, 'end')).toMatchObject({ code: 1006 });
    expect(await websocket.wait()).toBeNull();
  });

  test('pings wait, too', async () => {
    const { client, websocket } = await openPaused();
    client.write(ping('late'));
    websocket.send('first');
    expect((await client.nextFrame())!.payload.toString()).toBe('first');
    void websocket.close();
    // What came before our close frame is read now, and answered no more.
    expect((await client.nextFrame())!.opcode).toBe(Opcode.close);
    client.destroy();
  });
});

test('false turns off the limit of the defaults', async () => {
  const { requireWebsocket: limited } = withDefaults({ messageRate: { count: 1, per: 60_000 } });
  const received = new Inbox<unknown>();
  const site = await serve(
    limited(
      async ({ websocket }) => {
        for await (const message of websocket) received.push(message);
      },
      { messageRate: false },
    ),
  );
  const client = await connect(site);
  client.send(...numbers(100));
  for (const number of numbers(100)) expect(await received.next()).toBe(number);
});

test('the rate is that of the moment when the route was wrapped', async () => {
  const messageRate = { count: 2, per: 60_000 };
  const received = new Inbox<unknown>();
  const route = requireWebsocket(
    async ({ websocket }) => {
      for await (const message of websocket) received.push(message);
    },
    { messageRate },
  );
  messageRate.count = 1;
  const client = await connect(await serve(route));
  client.send('1', '2');
  expect([await received.next(), await received.next()]).toEqual(['1', '2']);
});
