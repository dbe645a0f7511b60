import { describe, expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { messagesOf, openRaw } from '../support/raw-client.js';
import { closeCodeOf, Opcode, ping, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

/** Returns whether a promise is settled by the next turn of the event loop. */
const isSettled = (promise: PromiseLike<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);

/** More than the kernel buffers of both sides hold. So it stays unsent until the peer reads. */
const TOO_MUCH = Buffer.alloc(24 * 2 ** 20);

/** Opens a websocket that has 24 MiB buffered, because its peer does not read yet. */
async function openBlockedPair() {
  const { websocket, client } = await openPair({ highWaterMark: 1_000, maxBuffered: 2 ** 30 });
  client.ws.pause();
  const waiting = websocket.send(TOO_MUCH);
  expect(await isSettled(waiting)).toBe(false);
  return { websocket, client, waiting };
}

describe('send', () => {
  test.for([
    ['a string', 'grüße 👋', 'grüße 👋'],
    ['an empty string', '', ''],
    ['a Buffer', Buffer.from([1, 2, 3]), Buffer.from([1, 2, 3])],
    ['an empty Buffer', Buffer.alloc(0), Buffer.alloc(0)],
    ['a Uint8Array', new Uint8Array([1, 2]), Buffer.from([1, 2])],
    ['a part of an array', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Buffer.from([2, 3])],
    ['a Uint16Array', new Uint16Array([0x0201]), Buffer.from([1, 2])],
    ['a DataView', new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 2), Buffer.from([3, 4])],
    ['an ArrayBuffer', new Uint8Array([5, 6]).buffer, Buffer.from([5, 6])],
    ['a SharedArrayBuffer', new SharedArrayBuffer(2), Buffer.from([0, 0])],
  ] as const)('sends %s', async ([, data, received]) => {
    const { websocket, client } = await openPair();
    expect(await websocket.send(data)).toBe(true);
    expect(await client.next()).toEqual(received);
  });

  test('sends bytes as text and text as bytes when the option binary says so', async () => {
    const { websocket, client } = await openPair();
    websocket.send(Buffer.from('bytes'), { binary: false });
    websocket.send('text', { binary: true });
    websocket.send('text', { binary: false });
    websocket.send(Buffer.from('bytes'), { binary: true });
    websocket.send('text', { binary: undefined });
    expect(await client.take(5)).toEqual([
      'bytes',
      Buffer.from('text'),
      'text',
      Buffer.from('bytes'),
      'text',
    ]);
  });

  test.for([[42], [null], [undefined], [true], [{ a: 1 }], [['a']], [new Date(0)], [Symbol('s')]] as const)(
    'throws a TypeError for %o at once, which says what to do',
    async ([data]) => {
      const { websocket, client } = await openPair();
      const give = () => websocket.send(data as never);
      expect(give).toThrow(TypeError);
      expect(give).toThrow(/send\(\) takes a string, a Buffer, .*send\(JSON\.stringify\(value\)\)/);
      await client.close();
      await websocket.closed;
      expect(give).toThrow(TypeError);
    },
  );

  test('keeps the order of messages of all sizes, even without await', async () => {
    const { websocket, client } = await openPair();
    const messages = Array.from({ length: 60 }, (_, i) => `${i} `.repeat((i % 7) ** 5 + 1));
    for (const message of messages) websocket.send(message);
    expect(await client.take(messages.length)).toEqual(messages);
  });

  test.for([[10], [125], [126], [65_535], [65_536], [300_000]] as const)(
    'a buffer of %d bytes may be reused after the call',
    async ([size]) => {
      const { websocket, client } = await openPair();
      const buffer = Buffer.alloc(size, 1);
      for (let i = 1; i <= 3; i++) websocket.send(buffer.fill(i));
      buffer.fill(255);
      for (let i = 1; i <= 3; i++) {
        const received = (await client.next()) as Buffer;
        expect([received.length, received.every((byte) => byte === i)]).toEqual([size, true]);
      }
    },
  );

  test('writes the messages of one turn together', async () => {
    const { websocket, req, client } = await openPair();
    const writes = vi.spyOn(req.socket, 'write');
    const messages = Array.from({ length: 300 }, (_, i) => [
      `text ${i}`,
      `grüße ${i}`,
      Buffer.from([i]),
    ]).flat();
    for (const message of messages) websocket.send(message);
    expect(writes).not.toHaveBeenCalled();
    expect(await client.take(messages.length)).toEqual(messages);
    expect(writes).toHaveBeenCalledTimes(1);
  });

  test('resolves with false on a closed websocket, and never rejects', async () => {
    const { websocket, client } = await openPair();
    await client.vanish();
    await websocket.closed;
    expect(await websocket.send('gone')).toBe(false);
    expect(await websocket.send(Buffer.alloc(2 ** 20))).toBe(false);
  });

  test('resolves with false as soon as this side has begun to close', async () => {
    const { websocket, client } = await openPair();
    void websocket.close(4000);
    expect(await websocket.send('too late')).toBe(false);
    expect((await client.closed()).code).toBe(4000);
    expect(client.unread()).toEqual([]);
  });
});

describe('highWaterMark', () => {
  test('send() resolves with true at once below it, and above it when the peer has read', async () => {
    const { websocket, client } = await openPair({ highWaterMark: 1_000 });
    expect(await isSettled(websocket.send('small'))).toBe(true);
    client.ws.pause();
    const waiting = websocket.send(TOO_MUCH);
    expect(await isSettled(waiting)).toBe(false);
    client.ws.resume();
    expect(await within(waiting, 'drain')).toBe(true);
    expect(await isSettled(websocket.send('small again'))).toBe(true);
    expect((await client.take(3)).map((message) => message.length)).toEqual([5, TOO_MUCH.length, 11]);
  });

  test('all sends above it resolve when the peer has read', async () => {
    const { websocket, client, waiting } = await openBlockedPair();
    const more = [websocket.send('one'), websocket.send('two')];
    expect(await isSettled(more[0]!)).toBe(false);
    client.ws.resume();
    expect(await within(Promise.all([waiting, ...more]), 'drain')).toEqual([true, true, true]);
  });

  test('a pending send resolves with false when the peer leaves', async () => {
    const { client, waiting } = await openBlockedPair();
    await client.vanish();
    expect(await within(waiting, 'end')).toBe(false);
  });

  test('a pending send resolves with false when this side closes, and its message is still sent', async () => {
    const { websocket, client, waiting } = await openBlockedPair();
    const closing = websocket.close(4000);
    expect(await within(waiting, 'close')).toBe(false);
    client.ws.resume();
    expect(await client.next()).toHaveLength(TOO_MUCH.length);
    expect((await client.closed()).code).toBe(4000);
    await within(closing, 'close');
  });

  test.for([[false], [true]] as const)(
    'a handler that awaits send() sends as fast as its peer reads (compression: %s)',
    async ([deflate]) => {
      let sent = 0;
      const site = await serve(
        requireWebsocket(
          async ({ websocket }) => {
            const message = Buffer.alloc(50_000);
            while (await websocket.send(message)) if (++sent === 1_000) return;
          },
          { highWaterMark: 100_000, perMessageDeflate: deflate && { threshold: 10 ** 6 } },
        ),
      );
      const client = await connect(site, '/', { perMessageDeflate: deflate });
      for (let i = 0; i < 1_000; i++) expect(await client.next()).toHaveLength(50_000);
      expect(await client.closed()).toEqual({ code: 1000, reason: '' });
      expect(sent).toBe(1_000);
    },
  );
});

describe.for([{ tls: false }, { tls: true }])(
  'large messages, whose frames may share memory (TLS: $tls)',
  ({ tls }) => {
    test('arrive unchanged at a peer that reads at once, and at one that reads late', async () => {
      const sizes = [65_536, 100_000, 65_537, 200_000, 70_000, 262_144, 66_000, 131_072];
      const messages = sizes.map((size, index) => Buffer.alloc(size, index + 1));
      const rounds = 20;
      const site = await serve(
        requireWebsocket(
          async ({ websocket }) => {
            await websocket.wait();
            for (let round = 0; round < rounds; round++) {
              for (const message of messages) {
                websocket.send(message);
                await new Promise((resolve) => setImmediate(resolve));
              }
            }
            await websocket.closed;
          },
          { maxBuffered: 2 ** 30 },
        ),
        { tls },
      );
      const clients = [await connect(site), await connect(site)] as const;
      const [late] = clients;
      // Both handlers send at the same time.
      for (const client of clients) client.send('begin');
      late.ws.pause();
      for (const client of [...clients].reverse()) {
        client.ws.resume();
        for (let round = 0; round < rounds; round++) {
          for (const message of messages) expect(message.equals((await client.next()) as Buffer)).toBe(true);
        }
      }
    });
  },
);

test('a peer that does not read is terminated at maxBuffered, and send() resolves with false', async () => {
  const told = defer<unknown>();
  const site = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        const message = Buffer.alloc(100_000);
        while (!websocket.isClosed()) {
          websocket.send(message); // without await
          await new Promise((resolve) => setImmediate(resolve));
        }
        told.resolve([await websocket.send(message), await websocket.closed]);
      },
      { maxBuffered: 10 ** 6 },
    ),
  );
  const client = await openRaw(site.port);
  client.socket.pause();
  expect(await within(told.promise, 'cut')).toEqual([false, { code: 1006, reason: '', wasClean: false }]);
  client.destroy();
});

