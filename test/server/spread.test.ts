import { beforeEach, expect, test, vi } from 'vitest';

// A clock that moves only when the test runs its one timer.
let time = 0;
let pending: { run: () => void; at: number } | undefined;
let late = 0;
vi.mock('../../src/shared/real-timers.js', () => ({
  now: () => time,
  setTimeout: (run: () => void, ms: number) => {
    pending = { run, at: time + ms };
    return { unref: () => pending };
  },
  clearTimeout: () => (pending = undefined),
}));
const { spread } = await import('../../src/server/spread.js');

beforeEach(() => {
  time = late = 0;
  pending = undefined;
});

function runTimers(): void {
  while (pending !== undefined) {
    const { run, at } = pending;
    pending = undefined;
    time = Math.max(time, at + late);
    run();
  }
}

/** Spreads numbered actions, and returns what has run at which time. */
function record(count: number, ms: number) {
  const ran: { action: number; at: number }[] = [];
  const actions = Array.from({ length: count }, (_, action) => () => void ran.push({ action, at: time }));
  return { ran, cancel: spread(actions, ms) };
}

test('actions run evenly over the time, the first one at once', () => {
  const { ran } = record(10, 1_000);
  expect(ran).toHaveLength(1);
  runTimers();
  expect(ran.map(({ at }) => at)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
});

test('more actions than milliseconds run evenly, too, each once', () => {
  const { ran } = record(5_000, 100);
  runTimers();
  expect(ran.map(({ action }) => action).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 5_000 }, (_, i) => i),
  );
  for (let ms = 0; ms < 100; ms++) expect(ran.filter(({ at }) => at === ms).length).toBeLessThanOrEqual(51);
  expect(time).toBeLessThanOrEqual(100);
});

test('the order is random', () => {
  const orders = Array.from({ length: 20 }, () => {
    const { ran } = record(100, 1);
    runTimers();
    return ran.map(({ action }) => action).join();
  });
  expect(new Set(orders).size).toBe(20);
});

test('actions whose time has passed while the process was busy run at once', () => {
  const { ran } = record(10, 1_000);
  late = 450;
  runTimers();
  expect(ran).toHaveLength(10);
  expect(time).toBeLessThanOrEqual(1_000 + 450);
});

test('no action runs after the cancel', () => {
  const { ran, cancel } = record(10, 1_000);
  cancel();
  runTimers();
  expect(ran).toHaveLength(1);
});

test('an action may cancel the rest', () => {
  let ran = 0;
  const stop = () => {
    if (++ran === 3) cancel();
  };
  const cancel = spread(
    Array.from({ length: 10 }, () => stop),
    1_000,
  );
  runTimers();
  expect(ran).toBe(3);
});

test('an action that throws does not stop the others', () => {
  let ran = 0;
  const fail = () => {
    ran++;
    throw new Error('asked for');
  };
  spread(
    Array.from({ length: 10 }, () => fail),
    1_000,
  );
  runTimers();
  expect(ran).toBe(10);
});

test('without actions nothing happens', () => {
  record(0, 1_000);
  expect(pending).toBeUndefined();
});
