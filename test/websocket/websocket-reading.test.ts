import { afterEach, describe, expect, test, vi } from 'vitest';
import { requireWebsocket, WebsocketClosedError } from 'dwebsocket';
import { defer } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { openRaw } from '../support/raw-client.js';
import { Opcode, pong, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';

const ended = { code: 'ERR_WEBSOCKET_CLOSED', closeCode: 1000, closeReason: '' };

/** Resolves in the next turn of the event loop, before anything that is scheduled there later. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

afterEach(() => {
  vi.useRealTimers();
});

describe('wait', () => {
  test('resolves with the oldest message, as soon as there is one', async () => {
    const { websocket, client } = await openPair();
    const waiting = websocket.wait();
    client.send('first', 'second');
    expect(await waiting).toBe('first');
    await client.flush();
    expect(await websocket.wait()).toBe('second');
  });

  test('resolves with a string for a text message and a Buffer for a binary one', async () => {
    const { websocket, client } = await openPair();
    client.send('grüße', Buffer.from([0, 255]));
    expect(await websocket.wait()).toBe('grüße');
    const binary = await websocket.wait();
    expect(binary).toBeInstanceOf(Buffer);
    expect(binary).toEqual(Buffer.from([0, 255]));
  });

  test('resolves with empty messages like any other', async () => {
    const { websocket, client } = await openPair();
    client.send('', Buffer.alloc(0), 'end');
    expect(await websocket.wait()).toBe('');
    expect(await websocket.wait()).toEqual(Buffer.alloc(0));
    expect(await websocket.wait()).toBe('end');
  });

  test('gives messages to concurrent calls in order', async () => {
    const { websocket, client } = await openPair();
    const waits = [websocket.wait(), websocket.wait(60_000), websocket.wait()];
    client.send('1', '2', '3');
    expect(await Promise.all(waits)).toEqual(['1', '2', '3']);
  });

  test('resolves with null after the timeout', async () => {
    const { websocket } = await openPair();
    expect(await websocket.wait(10)).toBeNull();
    expect(websocket.isClosed()).toBe(false);
  });

  test('a call that has timed out takes no message from the next call', async () => {
    const { websocket, client } = await openPair();
    const second = websocket.wait();
    const timedOut = [websocket.wait(5), websocket.wait(5)];
    const last = websocket.wait();
    expect(await Promise.all(timedOut)).toEqual([null, null]);
    client.send('for the second', 'for the last');
    expect(await second).toBe('for the second');
    expect(await last).toBe('for the last');
  });

  test('a message before the timeout stops the timer', async () => {
    const { websocket, client } = await openPair();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = websocket.wait(60_000);
    expect(vi.getTimerCount()).toBe(1);
    client.send('in time');
    expect(await waiting).toBe('in time');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('waits without a limit if there is no timeout', async () => {
    const { websocket, client } = await openPair();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = websocket.wait();
    vi.advanceTimersByTime(2 ** 40);
    client.send('at last');
    expect(await waiting).toBe('at last');
  });

  test('with 0 does not wait', async () => {
    const { websocket, client } = await openPair();
    expect(await websocket.wait(0)).toBeNull();
    client.send('there');
    await client.flush();
    expect(await websocket.wait(0)).toBe('there');
    expect(await websocket.wait(0)).toBeNull();
  });

  test('resolves with null once after the close, then rejects', async () => {
    const { websocket, client } = await openPair();
    await client.close(4000, 'enough');
    expect(await websocket.wait()).toBeNull();
    const facts = { code: 'ERR_WEBSOCKET_CLOSED', closeCode: 4000, closeReason: 'enough' };
    await expect(websocket.wait()).rejects.toMatchObject(facts);
    await expect(websocket.wait(0)).rejects.toBeInstanceOf(WebsocketClosedError);
    await expect(websocket.wait(10)).rejects.toThrow('the websocket has closed with 4000 (enough)');
  });

  test('all calls that are pending at the close resolve with null', async () => {
    const { websocket, client } = await openPair();
    const waits = [websocket.wait(), websocket.wait(60_000), websocket.wait()];
    await client.close(1000);
    expect(await Promise.all(waits)).toEqual([null, null, null]);
    await expect(websocket.wait()).rejects.toMatchObject(ended);
  });

  test('resolves with queued messages after the peer has closed', async () => {
    const { websocket, client } = await openPair();
    client.send('one', 'two');
    await client.close(1000);
    await websocket.closed;
    expect(await websocket.wait()).toBe('one');
    expect(await websocket.wait(0)).toBe('two');
    expect(await websocket.wait()).toBeNull();
    await expect(websocket.wait()).rejects.toMatchObject(ended);
  });

  test('resolves with queued messages after the peer has vanished', async () => {
    const { websocket, client } = await openPair();
    client.send('one', 'two');
    await client.flush();
    await client.vanish();
    expect(await websocket.closed).toEqual({ code: 1006, reason: '', wasClean: false });
    expect([await websocket.wait(), await websocket.wait(), await websocket.wait()]).toEqual([
      'one',
      'two',
      null,
    ]);
  });

  test('settles on a later turn of the event loop after the end was reported', async () => {
    const { websocket, client } = await openPair();
    await client.close(1000);
    await websocket.closed;
    const order: string[] = [];
    const first = websocket.wait().then(() => order.push('null'));
    await Promise.resolve().then(() => order.push('this turn'));
    await first;
    const second = websocket.wait().catch(() => order.push('rejected'));
    await Promise.resolve().then(() => order.push('this turn'));
    await second;
    expect(order).toEqual(['this turn', 'null', 'this turn', 'rejected']);
  });

  test('wait(0) without a message also resolves on a later turn', async () => {
    const { websocket } = await openPair();
    const order: string[] = [];
    const looked = websocket.wait(0).then(() => order.push('null'));
    process.nextTick(() => order.push('next tick'));
    await looked;
    expect(order).toEqual(['next tick', 'null']);
  });

  test.for([[-1], [NaN], [2 ** 31], [Infinity]] as const)('throws for a timeout of %d', async ([timeout]) => {
    const { websocket } = await openPair();
    expect(() => websocket.wait(timeout)).toThrow(RangeError);
    expect(() => websocket.wait(timeout)).toThrow(
      /wait\(\) takes whole milliseconds .* omit the timeout to wait without a limit/,
    );
  });

  test('throws for a fraction, which may mean seconds, and says what to write', async () => {
    const { websocket } = await openPair();
    expect(() => websocket.wait(2.5)).toThrow(RangeError);
    expect(() => websocket.wait(2.5)).toThrow('For 2.5 seconds, write wait(2500); for milliseconds, round');
    expect(() => websocket.wait(0.001)).toThrow('write wait(1); for milliseconds, round');
    expect(() => websocket.wait(2 ** 31 - 1.5)).toThrow('got the number 2147483646.5');
    expect(await websocket.wait(1)).toBeNull();
  });

  test.for([['100'], [null], [{}]] as const)('throws for the timeout %j', async ([timeout]) => {
    const { websocket } = await openPair();
    expect(() => websocket.wait(timeout as never)).toThrow(TypeError);
  });
});

describe('read', () => {
  test('returns the oldest message, or the fallback, and never waits', async () => {
    const { websocket, client } = await openPair();
    expect(websocket.read()).toBeNull();
    expect(websocket.read('nothing')).toBe('nothing');
    client.send('one', 'two');
    await client.flush();
    expect(websocket.read('nothing')).toBe('one');
    expect(websocket.read()).toBe('two');
  });

  test('after the close returns the remaining messages, then the fallback once, then throws', async () => {
    const { websocket, client } = await openPair();
    client.send('left');
    await client.close(1000);
    await websocket.closed;
    expect(websocket.read('over')).toBe('left');
    expect(websocket.read('over')).toBe('over');
    expect(() => websocket.read('over')).toThrow(WebsocketClosedError);
  });

  test('shares the one report of the end with wait', async () => {
    const first = await openPair();
    await first.client.close();
    await first.websocket.closed;
    expect(first.websocket.read()).toBeNull();
    await expect(first.websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);

    const second = await openPair();
    await second.client.close();
    await second.websocket.closed;
    expect(await second.websocket.wait()).toBeNull();
    expect(() => second.websocket.read()).toThrow(WebsocketClosedError);
  });
});

test('countMessages and hasMessages report the unread messages', async () => {
  const { websocket, client } = await openPair();
  expect(websocket.countMessages()).toBe(0);
  expect(websocket.hasMessages()).toBe(false);
  client.send('one', '', 'three');
  await client.flush();
  expect(websocket.countMessages()).toBe(3);
  expect(websocket.hasMessages()).toBe(true);
  websocket.read();
  await websocket.wait();
  expect(websocket.countMessages()).toBe(1);
  await client.close();
  await websocket.closed;
  expect(websocket.countMessages()).toBe(1);
  expect(websocket.read()).toBe('three');
  expect(websocket.hasMessages()).toBe(false);
});

test('ignoreMessages drops unread and later messages, and still detects the close', async () => {
  const { websocket, client } = await openPair();
  client.send('unread');
  await client.flush();
  websocket.ignoreMessages();
  expect(websocket.hasMessages()).toBe(false);
  client.send('dropped');
  await client.flush();
  expect(websocket.countMessages()).toBe(0);
  websocket.send('we still send');
  expect(await client.next()).toBe('we still send');
  const waiting = websocket.wait();
  await client.close(4000);
  expect(await waiting).toBeNull();
});

describe('frames on the wire', () => {
  test('ten messages in one segment all arrive, one for each turn of the handler', async () => {
    const seen: unknown[] = [];
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket) {
          seen.push(message);
          await nextTurn();
          websocket.send(message);
        }
      }),
    );
    const words = Array.from({ length: 10 }, (_, i) => `message ${i}`);
    const client = await openRaw(site.port);
    client.write(Buffer.concat(words.map((word) => text(word))));
    await client.until(() => client.framesOf(Opcode.text).length === 10, 'ten echoes');
    expect(seen).toEqual(words);
    expect(client.framesOf(Opcode.text).map(({ payload }) => payload.toString())).toEqual(words);
    client.destroy();
  });

  test('a message of 1 MiB arrives completely', async () => {
    const { websocket, client } = await openPair();
    const message = Buffer.alloc(2 ** 20, 'abcdefg');
    client.send(message);
    expect(message.equals((await websocket.wait()) as Buffer)).toBe(true);
    client.send(message.toString());
    expect(await websocket.wait()).toBe(message.toString());
  });

  test('fragments arrive as one message, with a ping and an unsolicited pong between them', async () => {
    const reading = defer<unknown>();
    const site = await serve(requireWebsocket(async (req) => reading.resolve(await req.websocket.wait())));
    const client = await openRaw(site.port);
    client.write(text('He', { fin: false }), pong('unasked'), text('llo', { opcode: Opcode.continuation }));
    expect(await reading.promise).toBe('Hello');
    client.destroy();
  });
});
