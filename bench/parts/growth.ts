import { bare, ours, packagesOf, type Candidate } from '../candidates.js';
import { figure, interleave, type Rounds, type Sample, type Settings } from '../measure.js';
import { echoOnce } from './echo.js';
import { memoryPerConnection } from './heap.js';
import { kilobytes, thousands, type Claim, type Result } from './part.js';

const sizes = [100, 1000, 10_000];
const IN_FLIGHT = 100;
const ALLOWED = 0.1;
const candidates = [ours, bare];

interface Grown {
  heap: number;
  echo: Sample;
}

/** Whether a connection costs the same and is served as fast among many as among few. */
export async function measureGrowth(settings: Settings): Promise<Result> {
  const results = new Map<number, Rounds<Grown>>();
  for (const size of sizes) {
    const plan = { bytes: 32, binary: false, connections: size, inFlight: IN_FLIGHT, walking: true };
    const rounds = await interleave(
      candidates,
      settings.quick ? 1 : Math.min(settings.rounds, 3),
      async (it) => ({
        heap: (await memoryPerConnection(it, size)).heap,
        echo: await echoOnce(it, plan, settings),
      }),
    );
    results.set(size, rounds);
  }
  const heapOf = (size: number, it: Candidate) => figure(roundsOf(size), it, ({ heap }) => heap);
  const rateOf = (size: number, it: Candidate) => figure(roundsOf(size), it, ({ echo }) => echo.rate);
  const cpuOf = (size: number, it: Candidate) => figure(roundsOf(size), it, ({ echo }) => echo.cpu);
  const roundsOf = (size: number) => results.get(size) as Rounds<Grown>;
  return {
    title: 'Growth',
    method:
      `${String(IN_FLIGHT)} messages in flight on all connections together, which walk from one to the next, so ` +
      'that the load is the same and all take part.',
    tables: [
      {
        caption: 'Growth',
        head: ['', 'connections', 'heap for each', 'echoes a second', 'µs of CPU for an echo'],
        rows: candidates.flatMap((it) =>
          sizes.map((size) => [
            it.title,
            thousands(size),
            kilobytes(heapOf(size, it)),
            thousands(rateOf(size, it)),
            cpuOf(size, it).toFixed(2),
          ]),
        ),
      },
    ],
    packages: packagesOf(candidates),
    claims: [
      claimFlat('heap for a connection, 100 to 10,000 connections', (size) => heapOf(size, ours)),
      claimFlat('echoes a second, 100 to 10,000 connections', (size) => rateOf(size, ours)),
    ],
  };
}

function claimFlat(work: string, of: (size: number) => number): Claim {
  const values = sizes.map(of);
  const spread = Math.max(...values) / Math.min(...values) - 1;
  return {
    work,
    against: 'itself',
    goal: 'flat within 10 %',
    measured: `${(spread * 100).toFixed(0)} % from lowest to highest`,
    met: spread <= ALLOWED,
  };
}
