import { describe, expect, test } from 'vitest';
import { WebsocketClosedError } from 'dwebsocket';
import { openPair } from '../support/pair.js';

/** Resolves in the next turn of the event loop, before anything that is scheduled there later. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('for await', () => {
  test('iterates over every message until the close, without a trailing null', async () => {
    const { websocket, client } = await openPair();
    const seen: unknown[] = [];
    const iteration = (async () => {
      for await (const message of websocket) seen.push(message);
    })();
    client.send('one', '', Buffer.from('three'));
    await client.close();
    await iteration;
    expect(seen).toEqual(['one', '', Buffer.from('three')]);
  });

  test('iterates over queued messages after the peer has closed', async () => {
    const { websocket, client } = await openPair();
    client.send('one', 'two', 'three');
    await client.close();
    await websocket.closed;
    const seen: unknown[] = [];
    for await (const message of websocket) {
      seen.push(message);
      await nextTurn();
    }
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  test('break leaves the websocket open, and a new loop gets the next message', async () => {
    const { websocket, client } = await openPair();
    client.send('one', 'two', 'three');
    for await (const message of websocket) {
      expect(message).toBe('one');
      break;
    }
    expect(websocket.isClosed()).toBe(false);
    expect(await websocket.wait()).toBe('two');
    for await (const message of websocket) {
      expect(message).toBe('three');
      break;
    }
    websocket.send('still open');
    expect(await client.next()).toBe('still open');
  });

  test('the end of an iteration does not consume the one null of wait()', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    for await (const message of websocket) expect.unreachable(String(message));
    for await (const message of websocket) expect.unreachable(String(message));
    expect(await websocket.wait()).toBeNull();
    await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
    for await (const message of websocket) expect.unreachable(String(message));
  });

  test('a new iteration of a closed websocket ends on a later turn', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    const order: string[] = [];
    const iteration = websocket[Symbol.asyncIterator]()
      .next()
      .then(({ done }) => order.push(`done: ${String(done)}`));
    process.nextTick(() => order.push('next tick'));
    await iteration;
    expect(order).toEqual(['next tick', 'done: true']);
  });

  test('shares the messages with other waiters, in order', async () => {
    const { websocket, client } = await openPair();
    const iterator = websocket[Symbol.asyncIterator]();
    const calls = [iterator.next(), websocket.wait(), iterator.next()];
    client.send('1', '2', '3');
    expect(await Promise.all(calls)).toEqual([{ done: false, value: '1' }, '2', { done: false, value: '3' }]);
  });
});
