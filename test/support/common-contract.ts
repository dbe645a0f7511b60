import { expect, test } from 'vitest';
import type { Websocket, WebsocketOptions } from 'dwebsocket';
import type { TestClient } from 'dwebsocket/testing';

/** What `req.websocket`, the client of a test and the client that reconnects have in common. */
export interface CommonEnd extends AsyncIterable<unknown> {
  wait(timeout?: number): Promise<unknown>;
  read(fallback?: unknown): unknown;
  countMessages(): number;
  hasMessages(): boolean;
  send(data: string | NodeJS.TypedArray | ArrayBuffer): PromiseLike<boolean>;
  close(code?: number, reason?: string): PromiseLike<void>;
  isClosed(): boolean;
  readonly closed: Promise<{ code: number; reason: string; wasClean: boolean }>;
  readonly signal: AbortSignal;
}

type Limits = Pick<WebsocketOptions, 'maxQueue' | 'highWaterMark' | 'maxBuffered'>;

/** Opens a websocket. `options` are those of both ends, as far as they have them. */
export type OpenCommon = (
  options?: Limits,
  clientOptions?: Limits,
) => Promise<{ end: CommonEnd; peer: Websocket | TestClient }>;

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const bytesOf = (message: unknown): number[] => {
  expect(message).toBeInstanceOf(Uint8Array);
  return [...(message as Uint8Array)];
};

/** Sends until a promise of `send` is pending. Returns this promise and the number of messages. */
async function fill(end: CommonEnd, message: Buffer): Promise<{ sent: PromiseLike<boolean>; count: number }> {
  for (let count = 1; count < 10_000; count++) {
    const sent = end.send(message);
    const first = await Promise.race([sent, nextTurn().then(nextTurn)]);
    if (first === undefined) return { sent, count };
  }
  throw new Error('send() has never waited');
}

