import { requireWebsocket, type CloseInfo, type Websocket } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { binary, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { eventually } from './eventually.js';
import { open } from './raw.js';

const KiB = 1024;
const MiB = 1024 * KiB;

test('a flood pauses the socket of a handler that reads slowly, and every message arrives in order', async () => {
  const COUNT = 2_000;
  const SIZE = 16 * KiB;
  const MAX_QUEUE = 128 * KiB;
  const go = defer();
  const reader = defer<Websocket>();
  const got: number[] = [];
  let longest = 0;
  const done = defer();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        reader.resolve(req.websocket);
        await go.promise;
        while (got.length < COUNT) {
          const message = (await req.websocket.wait()) as Buffer;
          longest = Math.max(longest, req.websocket.countMessages());
          got.push(message.readUInt32BE());
          if (got.length % 10 === 0) await new Promise(setImmediate);
        }
        done.resolve();
      },
      { maxQueue: MAX_QUEUE },
    ),
  );
  const client = await open(site.port);
  const websocket = await reader.promise;
  const [socket] = site.sockets;
  for (let i = 0; i < COUNT; i++) {
    const payload = Buffer.alloc(SIZE);
    payload.writeUInt32BE(i);
    client.write(binary(payload));
  }
  await eventually(() => socket!.isPaused(), 'the socket is paused');
  // One read of the socket (64 KiB) may be under way when the queue is full.
  const limit = (MAX_QUEUE + 64 * KiB) / SIZE + 2;
  expect(websocket.countMessages()).toBeLessThanOrEqual(limit);
  const { bytesRead } = socket!;
  for (let turn = 0; turn < 500; turn++) await new Promise(setImmediate);
  expect(socket!.bytesRead - bytesRead).toBeLessThanOrEqual(64 * KiB);
  expect(websocket.countMessages()).toBeLessThanOrEqual(limit);

  go.resolve();
  await within(done.promise, 'last message');
  expect(got).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  expect(longest).toBeLessThanOrEqual(limit);
});

test('a flood of empty messages is bounded, too', async () => {
  const reader = defer<Websocket>();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        reader.resolve(req.websocket);
        await req.websocket.closed;
      },
      { maxQueue: 64 * KiB },
    ),
  );
  const client = await open(site.port);
  const websocket = await reader.promise;
  const burst = Buffer.concat(Array.from({ length: 100_000 }, () => text('')));
  client.write(burst);
  const [socket] = site.sockets;
  await eventually(() => socket!.isPaused(), 'the socket is paused');
  // 6 bytes each on the wire, so one read of 64 KiB brings up to 10,923 of them.
  expect(websocket.countMessages()).toBeLessThanOrEqual((64 * 1024) / 32 + 10_923);
});

test('a queue that is filled by the last message of a chunk stays bounded', async () => {
  const reader = defer<Websocket>();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        reader.resolve(req.websocket);
        await req.websocket.closed;
      },
      { maxQueue: 10_000 },
    ),
  );
  const client = await open(site.port);
  const websocket = await reader.promise;
  // Each counts 200 bytes: the 51st pauses the socket, and it is resumed when 25 are left.
  const times = (count: number) => Buffer.concat(Array.from({ length: count }, () => text('x'.repeat(56))));
  client.write(times(51 + 26));
  await eventually(() => websocket.countMessages() === 51, 'the queue is full');
  for (let i = 0; i < 26; i++) websocket.read();
  expect(websocket.countMessages()).toBe(51);
  for (let i = 0; i < 100; i++) {
    client.write(times(10));
    await new Promise(setImmediate);
  }
  expect(websocket.countMessages()).toBe(51);
});

test('a flood of one websocket does not keep another one from its answers', async () => {
  const slow = requireWebsocket(async (req) => {
    await req.websocket.closed;
  });
  const echo = requireWebsocket(async (req) => {
    for await (const message of req.websocket) req.websocket.send(message);
  });
  const site = await serve((req, res) => (req.url === '/slow' ? slow(req, res) : echo(req, res)));
  const flooders = await Promise.all(Array.from({ length: 10 }, () => open(site.port, '/slow')));
  for (const flooder of flooders)
    flooder.write(...Array.from({ length: 64 }, () => binary(Buffer.alloc(64 * KiB))));
  const honest = await connect(site, '/echo');
  for (let i = 0; i < 200; i++) {
    honest.send(String(i));
    expect(await honest.next()).toBe(String(i));
  }
});

