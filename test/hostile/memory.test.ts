import { describe, expect, test } from 'vitest';
import { attacksOf } from './memory/attacks.js';
import { measure } from './memory/measure.js';

const KiB = 1024;

// Small bounds, so that it is soon over. With the default options: npm run test:long -- test/long/memory
const BOUNDS = { maxPayload: 256 * KiB, maxQueue: 256 * KiB, maxBuffered: 1024 * KiB };

describe('what clients can fill stays within its bound, in resident memory', () => {
  test.for(attacksOf(BOUNDS, 0.15))('$name', async (attack) => {
    const { grown, allowed } = await measure(attack, BOUNDS, 8);
    expect(grown).toBeLessThan(allowed);
  });
});
