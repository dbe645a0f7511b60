import { expect, test } from 'vitest';
import { falseLater, later, laterIfAwaited, rejectLater, trueLater } from '../../src/shared/later.js';

test('all settle on a later turn of the event loop, after ticks and microtasks', async () => {
  const order: string[] = [];
  const settled = Promise.all([
    later('value').then((value) => order.push(value)),
    laterIfAwaited('awaited').then((value) => order.push(value)),
    falseLater().then((value) => order.push(String(value))),
    rejectLater(new Error('error')).catch((error: unknown) => order.push((error as Error).message)),
  ]);
  process.nextTick(() => order.push('tick'));
  void Promise.resolve().then(() => order.push('microtask'));
  await settled;
  expect(order.slice(0, 2).sort()).toEqual(['microtask', 'tick']);
  expect(order.slice(2)).toEqual(['value', 'awaited', 'false', 'error']);
});

test('all callers of one turn share one promise, and later callers get another', async () => {
  const first = falseLater();
  expect(falseLater()).toBe(first);
  expect(await trueLater()).toBe(true);
  expect(await first).toBe(false);
  expect(falseLater()).not.toBe(first);
  await falseLater();
});