/** Handlers that do not read: each must learn that a client has gone that has filled the queue before. */
const handlers: Record<string, (websocket: Websocket) => PromiseLike<unknown>> = {
  'only sends': async (websocket) => {
    while (await websocket.send('tick')) await new Promise(setImmediate);
  },
  'sends and sleeps': async (websocket) => {
    while (await websocket.sleep(5)) websocket.send('tick');
  },
  'only awaits closed': (websocket) => websocket.closed,
  'waits for its signal': (websocket) =>
    new Promise((resolve) => {
      websocket.signal.addEventListener('abort', resolve);
    }),
  'waits for a message that it asks for only then': async (websocket) => {
    await websocket.closed;
    while ((await websocket.wait()) !== null);
  },
};

describe.each(['FIN', 'RST', 'close frame'] as const)(
  'a client that has filled maxQueue and leaves with %s',
  (how) => {
    test.each(Object.keys(handlers))('ends a handler that %s', async (name) => {
      const full = defer<Websocket>();
      const ended = defer<CloseInfo>();
      const site = await serve(
        requireWebsocket(
          async (req) => {
            full.resolve(req.websocket);
            await handlers[name]!(req.websocket);
            ended.resolve(await req.websocket.closed);
          },
          { maxQueue: 16 * KiB, heartbeat: 50 },
        ),
      );
      const client = await open(site.port);
      await full.promise;
      const [socket] = site.sockets;
      client.write(...Array.from({ length: 64 }, () => binary(Buffer.alloc(KiB))));
      await eventually(() => socket!.isPaused(), 'the socket is paused');
      if (how === 'RST') client.reset();
      else if (how === 'FIN') client.socket.end();
      else client.socket.end(Buffer.from('888203e803e80000', 'hex'));
      if (how !== 'RST') client.destroy();
      const closed = await within(ended.promise, 'end of the handler');
      if (how !== 'close frame') expect(closed.code).toBe(1006);
      await eventually(() => site.sockets.size === 0, 'its socket is gone');
    });
  },
);

test('messages that came before the client vanished are still read, though the queue was full', async () => {
  const gone = defer();
  const got = defer<number>();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        await gone.promise;
        let count = 0;
        for await (const message of req.websocket) count += message.length;
        got.resolve(count);
      },
      { maxQueue: 64 * KiB },
    ),
  );
  const client = await open(site.port);
  const [socket] = site.sockets;
  client.write(...Array.from({ length: 64 }, () => binary(Buffer.alloc(4 * KiB))));
  await eventually(() => socket!.isPaused(), 'the socket is paused');
  client.socket.end();
  gone.resolve();
  expect(await within(got.promise, 'end of the iteration')).toBe(64 * 4 * KiB);
});

test('a message that is cut off, while the queue is full, when the connection breaks is delivered as it was sent, or not', async () => {
  const SIZE = KiB;
  const gone = defer();
  const reader = defer<Websocket>();
  const got = defer<Buffer[]>();
  const site = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        reader.resolve(websocket);
        await gone.promise;
        const messages: Buffer[] = [];
        for await (const message of websocket) messages.push(message);
        got.resolve(messages);
      },
      { maxQueue: 16 * KiB, messages: 'binary' },
    ),
  );
  const client = await open(site.port);
  const websocket = await reader.promise;
  const [socket] = site.sockets;
  const stream = Buffer.concat(Array.from({ length: 60 }, (_, i) => binary(Buffer.alloc(SIZE, i))));
  const cut = 30 * (SIZE + 8) + 300;
  client.write(stream.subarray(0, cut));
  await eventually(() => socket!.isPaused(), 'the socket is paused');
  client.write(stream.subarray(cut, cut + 8 * KiB));
  // Lets it arrive, where it waits in the paused socket.
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  client.reset();
  // A paused socket shows that it is broken when we write to it.
  await eventually(() => {
    websocket.send('?');
    return socket!.destroyed;
  }, 'the connection is broken');
  gone.resolve();
  const messages = await within(got.promise, 'end of the iteration');
  expect(messages.length).toBeGreaterThan(10);
  for (const [i, message] of messages.entries()) expect(message.equals(Buffer.alloc(SIZE, i))).toBe(true);
});

test('maxQueue smaller than one message delivers one at a time', async () => {
  const site = await serve(
    requireWebsocket(
      async (req) => {
        for await (const message of req.websocket) req.websocket.send(String(message.length));
      },
      { maxQueue: 1 },
    ),
  );
  const client = await connect(site);
  client.send(...Array.from({ length: 20 }, () => Buffer.alloc(MiB / 4)));
  expect(await client.take(20)).toEqual(Array.from({ length: 20 }, () => String(MiB / 4)));
  expect((await client.close(1000)).code).toBe(1000);
});
