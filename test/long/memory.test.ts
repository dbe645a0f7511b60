import { expect, test } from 'vitest';
import { attacksOf } from '../hostile/memory/attacks.js';
import { measure } from '../hostile/memory/measure.js';

const MiB = 2 ** 20;

const DEFAULTS = { maxPayload: MiB, maxQueue: MiB, maxBuffered: 16 * MiB };

test.for(attacksOf(DEFAULTS, 1))('with the default options: $name', async (attack) => {
  const { grown, allowed } = await measure(attack, DEFAULTS, 4);
  console.log(`${attack.name}: ${(grown / MiB).toFixed(0)} MiB of ${(allowed / MiB).toFixed(0)}`);
  expect(grown).toBeLessThan(allowed);
});
