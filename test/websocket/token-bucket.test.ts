import { afterEach, expect, test, vi } from 'vitest';

// The bucket reads the clock that its module has found.
let time = 0;
vi.mock('../../src/shared/real-timers.js', () => ({ now: () => time }));
const { TokenBucket } = await import('../../src/websocket/token-bucket.js');

afterEach(() => {
  time = 0;
});

test('a full bucket gives all its tokens at once, and then says when the next one is there', () => {
  const bucket = new TokenBucket(3, 1_000);
  expect([bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 0, 334]);
  time += 334;
  expect([bucket.take(), bucket.take()]).toEqual([0, 333]);
});

test('a bucket for one token gives one in each period', () => {
  const bucket = new TokenBucket(1, 50);
  for (let i = 0; i < 5; i++) {
    expect([bucket.take(), bucket.take()]).toEqual([0, 50]);
    time += 50;
  }
});

test('a bucket fills evenly while nothing is taken, and not beyond its size', () => {
  const bucket = new TokenBucket(4, 400);
  for (let i = 0; i < 4; i++) bucket.take();
  time += 200;
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 100]);
  time += 1_000_000;
  expect([bucket.take(), bucket.take(), bucket.take(), bucket.take(), bucket.take()]).toEqual([
    0, 0, 0, 0, 100,
  ]);
});

test('to ask too early takes nothing', () => {
  const bucket = new TokenBucket(1, 100);
  bucket.take();
  time += 90;
  expect([bucket.take(), bucket.take()]).toEqual([10, 10]);
  time += 10;
  expect(bucket.take()).toBe(0);
});

test('over a long time, the rate is exact', () => {
  const bucket = new TokenBucket(20, 1_000);
  let taken = 0;
  while (time < 600_000) {
    const delay = bucket.take();
    time += delay;
    if (delay === 0) taken++;
  }
  expect(taken).toBeGreaterThan(600 * 20);
  expect(taken).toBeLessThanOrEqual(600 * 20 + 20);
});
