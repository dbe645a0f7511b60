import { expect, test } from 'vitest';
import { PackedQueue } from '../../src/groups/redis/packed-queue.js';

test('returns messages of every length unchanged and in order', () => {
  const queue = new PackedQueue();
  const messages = [0, 1, 100, 70_000, 3, 65_532, 65_533, 0].map((length, index) =>
    Buffer.alloc(length, index),
  );
  for (const message of messages) queue.push(message);
  expect(queue.length).toBe(messages.length);
  for (const message of messages) expect(queue.shift()?.equals(message)).toBe(true);
  expect([queue.length, queue.shift(), queue.bytes]).toEqual([0, undefined, 0]);
});

test('keeps a copy, so that the caller may reuse its buffer', () => {
  const queue = new PackedQueue();
  const data = Buffer.from('before');
  queue.push(data);
  data.fill('x');
  expect(String(queue.shift())).toBe('before');
});

test('messages can be added and removed in any sequence', () => {
  const queue = new PackedQueue();
  const taken: string[] = [];
  for (let number = 0; number < 10_000; number++) {
    queue.push(Buffer.from(String(number)));
    if (number % 3 === 0) taken.push(String(queue.shift()));
  }
  while (queue.length > 0) taken.push(String(queue.shift()));
  expect(taken).toEqual(Array.from({ length: 10_000 }, (_, number) => String(number)));
});

test('counts the memory that it takes, and predicts how it will grow', () => {
  const queue = new PackedQueue();
  let data = 0;
  for (let number = 0; number < 5_000; number++) {
    const growth = queue.growthFor(23);
    const before = queue.bytes;
    queue.push(Buffer.alloc(23));
    data += 23;
    expect(queue.bytes - before).toBe(growth);
  }
  // The last buffer may be half empty.
  expect(queue.bytes / data).toBeLessThan(2);
  expect(queue.bytes / data).toBeGreaterThan(1);
});