test('a peer that does not read is terminated at maxBuffered, even with a larger highWaterMark', async () => {
  const { websocket, client } = await openPair({ highWaterMark: 2 ** 30, maxBuffered: 10 ** 6 });
  client.ws.pause();
  const message = Buffer.alloc(2 ** 20);
  let sent = 0;
  while (!websocket.isClosed() && sent < 100) {
    websocket.send(message);
    sent++;
    await new Promise(setImmediate);
  }
  // The kernel buffers, and two more messages.
  expect(sent).toBeLessThan(TOO_MUCH.length / message.length + 2);
  expect(await websocket.closed).toMatchObject({ code: 1006 });
});

test('a peer that reads is not terminated for many messages in one turn', async () => {
  const { websocket, client } = await openPair({ maxBuffered: 1_000 });
  const messages = Array.from({ length: 100 }, (_, i) => `${i} `.repeat(100));
  for (const message of messages) websocket.send(message);
  expect(await client.take(100)).toEqual(messages);
  expect(websocket.isClosed()).toBe(false);
});

test('a slow peer that ends its side gets all messages that were sent before', async () => {
  const site = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        await websocket.wait();
        websocket.send(TOO_MUCH);
        // Sent on later turns, so that they wait in the backlog.
        for (let i = 0; i < 100; i++) {
          websocket.send(`behind ${i}`);
          await new Promise(setImmediate);
        }
        await websocket.closed;
      },
      { maxBuffered: 2 ** 30 },
    ),
  );
  const client = await openRaw(site.port, { allowHalfOpen: true });
  client.socket.pause();
  client.write(text('go'));
  const [socket] = site.sockets;
  await within(
    (async () => {
      while (socket!.writableLength < 2 ** 20) await new Promise(setImmediate);
      for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    })(),
    'end of the sending',
  );
  client.socket.end();
  while (!socket!.readableEnded) await new Promise(setImmediate);
  client.socket.resume();
  await client.end();
  expect(messagesOf(client)).toHaveLength(101);
  client.destroy();
});

