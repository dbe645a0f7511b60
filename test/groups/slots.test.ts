import { expect, test } from 'vitest';
import { SLOTS, slotOf, spreadOverSlots } from '../../src/groups/redis/slots.js';

test('the slot of a key equals the Redis Cluster specification', () => {
  // CRC16 of "123456789" is 0x31c3. The other slots are results of CLUSTER KEYSLOT.
  expect(slotOf('123456789')).toBe(0x31c3);
  expect(slotOf('foo')).toBe(12_182);
  expect(slotOf('')).toBe(0);
});

test('names are spread over equal ranges of slots', () => {
  const parts = spreadOverSlots('probe:', 16).map((name) => Math.floor((slotOf(name) * 16) / SLOTS));
  expect(parts.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
});
