import { expect, test } from 'vitest';
import { findFaults, fuzz } from '../hostile/fuzz/run.js';

test('a million mutated handshakes and frames leave nothing behind', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`fuzz: seed ${seed} (repeat it with npx tsx test/long/fuzz.ts --seed=${seed})`);
  const report = await fuzz({ seed, mutations: 1_000_000, rounds: 200, drops: 2_000 });
  expect(findFaults(report), `seed ${seed}`).toEqual([]);
  expect(report.handshakes + report.frames).toBeGreaterThanOrEqual(1_000_000);
});
