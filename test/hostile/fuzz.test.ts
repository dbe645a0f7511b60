import { expect, test } from 'vitest';
import { findFaults, findLeaks, fuzz } from './fuzz/run.js';

// A million of them: npm run test:long, or npx tsx test/long/fuzz.ts with a seed.
test('20,000 mutated handshakes and frames, clients that leave at every step, 2,000 opened and dropped: nothing is left', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`fuzz: seed ${seed}`);
  const report = await fuzz({ seed, mutations: 20_000, rounds: 5, drops: 2_000 });
  expect(findFaults(report), `seed ${seed}`).toEqual([]);
  expect(report.handshakes + report.frames).toBeGreaterThanOrEqual(20_000);
  expect(report.honestAnswers).toBeGreaterThan(10);
}, 600_000);

test('the account that is compared tells of a leak, also of a timer that keeps no process', async () => {
  const leaks = [undefined, 'timer', 'timer that keeps no process', 'listener of the server'] as const;
  const [none, ...found] = await findLeaks(leaks);
  expect(none).toEqual([]);
  const timers = [expect.stringMatching(/^objects of Timeout: /)];
  expect(found).toEqual([timers, timers, [expect.stringMatching(/^listeners: /)]]);
}, 600_000);
