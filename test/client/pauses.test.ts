import { connect, type CloseInfo } from 'dwebsocket/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pauseAfter } from '../../src/client/pauses.js';
import { stubPage } from './support/fake-page.js';
import { FakeWebSocket } from './support/fake-websocket.js';
import type { Options } from './support/open-client.js';

const opened: { close(): unknown }[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  FakeWebSocket.all = [];
});
afterEach(() => {
  for (const socket of opened.splice(0)) void socket.close();
  for (const each of FakeWebSocket.all) if (each.closedWith.length > 0) each.end(1000);
  expect(vi.getTimerCount(), 'timers that are left').toBe(0);
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const SETTINGS = { minPause: 1_000, maxPause: 30_000 } as Parameters<typeof pauseAfter>[1];

function open(options: Options = {}) {
  const socket = connect('wss://a.test', { WebSocket: FakeWebSocket, ...options });
  opened.push(socket);
  return socket;
}

/** The milliseconds until the next attempt. */
function measurePause(): number {
  const before = Date.now();
  const attempts = FakeWebSocket.all.length;
  while (FakeWebSocket.all.length === attempts) vi.advanceTimersByTime(50);
  return Date.now() - before;
}

describe('pauses', () => {
  test('are drawn from ranges that double, up to maxPause', () => {
    const ranges = [1, 2, 3, 4, 5, 20, 2_000].map((losses) => [
      pauseAfter(losses, SETTINGS, 0),
      pauseAfter(losses, SETTINGS, 1),
    ]);
    expect(ranges).toEqual([
      [1_000, 5_000],
      [2_000, 10_000],
      [4_000, 20_000],
      [6_000, 30_000],
      [6_000, 30_000],
      [6_000, 30_000],
      [6_000, 30_000],
    ]);
  });

  test('spread 10,000 clients of a restarted server: none in the first second, at most 3,000 in any other', () => {
    const perSecond = new Map<number, number>();
    for (let client = 0; client < 10_000; client++) {
      const second = Math.floor(pauseAfter(1, SETTINGS, Math.random()) / 1_000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(perSecond.get(0)).toBeUndefined();
    expect(Math.max(...perSecond.values())).toBeLessThan(3_000);
    expect([...perSecond.keys()].sort()).toEqual([1, 2, 3, 4]);
  });

  test('grow while no connection stays open, also if each is accepted and closed at once', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    open();
    const pauses = [];
    for (let round = 0; round < 6; round++) {
      FakeWebSocket.last.open().end(1012);
      pauses.push(measurePause());
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 6_000, 6_000, 6_000]);
  });

  test('start anew when a connection was open for more than ten seconds', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    open();
    for (let round = 0; round < 3; round++) {
      FakeWebSocket.last.end();
      measurePause();
    }
    FakeWebSocket.last.open();
    vi.advanceTimersByTime(10_050);
    FakeWebSocket.last.end();
    expect(measurePause()).toBe(1_000);
  });
});

test('a handshake that hangs is given up after connectTimeout', () => {
  const socket = open({ connectTimeout: 3_000 });
  const first = FakeWebSocket.last;
  vi.advanceTimersByTime(2_999);
  expect(socket.state).toBe('connecting');
  vi.advanceTimersByTime(1);
  expect(socket.state).toBe('waiting');
  expect(socket.lastClose).toEqual({ code: 1006, reason: 'connectTimeout', wasClean: false });
  expect(first.closedWith).toEqual([[]]);
  measurePause();
  first.open();
  expect(socket.state).toBe('connecting');
});

test('a function for the URL that hangs is given up, too, and its late answer is ignored', async () => {
  let answer!: (url: string) => void;
  const urls = [new Promise<string>((resolve) => (answer = resolve)), 'wss://b.test/second'];
  const socket = connect(() => urls.shift()!, { WebSocket: FakeWebSocket });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(socket.state).toBe('waiting');
  answer('wss://b.test/first');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(FakeWebSocket.all.map(({ url }) => url)).toEqual(['wss://b.test/second']);
  void socket.close();
});

test('close() while the function for the URL runs opens no connection', async () => {
  const socket = connect(() => Promise.resolve('wss://b.test'), { WebSocket: FakeWebSocket });
  await Promise.all([socket.close(), vi.runAllTimersAsync()]);
  expect(FakeWebSocket.all).toEqual([]);
});

/** A function for the URL, and also a class. */
function throwBlocked(): never {
  throw new Error('blocked');
}

test.for([
  ['function for the URL', throwBlocked, FakeWebSocket],
  ['WebSocket class', 'wss://a.test', throwBlocked],
] as const)('a %s that throws at once fails after connect has returned', async ([, url, WebSocket]) => {
  const reasons: unknown[] = [];
  const socket = connect(url, {
    WebSocket: WebSocket as never,
    stop({ reason }) {
      reasons.push(socket.state, reason);
      return true;
    },
  });
  socket.addEventListener('state', () => reasons.push(socket.state));
  expect(socket.state).toBe('connecting');
  await vi.advanceTimersByTimeAsync(0);
  expect(reasons).toEqual(['connecting', 'Error: blocked', 'closed']);
});

test('close() in a listener of the state calls the function for the URL no more', async () => {
  const url = vi.fn(() => 'wss://a.test');
  const socket = connect(url, { WebSocket: FakeWebSocket });
  await vi.advanceTimersByTimeAsync(0);
  FakeWebSocket.last.open();
  socket.addEventListener('state', () => {
    if (socket.state === 'connecting') void socket.close();
  });
  FakeWebSocket.last.end();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(socket.isClosed()).toBe(true);
  expect(url).toHaveBeenCalledTimes(1);
});

test('close() directly after connect wins over a function for the URL that throws', async () => {
  const socket = connect(throwBlocked, { WebSocket: FakeWebSocket });
  void socket.close(4000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(socket.lastClose?.code).toBe(4000);
});

describe('a refused handshake', () => {
  test.for([
    ['Unexpected server response: 403', 'refused with 403'],
    ['Unexpected server response: 404', 'refused with 404'],
    ["WebSocket connection to 'ws://a.test/' failed: Expected 101 status code: 401", 'refused with 401'],
    ['NetworkError: failed to connect to WebSocket: Invalid status code: 400', 'refused with 400'],
  ])('%j stops for good', async ([message, reason]) => {
    const socket = open();
    FakeWebSocket.last.fail(message);
    expect(socket.state).toBe('closed');
    const closed = socket.closed;
    await vi.runAllTimersAsync();
    expect(await closed).toEqual({ code: 1006, reason, wasClean: false });
  });

  test.for([
    'Unexpected server response: 408',
    'Unexpected server response: 425',
    'Unexpected server response: 429',
    'Unexpected server response: 500',
    'Unexpected server response: 503',
    'Unexpected server response: 200',
    'connect ECONNREFUSED 127.0.0.1:403',
    'Received network error or non-101 status code.',
    undefined,
  ])('%j is an attempt that has failed', (message) => {
    const socket = open();
    FakeWebSocket.last.fail(message);
    expect(socket.state).toBe('waiting');
    const reason = message?.replace('Unexpected server response:', 'refused with') ?? '';
    expect(socket.lastClose).toEqual({ code: 1006, reason, wasClean: false });
    measurePause();
  });

  test('is told to the option stop', () => {
    const told: CloseInfo[] = [];
    const socket = open({ stop: (close) => told.push(close) === 2 });
    FakeWebSocket.last.fail('Unexpected server response: 403');
    measurePause();
    FakeWebSocket.last.end();
    expect(socket.state).toBe('closed');
    expect(told.map(({ reason }) => reason)).toEqual(['refused with 403', '']);
  });

  test.for([true, false])('stays closed if the option stop calls close() and returns %o', (answer) => {
    const socket = open({
      stop() {
        void socket.close(4000);
        return answer;
      },
    });
    const states: string[] = [];
    socket.addEventListener('state', () => states.push(socket.state));
    FakeWebSocket.last.fail();
    expect(states).toEqual(['closed']);
    expect(socket.lastClose?.code).toBe(4000);
    vi.advanceTimersByTime(60_000);
    expect(FakeWebSocket.all).toHaveLength(1);
  });
});

describe('in a page', () => {
  test('a path is relative to the page, and gets its protocol', () => {
    stubPage();
    open();
    const socket = connect('../lobby?a=b', { WebSocket: FakeWebSocket, protocols: ['chat'] });
    expect(FakeWebSocket.last.url).toBe('wss://a.test/lobby?a=b');
    expect(FakeWebSocket.last.protocols).toEqual(['chat']);
    expect(FakeWebSocket.last.binaryType).toBe('arraybuffer');
    void socket.close();
  });

  test('a path and a URL object mean what they did when connect was called', () => {
    stubPage('https://a.test/chat/');
    const url = new URL('wss://b.test/one');
    const sockets = ['lobby', url].map((each) => connect(each, { WebSocket: FakeWebSocket }));
    opened.push(...sockets);
    // The page calls `history.pushState`.
    vi.stubGlobal('location', { href: 'https://a.test/settings/profile' });
    url.pathname = '/two';
    for (const each of [...FakeWebSocket.all]) each.end();
    vi.advanceTimersByTime(5_000);
    const urls = FakeWebSocket.all.map((each) => each.url);
    expect(urls.slice(0, 2)).toEqual(['wss://a.test/chat/lobby', 'wss://b.test/one']);
    expect(urls.slice(2).sort()).toEqual(urls.slice(0, 2));
  });

  test('it reconnects at once when the page is shown or back online', () => {
    const page = stubPage();
    open();
    FakeWebSocket.last.open();
    vi.advanceTimersByTime(60_000);
    for (const wake of [() => page.show(true), () => page.setOnline(true)]) {
      FakeWebSocket.last.end();
      const attempts = FakeWebSocket.all.length;
      wake();
      vi.advanceTimersByTime(1);
      expect(FakeWebSocket.all).toHaveLength(attempts + 1);
      FakeWebSocket.last.open();
      vi.advanceTimersByTime(60_000);
    }
  });

  test('it reconnects at once when a hidden page is back online', () => {
    const page = stubPage();
    open();
    FakeWebSocket.last.open();
    vi.advanceTimersByTime(60_000);
    page.show(false);
    page.setOnline(false);
    const attempts = FakeWebSocket.all.length;
    vi.advanceTimersByTime(10_000);
    page.setOnline(true);
    vi.advanceTimersByTime(1);
    expect(FakeWebSocket.all).toHaveLength(attempts + 1);
  });

  test('a page that is hidden, or shown while it is connected, changes nothing', () => {
    const page = stubPage();
    open();
    FakeWebSocket.last.open();
    page.show(false);
    page.show(true);
    page.setOnline(true);
    vi.advanceTimersByTime(60_000);
    expect(FakeWebSocket.all).toHaveLength(1);
    FakeWebSocket.last.end();
    page.show(false);
    vi.advanceTimersByTime(900);
    expect(FakeWebSocket.all).toHaveLength(1);
  });

  test('hiding and showing it all the time does not shorten the pauses below their shortest', () => {
    const page = stubPage();
    open();
    const attempts: number[] = [];
    const start = Date.now();
    for (let step = 0; step < 3_000; step++) {
      if (attempts.length < FakeWebSocket.all.length) {
        attempts.push(Date.now() - start);
        FakeWebSocket.last.end();
      }
      page.show(false);
      page.show(true);
      vi.advanceTimersByTime(10);
    }
    const gaps = attempts.slice(1).map((at, index) => Math.round((at - attempts[index]!) / 1_000));
    expect(gaps).toEqual([1, 2, 4, 6, 6, 6]);
  });

  test.for([-3_600_000, -40 * 86_400_000, 60_000])(
    'a clock that is set by %i ms changes no pause when the page is shown',
    (change) => {
      const page = stubPage();
      open();
      FakeWebSocket.last.end();
      vi.setSystemTime(Date.now() + change);
      page.show(true);
      vi.advanceTimersByTime(999);
      expect(FakeWebSocket.all).toHaveLength(1);
      vi.advanceTimersByTime(1);
      expect(FakeWebSocket.all).toHaveLength(2);
    },
  );

  test('offline gives up the connection, and waits for online, or for the longest pause', () => {
    const page = stubPage();
    const socket = open();
    const first = FakeWebSocket.last.open();
    page.setOnline(false);
    expect(socket.state).toBe('waiting');
    expect(socket.lastClose).toMatchObject({ code: 1006, reason: 'offline' });
    expect(first.closedWith).toEqual([[]]);
    page.show(true);
    vi.advanceTimersByTime(29_999);
    expect(FakeWebSocket.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(FakeWebSocket.all).toHaveLength(2);
    page.setOnline(false);
    vi.advanceTimersByTime(10_000);
    page.setOnline(true);
    vi.advanceTimersByTime(1);
    expect(FakeWebSocket.all).toHaveLength(3);
  });

  test('a page that returns from the back/forward cache reconnects at once', () => {
    const page = stubPage();
    const socket = open();
    FakeWebSocket.last.open();
    page.showFromCache(false);
    expect(socket.state).toBe('open');
    vi.advanceTimersByTime(5_000);
    page.show(false);
    page.show(true);
    page.showFromCache(true);
    expect(socket.lastClose).toEqual({ code: 1006, reason: 'pageshow', wasClean: false });
    vi.advanceTimersByTime(1);
    expect(FakeWebSocket.all).toHaveLength(2);
    // Chromium emits 'close' after these events.
    FakeWebSocket.all[0]!.end();
    expect(socket.state).toBe('connecting');
  });

  test('an open connection is replaced after the computer has slept', () => {
    stubPage();
    const socket = open();
    const first = FakeWebSocket.last.open();
    vi.advanceTimersByTime(300_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(30_001);
    expect(first.closedWith).toEqual([[]]);
    expect(FakeWebSocket.all).toHaveLength(2);
    expect(socket.state).toBe('connecting');
    expect(socket.lastClose?.reason).toBe('sleep');
    // What the old connection still says counts no more.
    first.receive('late');
    first.end(4400);
    expect(socket.state).toBe('connecting');
    expect(socket.countMessages()).toBe(0);
  });

  test('the timers of a hidden page, once a minute, are not taken for a sleep', () => {
    stubPage();
    open();
    FakeWebSocket.last.open();
    for (let minute = 0; minute < 10; minute++) {
      vi.setSystemTime(Date.now() + 60_000);
      vi.advanceTimersToNextTimer();
    }
    expect(FakeWebSocket.all).toHaveLength(1);
  });

  test('no listener is left at the end', () => {
    const page = stubPage();
    const socket = open();
    expect([...page.listening].sort()).toEqual(['offline', 'online', 'pageshow', 'visibilitychange']);
    void socket.close();
    expect([...page.listening]).toEqual([]);
  });
});

test('without a page and without timers of the connection, only the clock is watched', () => {
  const socket = open();
  FakeWebSocket.last.open();
  expect(vi.getTimerCount()).toBe(1);
  void socket.close();
  FakeWebSocket.last.end(1000);
  expect(vi.getTimerCount()).toBe(0);
});
