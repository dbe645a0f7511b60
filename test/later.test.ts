import { expect, test } from 'vitest';
import { later, rejectLater } from '../src/later.js';

test('both settle on a later turn of the event loop, when others have been served', async () => {
  const order: string[] = [];
  const settled = Promise.all([
    later('value').then((value) => order.push(value)),
    rejectLater(new Error('error')).catch((error: unknown) => order.push((error as Error).message)),
  ]);
  process.nextTick(() => order.push('tick'));
  void Promise.resolve().then(() => order.push('microtask'));
  await settled;
  expect(order.slice(0, 2).sort()).toEqual(['microtask', 'tick']);
  expect(order.slice(2)).toEqual(['value', 'error']);
});
