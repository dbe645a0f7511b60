import { bare, net, ours, packagesOf, type Candidate } from '../candidates.js';
import {
  figure,
  interleave,
  ratio,
  takeTurns,
  type Rounds,
  type Sample,
  type Settings,
  type Turns,
} from '../measure.js';
import { memoryPerConnection } from './heap.js';
import { claimAtLeast, kilobytes, thousands, times, type Claim, type Result } from './part.js';

const SIZES = [100, 1000, 10_000];
const IN_FLIGHT = 100;
const ALLOWED = 0.1;
const MEMORY_ROUNDS = 3;
const candidates = [ours, bare, net];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** A candidate with a number of connections. All sizes take turns, so that other load of the machine affects each. */
interface Sized extends Candidate {
  size: number;
}

/** Measures whether a connection costs as much among many connections as among few, and how fast many of them are. */
export async function measureGrowth(settings: Settings): Promise<Result> {
  const sizes = SIZES.filter((size) => !settings.quick || size <= 1000);
  const turns: Turns = settings.quick
    ? { processes: 1, rounds: 3, seconds: 0.2, warmUp: 0.3 }
    : { processes: 2, rounds: 8, seconds: 0.4, warmUp: 2 };
  const echoes = new Map<number, Rounds<Sample>>();
  for (const size of sizes) echoes.set(size, await measureEchoes(size, turns));

  // `net` has no websockets.
  const sized = [ours, bare].flatMap((candidate) => sizes.map((size): Sized => ({ ...candidate, size })));
  const memories = await interleave(sized, settings.quick ? 1 : MEMORY_ROUNDS, (one) =>
    memoryPerConnection(one, (one as Sized).size),
  );
  const heap = new Map(
    sized.map((one) => [`${one.name} ${String(one.size)}`, figure(memories, one, byHeap)]),
  );
  const heapOfOurs = sizes.map((size) => heap.get(`${ours.name} ${String(size)}`) as number);

  return {
    title: 'Growth',
    method:
      `${String(IN_FLIGHT)} messages are in flight on all connections together. Each request goes to the next connection, so ` +
      'that the load is the same for all sizes, and every connection takes part. With many connections even a server that ' +
      'does not parse (net) is slower: the sockets no longer fit into the caches. Ratios are to ws with the same number of ' +
      'connections.',
    tables: [
      {
        caption: 'Growth',
        head: ['', 'connections', 'heap for each', 'echoes a second', 'µs of CPU for an echo'],
        rows: candidates.flatMap((candidate) =>
          sizes.map((size) => {
            const rounds = echoes.get(size) as Rounds<Sample>;
            const memory = heap.get(`${candidate.name} ${String(size)}`);
            return [
              candidate.title,
              size.toLocaleString('en'),
              memory === undefined ? '' : kilobytes(memory),
              `${thousands(figure(rounds, candidate, byRate))} (${times(ratio(rounds, candidate, bare, byRate))})`,
              `${figure(rounds, candidate, byCpu).toFixed(2)} (${times(ratio(rounds, candidate, bare, byCpu))})`,
            ];
          }),
        ),
      },
    ],
    packages: packagesOf(candidates),
    rounds: turns.rounds,
    claims: [
      claimFlat(Math.max(...heapOfOurs) / Math.min(...heapOfOurs) - 1),
      ...sizes.map((size) => {
        const rounds = echoes.get(size) as Rounds<Sample>;
        const cpu = times(ratio(rounds, ours, bare, byCpu));
        const work = `echoes a second, ${size.toLocaleString('en')} connections`;
        const measured = ratio(rounds, ours, bare, byRate);
        return claimAtLeast(work, 'ws', 1, measured, ` (CPU for a message ${cpu})`);
      }),
    ],
  };
}

function byHeap({ heap }: { heap: number }): number {
  return heap;
}

function measureEchoes(size: number, turns: Turns): Promise<Rounds<Sample>> {
  const plan = { bytes: 32, binary: false, connections: size, inFlight: IN_FLIGHT, rotating: true };
  return takeTurns(
    candidates,
    turns,
    ({ dialect }, load, target) => load.ask('startEcho', { target, plan: { ...plan, dialect } }),
    ({ dialect }) => ({ part: 'echo', argument: { ...plan, dialect } }),
  );
}

function claimFlat(spread: number): Claim {
  return {
    work: 'heap for a connection, 100 to 10,000 connections',
    against: 'itself',
    goal: 'flat within 10 %',
    measured: `${(spread * 100).toFixed(0)} % from lowest to highest`,
    met: spread <= ALLOWED,
  };
}