test('small messages of many turns to a peer that does not read take one entry in the queue of the socket', async () => {
  const { websocket, req, client } = await openPair();
  client.ws.pause();
  // Fills the kernel buffers, but stays below the high-water mark of the socket.
  while (req.socket.writableLength === 0) {
    websocket.send('x'.repeat(1_000));
    await new Promise(setImmediate);
  }
  expect(req.socket.writableNeedDrain).toBe(false);
  const writes = vi.spyOn(req.socket, 'write');
  for (let i = 0; i < 1_000; i++) {
    websocket.send('x');
    await new Promise(setImmediate);
  }
  expect(writes.mock.calls.length).toBeLessThan(3);
  expect(req.socket.writableNeedDrain).toBe(false);
  client.ws.resume();
  let got = 0;
  while (got < 1_000) if ((await client.next()) === 'x') got++;
});

test('pings, messages and the close frame keep their order', async () => {
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      websocket.send('1');
      websocket.send('2');
      void websocket.ping();
      websocket.send('3');
      await websocket.wait();
      websocket.send('4');
      await websocket.close(4000);
    }),
  );
  const client = await openRaw(site.port);
  await client.until(() => messagesOf(client).length === 3, 'three messages');
  client.write(ping('x'), Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
  await client.until(() => client.framesOf(Opcode.close).length === 1, 'a close frame');
  expect(client.frames.map(({ opcode }) => opcode)).toEqual([
    Opcode.text,
    Opcode.text,
    Opcode.ping,
    Opcode.text,
    Opcode.pong,
    Opcode.text,
    Opcode.close,
  ]);
  expect(closeCodeOf(client.frames.at(-1)!)).toBe(4000);
  client.destroy();
});

