import { expect, test } from 'vitest';
import { HAD, Receipts, UNKNOWN } from '../../src/groups/receipts.js';

const stamp = (origin: string, sequence: number, number = sequence) => ({ origin, sequence, number });

test('each process counts for itself, and what came before does not count again', () => {
  const receipts = new Receipts();
  expect(receipts.accept(stamp('a', 5))).toBe(0);
  expect(receipts.accept(stamp('b', 1))).toBe(0);
  expect(receipts.accept(stamp('a', 5))).toBe(HAD);
  expect(receipts.accept(stamp('a', 4))).toBe(HAD);
  expect(receipts.accept(stamp('a', 6))).toBe(0);
  expect(receipts.accept(stamp('b', 2))).toBe(0);
});

test('a hole in the numbers of a process to this group tells how many are lost', () => {
  const receipts = new Receipts();
  receipts.accept(stamp('a', 10, 3));
  // Between them it has sent to other groups.
  expect(receipts.accept(stamp('a', 20, 4))).toBe(0);
  expect(receipts.accept(stamp('a', 30, 9))).toBe(4);
  expect(receipts.accept(stamp('a', 40, 10))).toBe(0);
});

test('a process that has forgotten the group counts anew', () => {
  const receipts = new Receipts();
  receipts.accept(stamp('a', 10, 3));
  expect(receipts.accept(stamp('a', 20, 1))).toBe(0);
  receipts.accept(stamp('a', 30, 5));
  // The first of the new ones did not come.
  expect(receipts.accept(stamp('a', 40, 2))).toBe(UNKNOWN);
});

test('a loss that is known is not told again, and the next one is', () => {
  const receipts = new Receipts();
  receipts.accept(stamp('a', 1));
  receipts.accept(stamp('b', 1));
  receipts.excuse();
  expect(receipts.accept(stamp('a', 5))).toBe(0);
  expect(receipts.accept(stamp('a', 7))).toBe(1);
  expect(receipts.accept(stamp('b', 5))).toBe(0);
});

test('of many processes those that have been silent for longest are forgotten', () => {
  const receipts = new Receipts();
  receipts.accept(stamp('silent', 1));
  receipts.accept(stamp('busy', 1));
  for (let index = 0; index < 1_023; index++) {
    receipts.accept(stamp('busy', index + 2));
    receipts.accept(stamp(String(index), 1));
  }
  expect(receipts.accept(stamp('busy', 3))).toBe(HAD);
  expect(receipts.accept(stamp('silent', 1))).toBe(0);
});
