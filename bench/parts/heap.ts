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

/** Measures the memory of an open connection without traffic. */
export async function measureHeap(settings: Settings): Promise<Result> {
  const count = settings.quick ? 500 : 4000;
  const rounds = await interleave(candidates, settings.rounds, (candidate) =>
    memoryPerConnection(candidate, count),
  );
  const byHeap = ({ heap }: Memory): number => heap;
  return {
    title: 'Memory for an idle connection',
    method:
      `The memory of ${String(count)} connections that have each echoed once: after garbage collection, minus the memory ` +
      'before. dwebsocket goes through Express, and its handler waits in `for await`. By hand is an Express route whose ' +
      'async handler can use req and res all the time. ws has no Express and keeps no request.',
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
      claimAtMost('heap for an idle connection', byHand.title, 0.8, ratio(rounds, ours, byHand, byHeap)),
    ],
    bars: {
      heap: Object.fromEntries(candidates.map((it) => [it.title, figure(rounds, it, byHeap)])),
    },
  };
}

/** Measures the bytes for each of `count` idle connections. */
export function memoryPerConnection(candidate: Candidate, count: number): Promise<Memory> {
  return withServer(candidate, { part: 'echo' }, async (server, load, target) => {
    // What is compiled or created only once must not count for the connections. The first connections stay open: if they
    // closed, memory that is released later would make the others look cheaper.
    await load.ask('growCrowd', { target, count: 1000 });
    for (let echo = 0; echo < 20; echo++) await load.ask('echoOnce');
    const before = await server.ask('settled');
    await load.ask('growCrowd', { target, count });
    await load.ask('echoOnce');
    const after = await server.ask('settled');
    return { heap: (after.heap - before.heap) / count, rss: (after.rss - before.rss) / count };
  });
}
