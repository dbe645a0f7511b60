import { expect, test } from 'vitest';
import { Receipts } from '../../src/groups/receipts.js';

const stamp = (origin: string, sequence: number) => ({ origin, sequence });

test('each process counts for itself, and numbers only rise', () => {
  const receipts = new Receipts();
  expect(receipts.accept(stamp('a', 5))).toBe(true);
  expect(receipts.accept(stamp('b', 1))).toBe(true);
  expect(receipts.accept(stamp('a', 5))).toBe(false);
  expect(receipts.accept(stamp('a', 4))).toBe(false);
  expect(receipts.accept(stamp('a', 9))).toBe(true);
  expect(receipts.accept(stamp('b', 2))).toBe(true);
});

test('of many processes those that have been silent for longest are forgotten', () => {
  const receipts = new Receipts();
  receipts.accept(stamp('silent', 1));
  receipts.accept(stamp('busy', 1));
  for (let index = 0; index < 1_023; index++) {
    receipts.accept(stamp('busy', index + 2));
    receipts.accept(stamp(String(index), 1));
  }
  expect(receipts.accept(stamp('busy', 3))).toBe(false);
  expect(receipts.accept(stamp('silent', 1))).toBe(true);
});
