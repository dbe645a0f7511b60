import { requireWebsocket, type CloseInfo, type Websocket } from 'dwebsocket';
import { expect, test, vi } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { messagesOf } from '../support/raw-client.js';
import { ping } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { eventually } from './eventually.js';
import { open } from './raw.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** What one loopback connection holds in both kernels at most (net.ipv4.tcp_wmem and tcp_rmem), with room to spare. */
const KERNEL = 24 * MiB;

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
});

/** Resolves when a number has been the same for a thousand turns of the event loop. */
async function untilSteady(look: () => number): Promise<void> {
  let last = look();
  for (let turns = 0; turns < 1_000; turns++) {
    await new Promise(setImmediate);
    if (look() !== last) turns = 0;
    last = look();
  }
}

const numbered = (i: number) => {
  const chunk = Buffer.alloc(16 * KiB);
  chunk.writeUInt32BE(i);
  return chunk;
};

test('send() waits for a peer that does not read, above highWaterMark; then every message arrives in order', async () => {
  const HIGH = 64 * KiB;
  let sent = 0;
  let waiting = false;
  const enough = defer();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        while (true) {
          waiting = true;
          await req.websocket.send(numbered(sent++));
          waiting = false;
          await new Promise(setImmediate);
          if (sent >= 3_000) break;
        }
        enough.resolve();
        await req.websocket.closed;
      },
      { highWaterMark: HIGH },
    ),
  );
  const client = await open(site.port);
  client.socket.pause();
  await eventually(() => waiting && sent * 16 * KiB > HIGH, 'send() waits');
  // The kernel may take what it holds bit by bit; then a thousand turns bring nothing more.
  await within(
    untilSteady(() => sent),
    'end of the sending',
  );
  expect(waiting).toBe(true);
  // The first message above the mark waits, and none behind it.
  expect(sent * 16 * KiB).toBeLessThan(KERNEL + HIGH + 17 * KiB);

  client.socket.resume();
  await within(enough.promise, 'the rest of the messages');
  await client.until(() => messagesOf(client).length === 3_000, '3,000 messages');
  expect(messagesOf(client).map(({ payload }) => payload.readUInt32BE())).toEqual(
    Array.from({ length: 3_000 }, (_, i) => i),
  );
});

test('a peer that does not read is cut off at maxBuffered, and others do not notice', async () => {
  // So much that the honest client asks many times before it is full.
  const MAX = 8 * MiB;
  let sent = 0;
  const ended = defer<{ closed: CloseInfo; lastSend: boolean }>();
  const flood = requireWebsocket(
    async (req) => {
      let lastSend: PromiseLike<boolean> | undefined;
      // Deaf to what send() says: it never awaits it.
      while (!req.websocket.isClosed()) {
        lastSend = req.websocket.send(Buffer.alloc(64 * KiB));
        sent += 64 * KiB;
        await new Promise(setImmediate);
      }
      ended.resolve({ closed: await req.websocket.closed, lastSend: (await lastSend) ?? true });
    },
    { maxBuffered: MAX },
  );
  const site = await serve((req, res) => (req.url === '/flood' ? flood(req, res) : echo(req, res)));
  const honest = await connect(site, '/echo');
  const client = await open(site.port, '/flood');
  client.socket.pause();

  let answers = 0;
  const over = new AbortController();
  const served = (async () => {
    while (!over.signal.aborted) {
      honest.send(String(answers));
      expect(await honest.next()).toBe(String(answers));
      answers++;
    }
  })();
  const { closed, lastSend } = await within(ended.promise, 'end of the flood');
  over.abort();
  await served;

  expect(closed).toEqual({ code: 1006, reason: '', wasClean: false });
  expect(lastSend).toBe(false);
  expect(sent).toBeGreaterThan(MAX);
  expect(sent).toBeLessThan(KERNEL + MAX + 2 * 65 * KiB);
  expect(answers).toBeGreaterThan(20);
  client.socket.resume();
  await client.end();
  await eventually(() => site.sockets.size === 1, 'its socket is gone');
});

test('one message larger than maxBuffered to a peer that reads arrives', async () => {
  const site = await serve(
    requireWebsocket(
      async (req) => {
        await req.websocket.send(Buffer.alloc(32 * MiB));
      },
      { maxBuffered: MiB },
    ),
  );
  const client = await connect(site);
  expect((await client.next()).length).toBe(32 * MiB);
  expect((await client.closed()).code).toBe(1000);
});

test('a peer that pings for ever and reads nothing does not fill our memory with pongs', async () => {
  const site = await serve(echo);
  const client = await open(site.port);
  client.socket.pause();
  const [socket] = site.sockets;
  const burst = Buffer.concat(Array.from({ length: 2_000 }, () => ping(Buffer.alloc(125))));
  let most = 0;
  for (let i = 0; i < 150; i++) {
    await new Promise((resolve) => client.socket.write(burst, resolve));
    most = Math.max(most, socket!.writableLength);
  }
  expect(most).toBeLessThan(MiB);
  client.socket.resume();
  await client.until(() => client.frames.length > 0, 'pongs');
  const honest = await connect(site);
  honest.send('still there');
  expect(await honest.next()).toBe('still there');
});

test('empty pings to a server whose pongs are not read make no long queue', async () => {
  const opened = defer<Websocket>();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      opened.resolve(websocket);
      await websocket.closed;
    }),
  );
  const client = await open(site.port);
  client.socket.pause();
  const websocket = await opened.promise;
  const [socket] = site.sockets;
  // Until the kernels take no more.
  while (socket!.writableLength === 0) {
    websocket.send('x'.repeat(1_000));
    await new Promise(setImmediate);
  }
  const writes = vi.spyOn(socket!, 'write');
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) =>
      client.socket.write(Buffer.concat(Array.from({ length: 1_000 }, () => ping(''))), resolve),
    );
  }
  await new Promise((resolve) => client.socket.write(ping('last'), resolve));
  const { bytesWritten } = client.socket;
  await eventually(() => socket!.bytesRead === bytesWritten, 'all pings are read');
  // Each takes a hundred times its two bytes.
  expect(writes.mock.calls.length).toBeLessThanOrEqual(1_000);
  client.socket.resume();
  await client.until(
    () => client.frames.at(-1)?.payload.toString() === 'last',
    'the answer to the last ping',
  );
});

test('close() to a peer that does not read is over after closeTimeout', async () => {
  const ended = defer<CloseInfo>();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        // More than the kernel takes, so that the close frame cannot go out.
        for (let sent = 0; sent < KERNEL + MiB; sent += 16 * KiB) req.websocket.send(numbered(0));
        void req.websocket.close(4000);
        ended.resolve(await req.websocket.closed);
      },
      { closeTimeout: 100, maxBuffered: 2 * KERNEL },
    ),
  );
  const client = await open(site.port);
  client.socket.pause();
  expect(await within(ended.promise, 'end')).toEqual({ code: 4000, reason: '', wasClean: false });
  await eventually(() => site.sockets.size === 0, 'its socket is gone');
});
