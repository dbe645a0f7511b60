import { bare, net, ours, packagesOf, type Candidate } from '../candidates.js';
import { figure, interleave, ratio, type Sample, type Settings } from '../measure.js';
import { echoOnce } from './echo.js';
import { memoryPerConnection } from './heap.js';
import { kilobytes, thousands, type Claim, type Result } from './part.js';

const SIZES = [100, 1000, 10_000];
const IN_FLIGHT = 100;
const ALLOWED = 0.1;

/** A candidate with a number of connections. All sizes take turns, so that other load of the machine affects each. */
interface Sized extends Candidate {
  size: number;
}
const withSizes = (candidate: Candidate): Sized[] => SIZES.map((size) => ({ ...candidate, size }));

interface Grown {
  /** Not measured for `net`, which has no websockets. */
  heap: number | undefined;
  echo: Sample;
}

/** Measures whether a connection costs as much, and is as fast, among many connections as among few. */
export async function measureGrowth(settings: Settings): Promise<Result> {
  const grown = withSizes(ours).filter(({ size }) => !settings.quick || size <= 1000);
  const candidates = settings.quick ? grown : [...grown, ...[bare, net].flatMap(withSizes)];
  const rounds = await interleave(candidates, settings.rounds, async (candidate) => {
    const { size, name } = candidate as Sized;
    const plan = { bytes: 32, binary: false, connections: size, inFlight: IN_FLIGHT, rotating: true };
    return {
      heap: name === net.name ? undefined : (await memoryPerConnection(candidate, size)).heap,
      echo: await echoOnce(candidate, plan, settings),
    };
  });
  const byHeap = ({ heap }: Grown): number => heap ?? NaN;
  /** Returns how far the sizes differ, each compared with the smallest in the same round. */
  const spread = (of: (sample: Grown) => number): number => {
    const ratios = grown.map((one) => ratio(rounds, one, grown[0] as Sized, of));
    return Math.max(...ratios) / Math.min(...ratios) - 1;
  };
  return {
    title: 'Growth',
    method:
      `${String(IN_FLIGHT)} messages are in flight on all connections together. Each request goes to the next connection, so ` +
      'that the load is the same for all sizes, and every connection takes part. The sizes take turns, and are compared ' +
      'within a round. With many connections even a server that does not parse (net) is slower: the sockets no longer ' +
      'fit into the caches.',
    tables: [
      {
        caption: 'Growth',
        head: ['', 'connections', 'heap for each', 'echoes a second', 'µs of CPU for an echo'],
        rows: candidates.map((one) => [
          one.title,
          (one as Sized).size.toLocaleString('en'),
          one.name === net.name ? '' : kilobytes(figure(rounds, one, byHeap)),
          thousands(figure(rounds, one, ({ echo }) => echo.rate)),
          figure(rounds, one, ({ echo }) => echo.cpu).toFixed(2),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    claims: [
      claimFlat('heap for a connection, 100 to 10,000 connections', spread(byHeap)),
      claimFlat(
        'echoes a second, 100 to 10,000 connections',
        spread(({ echo }) => echo.rate),
      ),
    ],
  };
}

function claimFlat(work: string, spread: number): Claim {
  return {
    work,
    against: 'itself',
    goal: 'flat within 10 %',
    measured: `${(spread * 100).toFixed(0)} % from lowest to highest`,
    met: spread <= ALLOWED,
  };
}
