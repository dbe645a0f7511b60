import { bare, ours, packagesOf, type Candidate } from '../candidates.js';
import { figure, ratio, takeTurns, type Sample, type Settings } from '../measure.js';
import { claimAtLeast, thousands, times, type Result } from './part.js';

const CONNECTIONS = 50;
const handedOver: Candidate = { ...ours, title: 'dwebsocket, handed over' };
const candidates = [ours, handedOver, bare];
const scenarios = [1, 16, 64];
/** A library must not pay for going through the package. */
const GOAL = 1;

const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures echoes of a library that listens to 'message' and sends, on a websocket that was handed over. */
export async function measureLibrary(settings: Settings): Promise<Result> {
  const turns = settings.quick
    ? { processes: 1, rounds: 3, seconds: 0.2, warmUp: 0.3 }
    : { processes: 2, rounds: 8, seconds: 0.3, warmUp: 1 };
  const results: [number, Map<Candidate, Sample[]>][] = [];
  for (const inFlight of scenarios) {
    const plan = { bytes: 32, inFlight, binary: false, connections: CONNECTIONS, dialect: ours.dialect };
    const rounds = await takeTurns(
      candidates,
      turns,
      (_candidate, load, target) => load.ask('startEcho', { target, plan }),
      (candidate) => ({ part: candidate === handedOver ? 'handedOver' : 'echo', argument: plan }),
    );
    results.push([inFlight, rounds]);
  }
  return {
    title: 'A library that has the websocket',
    method:
      `${String(CONNECTIONS)} connections, messages of 32 bytes. A column gives the messages in flight on each. The first row ` +
      "reads with `for await`; the second has called `handOver()`, and listens to 'message' as a library does. Ratios are to " +
      'bare ws.',
    tables: [
      {
        caption: 'Messages a second, and microseconds of CPU for each',
        head: ['', ...scenarios.map((inFlight) => `${String(inFlight)} in flight`)],
        rows: candidates.map((candidate) => [
          candidate.title,
          ...results.map(([, rounds]) => {
            const rate = `${thousands(figure(rounds, candidate, byRate))} (${times(ratio(rounds, candidate, bare, byRate))})`;
            return `${rate}; ${figure(rounds, candidate, byCpu).toFixed(2)} µs`;
          }),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    rounds: turns.rounds,
    claims: results.map(([inFlight, rounds]) =>
      claimAtLeast(
        `echo by a library, ${String(inFlight)} in flight`,
        'ws',
        GOAL,
        ratio(rounds, handedOver, bare, byRate),
        ` (CPU for a message ${times(ratio(rounds, handedOver, bare, byCpu))})`,
      ),
    ),
  };
}
