import {
  bare,
  byHand,
  expressWs,
  ours,
  packagesOf,
  tinyws,
  websocketExpress,
  type Candidate,
} from '../candidates.js';
import { figure, ratio, takeTurns, type Sample, type Settings, type Turns } from '../measure.js';
import { claimAtLeast, thousands, times, type Result } from './part.js';

const AT_ONCE = 32;
const GOAL = 1.2;
const peers = [expressWs, websocketExpress, tinyws, byHand];
const candidates = [ours, ...peers, bare];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures new connections through an Express route. */
export async function measureVisits(settings: Settings): Promise<Result> {
  // A visit runs much more code than an echo, and less often. So the engine needs seconds to compile that code.
  const turns: Turns = settings.quick
    ? { processes: 1, rounds: 3, seconds: 0.3, warmUp: 1.5 }
    : { processes: 3, rounds: 8, seconds: 0.5, warmUp: 3 };
  const rounds = await takeTurns(
    candidates,
    turns,
    (_candidate, load, target) => load.ask('startVisits', { target, plan: { atOnce: AT_ONCE } }),
    () => ({ part: 'echo' }),
  );
  const ratios = (candidate: Candidate, of: (sample: Sample) => number): string =>
    candidate === ours ? '' : times(ratio(rounds, ours, candidate, of));
  return {
    title: 'New connections',
    method:
      `${String(AT_ONCE)} visitors at the same time. Each connects over TCP, makes the handshake through an Express route, ` +
      'echoes once, makes the closing handshake, and starts again. ws has no Express: it shows the limit. ' +
      `${String(turns.processes)} servers of each kind take turns of ${String(turns.seconds)} s, while the others are paused.`,
    tables: [
      {
        caption: 'New connections a second',
        head: ['', 'connections a second', 'dwebsocket to it', 'µs of CPU for each', 'dwebsocket to it'],
        rows: candidates.map((candidate) => [
          candidate === bare ? 'ws, without Express' : candidate.title,
          thousands(figure(rounds, candidate, byRate)),
          ratios(candidate, byRate),
          figure(rounds, candidate, byCpu).toFixed(0),
          ratios(candidate, byCpu),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    rounds: turns.rounds,
    claims: peers.map((peer) => {
      const cpu = ` (CPU for each ${times(ratio(rounds, ours, peer, byCpu))})`;
      const measured = ratio(rounds, ours, peer, byRate);
      return claimAtLeast('new connections a second', peer.title, GOAL, measured, cpu);
    }),
  };
}
