import { byHand, expressWs, ours, packagesOf, tinyws, websocketExpress } from '../candidates.js';
import {
  figure,
  interleave,
  moreRounds,
  ratio,
  sample,
  withServer,
  type Sample,
  type Settings,
} from '../measure.js';
import { claimAtLeast, thousands, times, type Result } from './part.js';

const AT_ONCE = 32;
const candidates = [ours, expressWs, websocketExpress, tinyws, byHand];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures new connections through an Express route. */
export async function measureVisits(usual: Settings): Promise<Result> {
  // A visit runs much more code than an echo, and less often. So the engine needs seconds to compile that code.
  const settings = { ...usual, warmUp: 6 * usual.warmUp, window: 2 * usual.window };
  const count = moreRounds(settings, 2);
  const rounds = await interleave(candidates, count, (candidate) =>
    withServer(candidate, { part: 'echo' }, async (server, load, target) => {
      await load.ask('startVisits', { target, plan: { atOnce: AT_ONCE } });
      return sample(server, load, settings);
    }),
  );
  return {
    title: 'New connections',
    method:
      `${String(AT_ONCE)} visitors at the same time. Each connects over TCP, makes the handshake through an Express route, ` +
      'echoes once, makes the closing handshake, and starts again.',
    tables: [
      {
        caption: 'New connections a second',
        head: ['', 'connections a second', 'µs of CPU for each', 'ratio of dwebsocket to it'],
        rows: candidates.map((candidate) => [
          candidate.title,
          thousands(figure(rounds, candidate, byRate)),
          figure(rounds, candidate, byCpu).toFixed(0),
          candidate === ours ? '' : times(ratio(rounds, ours, candidate, byRate)),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    rounds: count,
    claims: [expressWs, websocketExpress].map((peer) => {
      const cpu = times(ratio(rounds, ours, peer, byCpu));
      const measured = ratio(rounds, ours, peer, byRate);
      return claimAtLeast('new connections a second', peer.title, 1, measured, ` (CPU for each ${cpu})`);
    }),
  };
}
