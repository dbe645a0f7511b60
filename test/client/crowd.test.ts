import { connect } from 'dwebsocket/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Random } from '../long/chaos/random.js';
import { FakeClock } from './support/fake-clock.js';

// 10,000 clients and a server that is only a flag. The clock is a fake one. docs/client.md names the limits.

const CLIENTS = 10_000;
const SECOND = 1_000;
const { random } = Math;

type Listener = ((event: object) => void) | undefined;

/** How the server answers. */
let server: 'up' | 'down' | 'full' = 'up';
/** When clients have tried to connect, in order. */
let attempts: number[] = [];
const open = new Set<FakeWebSocket>();

class FakeWebSocket {
  readyState = 0;
  readonly bufferedAmount = 0;
  readonly protocol = '';
  onopen: Listener;
  onclose: Listener;

  constructor() {
    attempts.push(Date.now());
    setTimeout(() => {
      if (server === 'down') this.end(1006);
      else {
        this.readyState = 1;
        open.add(this);
        this.onopen?.({});
        if (server === 'full') this.end(1013);
      }
    }, 5);
  }

  end(code: number): void {
    open.delete(this);
    this.readyState = 3;
    this.onclose?.({ code, reason: '', wasClean: code !== 1006 });
  }

  send(): void {}

  close(): void {
    open.delete(this);
    this.readyState = 3;
  }
}

let clock: FakeClock;
let clients: ReturnType<typeof connect>[] = [];

beforeEach(() => {
  clock = new FakeClock();
  const numbers = new Random(1);
  Math.random = () => numbers.next();
});

afterEach(() => {
  for (const client of clients) void client.close();
  open.clear();
  clock.restore();
  Math.random = random;
});

/** Opens the clients, and lets them stay open for a while. */
function openAll(options: { minPause?: number } = {}): void {
  server = 'up';
  clients = Array.from({ length: CLIENTS }, () =>
    connect('ws://a.test', { WebSocket: FakeWebSocket, ...options }),
  );
  clock.advance(20 * SECOND);
  expect(open.size).toBe(CLIENTS);
}

/** The server ends all connections, and then answers in another way. */
function endAll(code: number, next: typeof server): number {
  server = next;
  attempts = [];
  for (const socket of [...open]) socket.end(code);
  return Date.now();
}

/** The most attempts within any second. */
function mostInASecond(times: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [last, time] of times.entries()) {
    while (times[first]! <= time - SECOND) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

test('all of them come back within five seconds to a server that is there again at once', () => {
  openAll();
  const start = endAll(1012, 'up');
  clock.advance(5 * SECOND + 10);
  expect(open.size).toBe(CLIENTS);
  expect(attempts.length).toBe(CLIENTS);
  expect(attempts[0]! - start).toBeGreaterThanOrEqual(SECOND);
  // 2,500 on average: four seconds for 10,000.
  expect(mostInASecond(attempts)).toBeLessThan(2_700);
});

test('a longer minPause spreads them over more time', () => {
  openAll({ minPause: 6_000 });
  endAll(1012, 'up');
  clock.advance(30 * SECOND + 10);
  expect(open.size).toBe(CLIENTS);
  // 417 on average: 24 seconds for 10,000.
  expect(mostInASecond(attempts)).toBeLessThan(500);
});

test.each(['down', 'full'] as const)('a server that is %s is asked less and less often', (next) => {
  openAll();
  const start = endAll(1006, next);
  clock.advance(90 * SECOND);
  expect(open.size).toBe(0);
  expect(mostInASecond(attempts)).toBeLessThan(3_100);
  // 556 on average: each client tries once in 18 seconds.
  expect(mostInASecond(attempts.filter((time) => time - start > 60 * SECOND))).toBeLessThan(700);

  attempts = [];
  server = 'up';
  clock.advance(30 * SECOND + 10);
  expect(open.size).toBe(CLIENTS);
  expect(attempts.length).toBeLessThanOrEqual(CLIENTS);
  expect(mostInASecond(attempts)).toBeLessThan(700);
});