test('buffered messages, pings and the close frame are sent in order when the peer reads again', async () => {
  const sent: string[] = [];
  const site = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        websocket.send(TOO_MUCH);
        for (let i = 0; i < 3_000; i++) {
          const message = i % 7 === 0 ? Buffer.alloc(i, 'b') : `text ${i} é`.repeat(i % 5);
          sent.push(String(message));
          websocket.send(message);
          if (i % 100 === 0) await new Promise(setImmediate);
          if (i % 1_000 === 500) void websocket.ping();
        }
        void websocket.close(4000);
      },
      { maxBuffered: 2 ** 30 },
    ),
  );
  const client = await openRaw(site.port);
  client.socket.pause();
  await within(
    (async () => {
      while (sent.length < 3_000) await new Promise(setImmediate);
    })(),
    'end of the sending',
  );
  client.socket.resume();
  await client.until(() => client.framesOf(Opcode.close).length === 1, 'a close frame');
  const [large, ...others] = messagesOf(client).map(({ payload }) => payload);
  expect(large).toHaveLength(TOO_MUCH.length);
  expect(others.map(String)).toEqual(sent);
  const pings = client.frames.flatMap(({ opcode }, index) => (opcode === Opcode.ping ? [index] : []));
  expect(pings).toEqual([502, 1503, 2504]);
  expect(client.frames.at(-1)?.opcode).toBe(Opcode.close);
  client.destroy();
});

describe('a handler that continues to send on a closed websocket', () => {
  test('causes one warning after 100 messages, which says how to end the loop', async () => {
    const warnings = watchWarnings();
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    for (let i = 0; i < 99; i++) websocket.send('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.rest()).toEqual([]);
    for (let i = 0; i < 500; i++) websocket.send('late');
    const { code, message } = await warnings.next();
    expect(code).toBe('WEBSOCKET_LATE_SENDS');
    expect(message).toContain('has sent 100 messages to a closed websocket');
    expect(message).toContain('while (await websocket.sleep(ms))');
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.rest()).toEqual([]);
  });

  test('causes no warning while it answers messages from before the close', async () => {
    const warnings = watchWarnings();
    const { websocket, client } = await openPair();
    for (let i = 0; i < 300; i++) client.send(String(i));
    await client.close();
    await websocket.closed;
    let answered = 0;
    for await (const message of websocket) {
      websocket.send(message);
      answered++;
    }
    expect(answered).toBe(300);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.rest()).toEqual([]);
  });
});
