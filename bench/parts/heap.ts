import {
  bare,
  byHand,
  expressWs,
  ours,
  packagesOf,
  websocketExpress,
  type Candidate,
} from '../candidates.js';
import { figure, interleave, ratio, withServer, type Settings } from '../measure.js';
import { claimAtMost, kilobytes, type Result } from './part.js';

const candidates = [ours, byHand, expressWs, websocketExpress, bare];

interface Memory {
  heap: number;
  rss: number;
}

/** What a connection costs that is open and says nothing. */
export async function measureHeap(settings: Settings): Promise<Result> {
  const count = settings.quick ? 500 : 4000;
  const rounds = await interleave(candidates, settings.rounds, (candidate) =>
    memoryPerConnection(candidate, count),
  );
  const byHeap = ({ heap }: Memory): number => heap;
  return {
    title: 'Memory for an idle connection',
    method:
      `${String(count)} connections, each of which has echoed once, after garbage collection, less what the server ` +
      'took before. dwebsocket: through Express, its handler waits in `for await`. By hand: an Express route whose ' +
      'async handler can use req and res all the while. ws: no Express, no request.',
    tables: [
      {
        caption: 'Memory for an idle connection',
        head: ['', 'heap', 'resident'],
        rows: candidates.map((candidate) => [
          candidate.title,
          kilobytes(figure(rounds, candidate, byHeap)),
          kilobytes(figure(rounds, candidate, ({ rss }) => rss)),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    claims: [
      claimAtMost('heap for an idle connection', byHand.title, 1, ratio(rounds, ours, byHand, byHeap)),
    ],
    bars: {
      heap: Object.fromEntries(candidates.map((it) => [it.title, figure(rounds, it, byHeap)])),
    },
  };
}

/** Bytes for each of `count` idle connections. */
export function memoryPerConnection(candidate: Candidate, count: number): Promise<Memory> {
  return withServer(candidate, { part: 'echo' }, async (server, load, target) => {
    // What is only compiled or made once shall not be charged to the connections. The first ones stay: what is left of
    // those that have gone would be let go of meanwhile, and be counted to the credit of the others.
    await load.ask('growCrowd', { target, count: 1000 });
    for (let echo = 0; echo < 20; echo++) await load.ask('echoOnce');
    const before = await server.ask('settled');
    await load.ask('growCrowd', { target, count });
    await load.ask('echoOnce');
    const after = await server.ask('settled');
    return { heap: (after.heap - before.heap) / count, rss: (after.rss - before.rss) / count };
  });
}