/** Registers the tests that all of them must pass on every transport. */
export function commonContract(open: OpenCommon): void {
  test('text arrives as a string, bytes as bytes', async () => {
    const { end, peer } = await open();
    peer.send('grüße 你好 🎉');
    peer.send(Buffer.from([0, 255]));
    peer.send(new Uint16Array([1, 2]));
    peer.send(new Uint8Array([7]).buffer);
    peer.send(Buffer.from('text'), { binary: false });
    expect(await end.wait()).toBe('grüße 你好 🎉');
    expect(bytesOf(await end.wait())).toEqual([0, 255]);
    expect(bytesOf(await end.wait())).toEqual([1, 0, 2, 0]);
    expect(bytesOf(await end.wait())).toEqual([7]);
    expect(await end.wait()).toBe('text');
  });

  test('many messages arrive in order', async () => {
    const { end, peer } = await open();
    const all = Array.from({ length: 2_000 }, (_, i) => `${i} ${'x'.repeat(i % 200)}`);
    for (const message of all) end.send(message);
    const received: unknown[] = [];
    while (received.length < all.length) received.push(await peer.wait());
    expect(received).toEqual(all);
  });

  test('empty messages arrive, too', async () => {
    const { end, peer } = await open();
    peer.send('');
    peer.send(Buffer.alloc(0));
    expect(await end.wait()).toBe('');
    expect(bytesOf(await end.wait())).toEqual([]);
  });

  test('a message of 1 MiB arrives complete', async () => {
    const { end, peer } = await open();
    const message = Buffer.alloc(2 ** 20, 'abc');
    peer.send(message);
    const received = await end.wait();
    expect(message.equals(received as Uint8Array)).toBe(true);
  });

  test('a buffer may be reused after the call', async () => {
    const { end, peer } = await open();
    const small = Buffer.alloc(100, 'a');
    const large = Buffer.alloc(200_000, 'a');
    end.send(small);
    end.send(large);
    small.fill('b');
    large.fill('b');
    expect((await peer.wait())?.includes('b')).toBe(false);
    expect((await peer.wait())?.includes('b')).toBe(false);
  });

  test('concurrent waits are served in order', async () => {
    const { end, peer } = await open();
    const waits = [end.wait(), end.wait(60_000), end.wait()];
    for (const message of ['1', '2', '3']) peer.send(message);
    expect(await Promise.all(waits)).toEqual(['1', '2', '3']);
  });

  test('a wait that timed out resolves with null and leaves the message to the next wait', async () => {
    const { end, peer } = await open();
    const first = end.wait(1);
    const second = end.wait();
    expect(await first).toBeNull();
    peer.send('late');
    expect(await second).toBe('late');
    expect(end.isClosed()).toBe(false);
  });

  test('wait(0), read, countMessages and hasMessages do not wait', async () => {
    const { end, peer } = await open();
    expect(await end.wait(0)).toBeNull();
    expect(end.read()).toBeNull();
    expect(end.read('none')).toBe('none');
    expect([end.countMessages(), end.hasMessages()]).toEqual([0, false]);
    for (const message of ['1', '2', '3']) peer.send(message);
    await expect.poll(() => end.countMessages()).toBe(3);
    expect(end.hasMessages()).toBe(true);
    expect([await end.wait(0), end.read(), end.read('none'), end.read('none')]).toEqual([
      '1',
      '2',
      '3',
      'none',
    ]);
  });

  test('an iteration yields every message and ends when the websocket closes', async () => {
    const { end, peer } = await open();
    for (const message of ['1', '2', '3']) peer.send(message);
    void peer.close();
    const received: unknown[] = [];
    for await (const message of end) received.push(message);
    expect(received).toEqual(['1', '2', '3']);
  });

  test('after a break a new iteration continues', async () => {
    const { end, peer } = await open();
    for (const message of ['1', '2']) peer.send(message);
    for await (const message of end) {
      expect(message).toBe('1');
      break;
    }
    expect(end.isClosed()).toBe(false);
    for await (const message of end) {
      expect(message).toBe('2');
      break;
    }
    void peer.close();
    for await (const message of end) expect(message).toBe('nothing');
  });

  test('the end of an iteration does not consume the one null of wait()', async () => {
    const { end, peer } = await open();
    void peer.close();
    for await (const message of end) expect(message).toBe('nothing');
    expect(await end.wait()).toBeNull();
    await expect(end.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
  });

  test('messages from before the close can be read, then the end is reported once', async () => {
    const { end, peer } = await open();
    for (const message of ['1', '2', '3']) peer.send(message);
    await peer.close();
    await end.closed;
    expect(end.isClosed()).toBe(true);
    expect(await end.wait()).toBe('1');
    expect(end.read()).toBe('2');
    expect(await end.wait()).toBe('3');
    expect(await end.wait()).toBeNull();
    await expect(end.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED', closeCode: 1000 });
    expect(() => end.read()).toThrow(expect.objectContaining({ code: 'ERR_WEBSOCKET_CLOSED' }));
  });

  test('all pending waits resolve with null at the close', async () => {
    const { end, peer } = await open();
    const waits = [end.wait(), end.wait(60_000), end.wait()];
    void peer.close();
    expect(await Promise.all(waits)).toEqual([null, null, null]);
    await expect(end.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
  });

  test('both ends see the code and reason of the side that closed first', async () => {
    const { end, peer } = await open();
    void end.close(4001, 'grüße');
    const info = { code: 4001, reason: 'grüße', wasClean: true };
    expect(end.isClosed()).toBe(true);
    expect(await end.closed).toEqual(info);
    expect(await peer.closed).toEqual(info);
  });

  test('close() resolves when the connection has ended, also when it is called several times', async () => {
    const { end, peer } = await open();
    await Promise.all([end.close(), end.close(4000), peer.close(4001)]);
    expect((await end.closed).wasClean).toBe(true);
    await end.close();
  });

  test('messages from before the close arrive', async () => {
    const { end, peer } = await open();
    const message = Buffer.alloc(300_000, 'a');
    for (let i = 0; i < 3; i++) end.send(message);
    void end.close();
    for (let i = 0; i < 3; i++) expect((await peer.wait())?.length).toBe(300_000);
    expect(await peer.wait()).toBeNull();
  });

  test('send on a closed websocket resolves with false', async () => {
    const { end, peer } = await open();
    expect(await end.send('open')).toBe(true);
    await peer.close();
    await end.closed;
    expect(await end.send('closed')).toBe(false);
  });

  test('an invalid message throws at once', async () => {
    const { end } = await open();
    expect(() => end.send(42 as never)).toThrow(TypeError);
    expect(() => end.send({} as never)).toThrow(/messages: ["']json["']/);
    expect(() => end.close(1005)).toThrow(RangeError);
    expect(() => end.close(1000, 'é'.repeat(62))).toThrow(RangeError);
    expect(() => end.wait(-1)).toThrow(RangeError);
    expect(() => end.wait('1' as never)).toThrow(TypeError);
    expect(end.isClosed()).toBe(false);
  });

  test('the signal is aborted when it closes', async () => {
    const { end, peer } = await open();
    const { signal } = end;
    expect(signal.aborted).toBe(false);
    const aborted = new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    // A code at which the client that reconnects stops, too.
    void peer.close(4400);
    await aborted;
    expect(signal.reason).toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
    expect(end.signal).toBe(signal);
  });

  test('send waits while the peer does not read, and resolves when it reads', async () => {
    const small = { maxQueue: 1_000, highWaterMark: 1_000, maxBuffered: 2 ** 30 };
    const { end, peer } = await open(small, small);
    const message = Buffer.alloc(200_000);
    const { sent, count } = await fill(end, message);
    expect(peer.countMessages()).toBeLessThan(count);
    for (let i = 0; i < count; i++) expect((await peer.wait())?.length).toBe(message.length);
    expect(await sent).toBe(true);
  });
}
