import { expect, test } from 'vitest';
import { Websocket, WebsocketClosedError } from 'dwebsocket';
import type { TestClient } from 'dwebsocket/testing';
import type { Ends, Open } from './transports.js';

/** The methods that `req.websocket` and the test client have in common. */
type End = Websocket | TestClient;

/** The end under test, and its peer. */
type Choose = (ends: Ends) => { end: End; peer: End };

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Resolves when `peer` has received everything from `end`, because the pong comes after it. */
const settle = async (end: End) => {
  await end.ping();
};

/** Sends until a promise of `send` is pending. Returns this promise and the number of messages. */
async function fill(end: End, message: Buffer): Promise<{ sent: PromiseLike<boolean>; count: number }> {
  for (let count = 1; count < 10_000; count++) {
    const sent = end.send(message);
    const first = await Promise.race([sent, nextTurn().then(nextTurn)]);
    if (first === undefined) return { sent, count };
  }
  throw new Error('send() has never waited');
}

/** Registers tests that both ends of a websocket must pass on every transport. */
export function websocketContract(open: Open, choose: Choose): void {
  const openEnds = async (...options: Parameters<Open>) => choose(await open(...options));

  test('text arrives as a string, bytes as a Buffer', async () => {
    const { end, peer } = await openEnds();
    peer.send('grüße 你好 🎉');
    peer.send(Buffer.from([0, 255]));
    peer.send(new Uint16Array([1, 2]));
    peer.send(new Uint8Array([7]).buffer);
    peer.send(Buffer.from('text'), { binary: false });
    expect(await end.wait()).toBe('grüße 你好 🎉');
    const bytes = await end.wait();
    expect(bytes).toBeInstanceOf(Buffer);
    expect(bytes).toEqual(Buffer.from([0, 255]));
    expect(await end.wait()).toEqual(Buffer.from([1, 0, 2, 0]));
    expect(await end.wait()).toEqual(Buffer.from([7]));
    expect(await end.wait()).toBe('text');
  });

  test('many messages arrive in order', async () => {
    const { end, peer } = await openEnds();
    const all = Array.from({ length: 2_000 }, (_, i) => `${i} ${'x'.repeat(i % 200)}`);
    for (const message of all) end.send(message);
    const received: unknown[] = [];
    while (received.length < all.length) received.push(await peer.wait());
    expect(received).toEqual(all);
  });

  test('empty messages arrive, too', async () => {
    const { end, peer } = await openEnds();
    peer.send('');
    peer.send(Buffer.alloc(0));
    expect(await end.wait()).toBe('');
    expect(await end.wait()).toEqual(Buffer.alloc(0));
  });

  test('a message of 1 MiB arrives complete', async () => {
    const { end, peer } = await openEnds();
    const message = Buffer.alloc(2 ** 20, 'abc');
    peer.send(message);
    const received = await end.wait();
    expect(message.equals(received as Buffer)).toBe(true);
  });

  test('a buffer may be reused after the call', async () => {
    const { end, peer } = await openEnds();
    const small = Buffer.alloc(100, 'a');
    const large = Buffer.alloc(200_000, 'a');
    end.send(small);
    end.send(large);
    small.fill('b');
    large.fill('b');
    expect((await peer.wait())?.includes('b')).toBe(false);
    expect((await peer.wait())?.includes('b')).toBe(false);
  });

  test('compressed messages arrive unchanged', async () => {
    const perMessageDeflate = { threshold: 0 };
    const { end, peer } = await openEnds({ perMessageDeflate }, { perMessageDeflate });
    end.send('x'.repeat(10_000));
    end.send('short');
    expect(await peer.wait()).toBe('x'.repeat(10_000));
    expect(await peer.wait()).toBe('short');
  });

  test('concurrent waits are served in order', async () => {
    const { end, peer } = await openEnds();
    const waits = [end.wait(), end.wait(60_000), end.wait()];
    for (const message of ['1', '2', '3']) peer.send(message);
    expect(await Promise.all(waits)).toEqual(['1', '2', '3']);
  });

  test('a wait that timed out resolves with null and leaves the message to the next wait', async () => {
    const { end, peer } = await openEnds();
    const first = end.wait(1);
    const second = end.wait();
    expect(await first).toBeNull();
    peer.send('late');
    expect(await second).toBe('late');
    expect(end.isClosed()).toBe(false);
  });

  test('wait(0), read, countMessages and hasMessages do not wait', async () => {
    const { end, peer } = await openEnds();
    expect(await end.wait(0)).toBeNull();
    expect(end.read()).toBeNull();
    expect(end.read('none')).toBe('none');
    expect([end.countMessages(), end.hasMessages()]).toEqual([0, false]);
    for (const message of ['1', '2', '3']) peer.send(message);
    await settle(peer);
    expect([end.countMessages(), end.hasMessages()]).toEqual([3, true]);
    expect([await end.wait(0), end.read(), end.read('none'), end.read('none')]).toEqual([
      '1',
      '2',
      '3',
      'none',
    ]);
  });

  test('an iteration yields every message and ends when the websocket closes', async () => {
    const { end, peer } = await openEnds();
    for (const message of ['1', '2', '3']) peer.send(message);
    void peer.close();
    const received: unknown[] = [];
    for await (const message of end) received.push(message);
    expect(received).toEqual(['1', '2', '3']);
  });

  test('after a break a new iteration continues', async () => {
    const { end, peer } = await openEnds();
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
    const { end, peer } = await openEnds();
    void peer.close();
    for await (const message of end) expect(message).toBe('nothing');
    expect(await end.wait()).toBeNull();
    await expect(end.wait()).rejects.toThrow(WebsocketClosedError);
  });

  test('messages from before the close can be read, then the end is reported once', async () => {
    const { end, peer } = await openEnds();
    for (const message of ['1', '2', '3']) peer.send(message);
    await peer.close();
    expect(end.isClosed()).toBe(true);
    expect(await end.wait()).toBe('1');
    expect(end.read()).toBe('2');
    expect(await end.wait()).toBe('3');
    expect(await end.wait()).toBeNull();
    await expect(end.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED', closeCode: 1000 });
    expect(() => end.read()).toThrow(WebsocketClosedError);
  });

  test('all pending waits resolve with null at the close', async () => {
    const { end, peer } = await openEnds();
    const waits = [end.wait(), end.wait(60_000), end.wait()];
    void peer.close();
    expect(await Promise.all(waits)).toEqual([null, null, null]);
    await expect(end.wait()).rejects.toThrow(WebsocketClosedError);
  });

  test('both ends see the code and reason of the side that closed first', async () => {
    const { end, peer } = await openEnds();
    void end.close(4001, 'grüße');
    const info = { code: 4001, reason: 'grüße', wasClean: true };
    expect(end.isClosed()).toBe(true);
    expect(await end.closed).toEqual(info);
    expect(await peer.closed).toEqual(info);
  });

  test('close() resolves when the connection has ended, also when it is called several times', async () => {
    const { end, peer } = await openEnds();
    await Promise.all([end.close(), end.close(4000), peer.close(4001)]);
    expect((await end.closed).wasClean).toBe(true);
    await end.close();
  });

  test('messages from before the close arrive', async () => {
    const { end, peer } = await openEnds();
    const message = Buffer.alloc(300_000, 'a');
    for (let i = 0; i < 3; i++) end.send(message);
    void end.close();
    for (let i = 0; i < 3; i++) expect((await peer.wait())?.length).toBe(300_000);
    expect(await peer.wait()).toBeNull();
  });

  test('send on a closed websocket resolves with false', async () => {
    const { end, peer } = await openEnds();
    expect(await end.send('open')).toBe(true);
    await peer.close();
    expect(await end.send('closed')).toBe(false);
  });

  test('an invalid message throws at once', async () => {
    const { end } = await openEnds();
    expect(() => end.send(42 as never)).toThrow(TypeError);
    expect(() => end.send({} as never)).toThrow(/JSON\.stringify/);
    expect(() => end.close(1005)).toThrow(RangeError);
    expect(() => end.close(1000, 'é'.repeat(62))).toThrow(RangeError);
    expect(() => end.wait(-1)).toThrow(RangeError);
    expect(() => end.wait('1' as never)).toThrow(TypeError);
    expect(end.isClosed()).toBe(false);
  });

  test('a lost connection closes with 1006', async () => {
    const { server, client } = await open();
    client.terminate();
    expect(await server.wait()).toBeNull();
    const info = { code: 1006, reason: '', wasClean: false };
    expect([await server.closed, await client.closed]).toEqual([info, info]);
  });

  test('the signal is aborted when it closes', async () => {
    const { end, peer } = await openEnds();
    const { signal } = end;
    expect(signal.aborted).toBe(false);
    const aborted = new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    void peer.close(4000);
    await aborted;
    expect(signal.reason).toBeInstanceOf(WebsocketClosedError);
    expect(end.signal).toBe(signal);
  });

  test('ping measures the round trip, and rejects when it closes first', async () => {
    const { end, peer } = await openEnds();
    const [roundTrip] = await Promise.all([end.ping(), end.ping()]);
    expect(roundTrip).toBeGreaterThan(0);
    await peer.close();
    await expect(end.ping()).rejects.toThrow(WebsocketClosedError);
  });

  test('sleep resolves with true, and once with false when it closes', async () => {
    const { end, peer } = await openEnds();
    expect(await end.sleep(1)).toBe(true);
    const sleeping = end.sleep(60_000);
    void peer.close();
    expect(await sleeping).toBe(false);
    await expect(end.sleep(1)).rejects.toThrow(WebsocketClosedError);
  });

  test('ignoreMessages drops unread and later messages', async () => {
    const { end, peer } = await openEnds();
    peer.send('before');
    await settle(peer);
    end.ignoreMessages();
    peer.send('after');
    await settle(peer);
    expect(end.countMessages()).toBe(0);
  });

  test('send waits while the peer does not read, and resolves when it reads', async () => {
    const small = { maxQueue: 1_000, highWaterMark: 1_000, maxBuffered: 2 ** 30 };
    const { end, peer } = await openEnds(small, small);
    const message = Buffer.alloc(200_000);
    const { sent, count } = await fill(end, message);
    expect(peer.countMessages()).toBeLessThan(count);
    for (let i = 0; i < count; i++) expect((await peer.wait())?.length).toBe(message.length);
    expect(await sent).toBe(true);
  });

  test('a peer that never reads is disconnected above maxBuffered', async () => {
    const small = { maxQueue: 1_000, highWaterMark: 1_000, maxBuffered: 300_000 };
    const { end } = await openEnds(small, small);
    const message = Buffer.alloc(200_000);
    let isOpen = true;
    for (let i = 0; isOpen && i < 10_000; i++)
      isOpen = await Promise.race([end.send(message), nextTurn().then(() => true)]);
    expect(isOpen).toBe(false);
    expect((await end.closed).code).toBe(1006);
  });

  test('a message of the wrong kind closes it with 1003', async () => {
    const { end, peer } = await openEnds({ messages: 'text' }, { messages: 'text' });
    peer.send(Buffer.from('binary'));
    expect((await end.closed).code).toBe(1003);
    expect((await peer.closed).code).toBe(1003);
  });

  test('a message above maxPayload closes it with 1009', async () => {
    const { end, peer } = await openEnds({ maxPayload: 1_000 }, { maxPayload: 1_000 });
    peer.send('x'.repeat(1_001));
    expect((await end.closed).code).toBe(1009);
  });
}
