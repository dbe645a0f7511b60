/**
 * Fuzzes a server with mutated handshakes and frames, and says what is left of it.
 *
 *     npx tsx test/long/fuzz.ts [--seed=…] [--mutations=1000000] [--rounds=200] [--drops=2000]
 */
import { parseArgs } from 'node:util';
import { findFaults, fuzz, type FuzzReport } from '../hostile/fuzz/run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
    mutations: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '200' },
    drops: { type: 'string', default: '2000' },
  },
});

console.log(`seed ${values.seed}`);
const report = await fuzz({
  seed: Number(values.seed),
  mutations: Number(values.mutations),
  rounds: Number(values.rounds),
  drops: Number(values.drops),
  onProgress: (done) => process.stderr.write(`\r${done} mutations`),
});
process.stderr.write('\n');
console.log(describe(report));
const faults = findFaults(report);
for (const fault of faults) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? 'nothing is left behind' : `repeat it with --seed=${values.seed}`);
process.exitCode = faults.length === 0 ? 0 : 1;

function describe({ before, after, ...report }: FuzzReport): string {
  const MB = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  return [
    `${report.handshakes} mutated handshakes and ${report.frames} mutated frames on ${report.connections} connections`,
    `${report.left} clients left at some step, ${report.dropped} were opened at once and dropped`,
    `an honest client got ${report.honestAnswers} answers meanwhile, the slowest in ${report.honestSlowest.toFixed(0)} ms`,
    `${after.requests - before.requests} requests reached the app, ${after.uncollected} of them are not collected`,
    `memory ${MB(before.memory)} before, ${MB(after.memory)} after (resident ${MB(before.rss)}, ${MB(after.rss)})`,
    `${report.seconds.toFixed(0)} seconds`,
  ].join('\n');
}
