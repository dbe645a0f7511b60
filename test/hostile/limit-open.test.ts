import { expect, test } from 'vitest';
import type { KeyAccount } from '../support/programs/limit-keys.js';
import { startProgram } from '../support/program.js';

test('a million clients that have come and gone leave nothing in a limit', { timeout: 120_000 }, async () => {
  const program = await startProgram('limit-keys');
  const COUNT = 1_000_000;
  const { open, closed, admitted } = await program.ask<KeyAccount>(COUNT);
  expect(admitted).toBe(COUNT + 10_001);
  // Bytes: rounding of the whole heap, and no entry of a map, which takes at least 30.
  expect(closed).toBeLessThan(5);
  expect(open).toBeLessThan(3_000);
});
