import { once } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { requireWebsocket, type RequireWebsocketRequest, type Websocket } from 'dwebsocket';
import { runHandler } from 'dwebsocket/testing';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { serve } from '../support/serve.js';

const HOUR = 3_600_000;

/** The clock and the timers stand still; only the test moves them. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
}

afterEach(() => {
  vi.useRealTimers();
});

describe('closeAt', () => {
  test('closes at a date, with 3000, or with the given code and reason', async () => {
    const first = await openPair();
    const second = await openPair();
    stopClock();
    first.websocket.closeAt(new Date(Date.now() + HOUR));
    second.websocket.closeAt(Date.now() + HOUR, 4401, 'logged out');
    vi.advanceTimersByTime(HOUR - 1);
    expect([first.websocket.isClosed(), second.websocket.isClosed()]).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect(await within(first.websocket.closed, 'end')).toEqual({ code: 3000, reason: '', wasClean: true });
    vi.useRealTimers();
    expect(await first.client.closed()).toEqual({ code: 3000, reason: '' });
    expect(await second.client.closed()).toEqual({ code: 4401, reason: 'logged out' });
  });

  test('needs no fake clock', async () => {
    const { websocket, client } = await openPair();
    websocket.closeAt(Date.now() + 20);
    expect(websocket.isClosed()).toBe(false);
    expect((await client.closed()).code).toBe(3000);
  });

  test('closes at once if the time has passed', async () => {
    const { websocket, client } = await openPair();
    websocket.closeAt(new Date(0), 4000);
    expect(websocket.isClosed()).toBe(true);
    expect((await client.closed()).code).toBe(4000);
  });

  test.for([new Date(0), new Date(1), new Date(-1)])('takes %o for long ago, as cookies do', async (date) => {
    const { websocket } = await openPair();
    websocket.closeAt(date);
    expect(websocket.isClosed()).toBe(true);
  });

  test.for([
    ['a number', (ms: number) => ms],
    ['a Date', (ms: number) => new Date(ms)],
  ] as const)('follows a fake clock that begins in 1970, with %s', async ([, toTime]) => {
    const { websocket } = await openPair();
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 0 });
    websocket.closeAt(toTime(Date.now() + 30 * 24 * HOUR));
    vi.advanceTimersByTime(30 * 24 * HOUR - 1);
    expect(websocket.isClosed()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(websocket.isClosed()).toBe(true);
  });

  test('knows dates beyond the longest timer of Node', async () => {
    const { websocket, client } = await openPair();
    stopClock();
    const days = 60 * 24 * HOUR;
    websocket.closeAt(Date.now() + days);
    vi.advanceTimersByTime(days - 1);
    expect(websocket.isClosed()).toBe(false);
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    expect((await client.closed()).code).toBe(3000);
  });

  test('closes soon after a machine that slept has woken up', async () => {
    const { websocket, client } = await openPair();
    stopClock();
    websocket.closeAt(Date.now() + HOUR);
    // The clock goes on in a sleep, and timers do not.
    vi.setSystemTime(Date.now() + 2 * HOUR);
    vi.advanceTimersByTime(60_000);
    vi.useRealTimers();
    expect((await client.closed()).code).toBe(3000);
  });

  test('waits longer if the clock was set back', async () => {
    const { websocket } = await openPair();
    stopClock();
    websocket.closeAt(Date.now() + HOUR);
    vi.setSystemTime(Date.now() - HOUR);
    vi.advanceTimersByTime(HOUR + HOUR / 2);
    expect(websocket.isClosed()).toBe(false);
    vi.advanceTimersByTime(HOUR / 2);
    expect(websocket.isClosed()).toBe(true);
  });

  test('may be moved: the last call counts, with its code and reason', async () => {
    const { websocket, client } = await openPair();
    stopClock();
    websocket.closeAt(Date.now() + HOUR, 4001, 'first');
    websocket.closeAt(Date.now() + 2 * HOUR, 4002, 'second');
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(HOUR);
    expect(websocket.isClosed()).toBe(false);
    websocket.closeAt(Date.now() + HOUR / 2, 4003, 'third');
    vi.advanceTimersByTime(HOUR / 2);
    vi.useRealTimers();
    expect(await client.closed()).toEqual({ code: 4003, reason: 'third' });
  });

  test('takes null for no time', async () => {
    const { websocket } = await openPair();
    stopClock();
    websocket.closeAt(null);
    websocket.closeAt(Date.now() + HOUR);
    websocket.closeAt(null);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2 * HOUR);
    expect(websocket.isClosed()).toBe(false);
    websocket.closeAt(Date.now() + HOUR);
    vi.advanceTimersByTime(HOUR);
    expect(websocket.isClosed()).toBe(true);
  });

  test('leaves no timer when the websocket closes before, and does nothing afterwards', async () => {
    const { websocket, client } = await openPair();
    stopClock();
    websocket.closeAt(Date.now() + HOUR);
    client.ws.terminate();
    await within(websocket.closed, 'end');
    // The timer is stopped when `closed` resolves.
    await Promise.resolve();
    expect(vi.getTimerCount()).toBe(0);
    websocket.closeAt(Date.now() + HOUR);
    expect(vi.getTimerCount()).toBe(0);
    websocket.closeAt(Date.now() - HOUR);
    expect((await websocket.closed).code).toBe(1006);
  });

  test('lets the handler read what came before', async () => {
    const { websocket, client } = await openPair();
    client.send('hello');
    await client.flush();
    websocket.closeAt(Date.now() - 1);
    expect([await websocket.wait(), await websocket.wait()]).toEqual(['hello', null]);
  });

  test('works for values, and for a library', async () => {
    const values = await openPair({ messages: 'json' });
    const library = await openPair();
    const closed = once(library.websocket.handOver(), 'close');
    stopClock();
    values.websocket.closeAt(Date.now() + HOUR);
    library.websocket.closeAt(Date.now() + HOUR);
    vi.advanceTimersByTime(HOUR);
    vi.useRealTimers();
    expect((await values.client.closed()).code).toBe(3000);
    expect((await closed)[0]).toBe(3000);
  });

  test('works in memory, where a test moves the clock', async () => {
    const { client, ended } = runHandler(async ({ websocket }: RequireWebsocketRequest) => {
      websocket.send('before');
      vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
      websocket.closeAt(Date.now() + HOUR);
      vi.advanceTimersByTime(HOUR);
      vi.useRealTimers();
      await websocket.closed;
    });
    expect(await client.wait()).toBe('before');
    expect(await ended).toMatchObject({ outcome: 'returned', code: 3000, wasClean: true });
  });

  test.for([
    [NaN, RangeError, 'got the number NaN; check where the time comes from'],
    [Infinity, RangeError, 'got the number Infinity; check where the time comes from'],
    [new Date(NaN), RangeError, 'got an invalid Date; check where the time comes from'],
    [
      1_900_000_000,
      RangeError,
      'got the number 1900000000. For seconds, as in the exp of a token, write closeAt(exp * 1000); ' +
        'for a delay, write closeAt(Date.now() + ms)',
    ],
    [
      new Date(1_900_000_000),
      RangeError,
      'got the Date 1970-01-22T23:46:40.000Z. For seconds, as in the exp',
    ],
    [60_000, RangeError, 'for a delay, write closeAt(Date.now() + ms)'],
    [undefined, TypeError, 'got undefined'],
    ['2030-01-01', TypeError, 'got the string "2030-01-01"; write closeAt(new Date(text))'],
    [{}, TypeError, 'got an object'],
  ] as const)('%s throws', async ([time, Kind, message]) => {
    const { websocket } = await openPair();
    const give = () => {
      websocket.closeAt(time as never);
    };
    expect(give).toThrow(Kind);
    expect(give).toThrow('closeAt() takes a Date, milliseconds since 1970, or null for no time; got ');
    expect(give).toThrow(message);
    expect(websocket.isClosed()).toBe(false);
  });

  test('checks the code and the reason at once', async () => {
    const { websocket } = await openPair();
    const later = Date.now() + HOUR;
    expect(() => {
      websocket.closeAt(later, 1005);
    }).toThrow('a close code must be');
    expect(() => {
      websocket.closeAt(later, 4000, 'é'.repeat(62));
    }).toThrow('at most 123 bytes');
  });
});

test('two thousand websockets that expire at the same moment close at that moment', async () => {
  const COUNT = 2_000;
  const opened: Websocket[] = [];
  const all = defer();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      if (opened.push(websocket) === COUNT) all.resolve();
      await websocket.closed;
    }),
  );
  const clients = [];
  for (let i = 0; i < COUNT; i += 100)
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(site)))));
  await within(all.promise, 'websockets');
  stopClock();
  // The fake clock takes long for many timers that run often.
  for (const websocket of opened) websocket.closeAt(Date.now() + 30_000);
  vi.advanceTimersByTime(29_999);
  expect(opened.every((websocket) => !websocket.isClosed())).toBe(true);
  vi.advanceTimersByTime(1);
  expect(opened.every((websocket) => websocket.isClosed())).toBe(true);
  vi.useRealTimers();
  for (const client of clients) expect((await client.closed()).code).toBe(3000);
});
