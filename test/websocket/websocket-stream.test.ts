import { once } from 'node:events';
import { createServer, connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import express from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { closeWebsockets, requireWebsocket, WebsocketClosedError, type Websocket } from 'dwebsocket';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { recordErrors } from '../support/record-errors.js';
import { serve, type Site } from '../support/serve.js';

interface Route {
  site: Site;
  client: Client;
  /** What the handler returned, or its error. */
  ended: Promise<unknown>;
  errors: Inbox<unknown>;
}

async function open(handler: (websocket: Websocket) => unknown): Promise<Route> {
  const ended = defer<unknown>();
  const errors = new Inbox<unknown>();
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      try {
        ended.resolve(await handler(req.websocket));
      } catch (error) {
        ended.resolve(error);
        throw error;
      }
    }),
  );
  app.use(recordErrors(errors));
  const site = await serve(app);
  return { site, client: await connect(site), ended: ended.promise, errors };
}

async function readAll(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe('reading a stream', () => {
  test('gives one Buffer for each message, and ends after a close in order', async () => {
    const { client, ended } = await open((websocket) => readAll(websocket.stream()));
    client.send('text', Buffer.from([1, 2]), '日本語');
    await client.close(1000);
    expect(await ended).toEqual([Buffer.from('text'), Buffer.from([1, 2]), Buffer.from('日本語')]);
  });

  test('gives the messages themselves in object mode, also empty ones', async () => {
    const { client, ended } = await open((websocket) => readAll(websocket.stream({ objectMode: true })));
    client.send('text', '', Buffer.from([1, 2]));
    await client.close();
    expect(await ended).toEqual(['text', '', Buffer.from([1, 2])]);
  });

  test('gives what came before it was created', async () => {
    const { client, ended } = await open(async (websocket) => {
      await websocket.closed;
      return readAll(websocket.stream({ objectMode: true }));
    });
    client.send('one', 'two');
    await client.close();
    expect(await ended).toEqual(['one', 'two']);
  });

  test.each([
    ['the connection is lost', (client: Client) => client.vanish(), 1006],
    ['a browser leaves the page', (client: Client) => client.close(1001), 1001],
    ['the client has an error', (client: Client) => client.close(1011), 1011],
    ['the client cancels', (client: Client) => client.close(4000), 4000],
  ])('fails when %s; no error handler is called', async (_how, leave, closeCode) => {
    const chunks: Buffer[] = [];
    const { client, ended, errors } = await open((websocket) =>
      pipeline(
        websocket.stream(),
        new Writable({
          write(chunk: Buffer, _encoding, done) {
            chunks.push(chunk);
            done();
          },
        }),
      ),
    );
    client.send('half of a file');
    await client.flush();
    await leave(client);
    expect(await ended).toMatchObject({
      code: 'ERR_WEBSOCKET_CLOSED',
      closeCode,
      // No advice on loops: libraries log this error.
      message: `the websocket has closed with ${String(closeCode)}`,
    });
    expect(chunks).toEqual([Buffer.from('half of a file')]);
    expect(errors.rest()).toEqual([]);
  });

  test('fails at shutdown', async () => {
    const { site, client, ended } = await open((websocket) => readAll(websocket.stream()));
    client.send('half');
    await client.flush();
    await closeWebsockets(site.server);
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
  });

  test('holds a client that is faster than the reader', async () => {
    const { client } = await open(async (websocket) => {
      websocket.stream();
      await websocket.closed;
    });
    const bytes = 20_000_000;
    for (let i = 0; i < 200; i++) client.ws.send(Buffer.alloc(bytes / 200));
    // What the queue, the stream and the kernel hold is less than that.
    await vi.waitFor(() => {
      expect(client.ws.bufferedAmount).toBeLessThan(bytes);
    });
    expect(client.ws.bufferedAmount).toBeGreaterThan(bytes / 4);
  });

  test('without a listener for "error", a lost connection does not end the process', async () => {
    const { client, ended } = await open(async (websocket) => {
      const stream = websocket.stream();
      stream.resume();
      await once(stream, 'close');
      return stream.errored;
    });
    await client.vanish();
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
  });

  test.each(['stream', 'readable'] as const)(
    '%s fails if the client sent more after this side had closed',
    async (kind) => {
      const paused = defer();
      const closing = defer();
      const { client, ended, errors } = await open(async (websocket) => {
        const reading = readAll(kind === 'stream' ? websocket.stream() : websocket.readable);
        await paused.promise;
        void websocket.close(1000);
        closing.resolve();
        await reading;
      });
      // So it does not see the close frame yet.
      client.ws.pause();
      paused.resolve();
      await closing.promise;
      client.send('too late');
      client.ws.resume();
      expect(await within(ended, 'end')).toBeInstanceOf(WebsocketClosedError);
      expect(errors.rest()).toEqual([]);
    },
  );

  test('does not see half of a message', async () => {
    const { client, ended } = await open((websocket) => readAll(websocket.stream()));
    client.ws.send('half', { fin: false });
    await client.flush();
    await client.vanish();
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
  });
});

describe('writing a stream', () => {
  test('sends one message for each chunk: strings as text, bytes as binary; end() closes with 1000', async () => {
    const { client, ended } = await open(async (websocket) => {
      const stream = websocket.stream();
      stream.write('text');
      stream.write(Buffer.from([1, 2]));
      stream.write('0102', 'hex');
      stream.end('日本語');
      await once(stream, 'finish');
      return stream.errored;
    });
    expect(await client.take(4)).toEqual(['text', Buffer.from([1, 2]), Buffer.from([1, 2]), '日本語']);
    expect((await client.closed()).code).toBe(1000);
    expect(await ended).toBeNull();
  });

  test('sends all as text, or all as binary', async () => {
    const text = '日本語 🚀';
    const { client } = await open(async (websocket) => {
      const stream = websocket.stream({ binary: false });
      // In pieces that cut characters.
      for (const byte of Buffer.from(text)) stream.write(Buffer.from([byte]));
      stream.end();
      await once(stream, 'close');
    });
    const pieces = await client.take([...text].length);
    expect(pieces.join('')).toBe(text);
    expect((await client.closed()).code).toBe(1000);

    const { client: other } = await open(async (websocket) => {
      websocket.stream({ binary: true }).end('text');
      await websocket.closed;
    });
    expect(await other.next()).toEqual(Buffer.from('text'));
  });

  test('goes on after the handler has returned', async () => {
    const { client, ended } = await open((websocket) => {
      Readable.from(['one', 'two', 'three']).pipe(websocket.stream());
    });
    await ended;
    expect(await client.take(3)).toEqual(['one', 'two', 'three']);
    expect((await client.closed()).code).toBe(1000);
  });

  test('destroy(error) closes with 1011; destroy() with 1000, unless chunks are left', async () => {
    const { client, errors } = await open((websocket) => {
      websocket.stream().destroy(new Error('broken'));
    });
    expect((await client.closed()).code).toBe(1011);
    expect(errors.rest()).toEqual([]);
    const { client: done } = await open((websocket) => {
      websocket.stream().destroy();
    });
    expect((await done.closed()).code).toBe(1000);
    const { client: cut } = await open((websocket) => {
      const stream = websocket.stream();
      stream.write('one');
      stream.write('two');
      stream.destroy();
    });
    expect((await cut.closed()).code).toBe(1011);
  });

  test('an upload whose source fails does not look whole', async () => {
    const { client, ended } = await open((websocket) =>
      pipeline(async function* () {
        yield 'half';
        await Promise.resolve();
        throw new Error('disk');
      }, websocket.stream()),
    );
    expect(await client.next()).toBe('half');
    expect((await client.closed()).code).toBe(1011);
    expect(await ended).toMatchObject({ message: 'disk' });
  });

  test('waits while the client does not read', async () => {
    let pulled = 0;
    const { client, ended } = await open((websocket) =>
      pipeline(function* () {
        for (; pulled < 200; pulled++) yield Buffer.alloc(100_000);
      }, websocket.stream()),
    );
    client.ws.pause();
    await vi.waitFor(() => {
      expect(pulled).toBeGreaterThan(5);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(pulled).toBeLessThan(200);
    client.ws.resume();
    await client.take(200);
    expect(await ended).toBeUndefined();
  });

  test('fails when the client leaves in the middle, and closes its source', async () => {
    const source = new Readable({ read() {} });
    const { client, ended, errors } = await open((websocket) => pipeline(source, websocket.stream()));
    source.push('one');
    expect(await client.next()).toEqual(Buffer.from('one'));
    await client.vanish();
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
    expect(source.destroyed).toBe(true);
    expect(errors.rest()).toEqual([]);
  });

  test.each(['one', ''])(
    'fails when the client has closed, although the source is silent and %j is unread',
    async (unread) => {
      const source = new Readable({ read() {} });
      const { client, ended, errors } = await open((websocket) => pipeline(source, websocket.stream()));
      if (unread !== '') client.send(unread);
      await client.close(1000);
      expect(await within(ended, 'end')).toBeInstanceOf(WebsocketClosedError);
      expect(source.destroyed).toBe(true);
      expect(errors.rest()).toEqual([]);
    },
  );

  test.each([{}, { binary: false }])(
    'of something that is no message fails (options %j)',
    async (options) => {
      const { client, ended } = await open((websocket) =>
        pipeline(Readable.from([{ a: 1 }]), websocket.stream({ ...options, objectMode: true })),
      );
      expect((await client.closed()).code).toBe(1011);
      expect(await ended).toMatchObject({ code: 'ERR_WEBSOCKET_ARGUMENT' });
    },
  );
});

describe('a stream joins', () => {
  test('a TCP server, both ways, and each end ends the other', async () => {
    const sockets: Socket[] = [];
    const tcp = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      tcp.close();
    });
    const { port } = tcp.address() as AddressInfo;
    const { site, client, errors } = await open(async (websocket) => {
      const stream = websocket.stream();
      await pipeline(stream, connectTcp(port, '127.0.0.1'), stream);
    });
    client.send('hello');
    expect(await client.next()).toEqual(Buffer.from('hello'));
    await client.close(1000);
    await expect.poll(() => sockets[0]!.destroyed).toBe(true);

    const other = await connect(site);
    other.send('hello');
    await other.next();
    sockets[1]!.end();
    expect((await other.closed()).code).toBe(1000);

    const third = await connect(site);
    third.send('hello');
    await third.next();
    await third.vanish();
    await expect.poll(() => sockets[2]!.destroyed).toBe(true);
    expect(errors.rest()).toEqual([]);
  });

  test('zlib and itself', async () => {
    const { client } = await open(async (websocket) => {
      const stream = websocket.stream();
      await pipeline(stream, createGunzip(), stream);
    });
    const text = 'a text that is long enough '.repeat(100);
    client.send(gzipSync(text));
    let received = '';
    while (received.length < text.length) received += String(await client.next());
    expect(received).toBe(text);
  });

  test('itself: an echo', async () => {
    const { client } = await open((websocket) => {
      const stream = websocket.stream({ objectMode: true });
      stream.pipe(stream);
    });
    client.send('text', Buffer.from([1]));
    expect(await client.take(2)).toEqual(['text', Buffer.from([1])]);
    await client.close(1000);
  });
});

test('a stream checks its options', async () => {
  const { client, ended } = await open((websocket) => {
    websocket.stream({ objectmode: true } as object);
  });
  expect(String(await ended)).toMatch(/did you mean "objectMode"/);
  await client.closed();
});

describe('Web streams', () => {
  test('readable gives the messages, and ends after a close in order', async () => {
    const { client, ended } = await open(async (websocket) => {
      expect(websocket.readable).toBe(websocket.readable);
      return readAll(websocket.readable);
    });
    client.send('text', Buffer.from([1, 2]));
    await client.close();
    expect(await ended).toEqual(['text', Buffer.from([1, 2])]);
  });

  test('readable fails when the connection is lost', async () => {
    const { client, ended, errors } = await open((websocket) => readAll(websocket.readable));
    client.send('half');
    await client.flush();
    await client.vanish();
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
    expect(errors.rest()).toEqual([]);
  });

  test('cancel() closes with 1000, and with a reason with 1011', async () => {
    const { client } = await open(async (websocket) => {
      for await (const message of websocket.readable) {
        expect(message).toBe('one');
        break;
      }
    });
    client.send('one', 'two');
    expect((await client.closed()).code).toBe(1000);
    const { client: other } = await open((websocket) => websocket.readable.cancel('full'));
    expect((await other.closed()).code).toBe(1011);
  });

  test('writable sends its chunks, and closes with 1000', async () => {
    const { client, ended } = await open(async (websocket) => {
      expect(websocket.writable).toBe(websocket.writable);
      await Readable.toWeb(Readable.from(['one', Buffer.from([2])])).pipeTo(websocket.writable);
      return 'done';
    });
    expect(await client.take(2)).toEqual(['one', Buffer.from([2])]);
    expect((await client.closed()).code).toBe(1000);
    expect(await ended).toBe('done');
  });

  test('writable leaves reading to others', async () => {
    const { client } = await open(async (websocket) => {
      const writer = websocket.writable.getWriter();
      for await (const message of websocket) await writer.write(`${String(message)}!`);
    });
    client.send('hello');
    expect(await client.next()).toBe('hello!');
  });

  test('writable fails when the client has left, and cancels its source', async () => {
    const cancelled = defer<unknown>();
    const source = new ReadableStream<string>({
      start(controller) {
        controller.enqueue('one');
      },
      cancel: cancelled.resolve,
    });
    const { client, ended, errors } = await open((websocket) => source.pipeTo(websocket.writable));
    expect(await client.next()).toBe('one');
    await client.vanish();
    expect(await ended).toBeInstanceOf(WebsocketClosedError);
    expect(await cancelled.promise).toBeInstanceOf(WebsocketClosedError);
    expect(errors.rest()).toEqual([]);
  });

  test('a chunk that is no message closes with 1011', async () => {
    const { client, ended } = await open((websocket) =>
      websocket.writable
        .getWriter()
        .write({} as never)
        .catch((error: unknown) => error),
    );
    expect((await client.closed()).code).toBe(1011);
    expect(await ended).toMatchObject({ code: 'ERR_WEBSOCKET_ARGUMENT' });
  });

  test('abort() closes with 1011', async () => {
    const { client } = await open((websocket) => websocket.writable.abort('broken'));
    expect((await client.closed()).code).toBe(1011);
  });

  test('both together are an echo', async () => {
    const { client, ended } = await open((websocket) => websocket.readable.pipeTo(websocket.writable));
    client.send('one', Buffer.from([2]));
    expect(await client.take(2)).toEqual(['one', Buffer.from([2])]);
    await client.close(1000);
    expect(await ended).toBeUndefined();
  });

  test('decompress', async () => {
    const { client, ended } = await open(async (websocket) => {
      const chunks = await readAll(
        (websocket.readable as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(
          new DecompressionStream('gzip'),
        ),
      );
      return Buffer.concat(chunks as Buffer[]).toString();
    });
    client.send(gzipSync('hello'));
    await client.close(1000);
    expect(await ended).toBe('hello');
  });
});
