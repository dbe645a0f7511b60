import { modules } from '../build.js';
import { ours, packagesOf } from '../candidates.js';
import type { CrowdAnswers } from '../crowd-server.js';
import { Child } from '../ipc.js';
import type { LoadAnswers } from '../load/main.js';
import type { Settings } from '../measure.js';
import { kilobytes, type Result } from './part.js';

const CONNECTIONS = 150_000;
/** Processes on each side. With ten, none comes near 20,000 open files. */
const PROCESSES = 10;
const TEN_MINUTES = 10 * 60_000;

/** Opens 150,000 websockets through an Express route at the same time, on one machine. */
export async function measureCrowd(settings: Settings): Promise<Result> {
  const count = settings.quick ? 5000 : CONNECTIONS;
  const processes = settings.quick ? 2 : PROCESSES;
  const addresses = Array.from({ length: processes }, (_, index) => `127.0.0.${String(index + 1)}`);
  const server = new Child<CrowdAnswers>('the server of the crowd', modules.crowdServer, {
    execArgv: ['--expose-gc'],
  });
  const loads = addresses.map((address) => new Child<LoadAnswers>(`the crowd at ${address}`, modules.load));
  const all = async <T>(ask: (load: Child<LoadAnswers>, index: number) => Promise<T>) => {
    const start = performance.now();
    const answers = await Promise.all(loads.map(ask));
    process.stderr.write('.');
    return { answers, seconds: (performance.now() - start) / 1000 };
  };
  try {
    const port = await server.ask('start', { workers: processes, addresses }, TEN_MINUTES);
    const before = await server.ask('usage', undefined, TEN_MINUTES);
    const opening = await all((load, index) => {
      const target = { host: addresses[index] as string, port, path: '/echo', dialect: 'plain' as const };
      return load.ask('growCrowd', { target, count: count / processes }, TEN_MINUTES);
    });
    const open = await server.ask('usage', undefined, TEN_MINUTES);
    const echoing = await all((load) => load.ask('echoOnce', undefined, TEN_MINUTES));
    const after = await server.ask('usage', undefined, TEN_MINUTES);
    const closing = await all((load) => load.ask('closeCrowd', undefined, TEN_MINUTES));
    const closed = closing.answers.reduce((sum, one) => sum + one, 0);
    const end = await server.ask('usage', undefined, TEN_MINUTES);
    const heap = (after.heap - before.heap) / count;
    const rss = (after.rss - before.rss) / count;
    const atOnce = Math.min(open.connections, after.connections);
    return {
      title: 'A crowd',
      method:
        `${String(processes)} node:cluster workers and as many client processes. Every connection is opened, ` +
        'echoes once while all are open, and is closed with the closing handshake. One refusal or wrong echo ends the run.',
      tables: [
        {
          caption: 'A crowd',
          head: ['', ''],
          rows: [
            ['websockets open at once', atOnce.toLocaleString('en')],
            ['opened', seconds(opening.seconds, count)],
            ['each echoed once', seconds(echoing.seconds, count)],
            ['closed cleanly', seconds(closing.seconds, closed)],
            ['still open afterwards', String(end.connections)],
            ['heap for each', kilobytes(heap)],
            ['resident memory of the server for each', kilobytes(rss)],
          ],
        },
      ],
      packages: packagesOf([ours]),
      rounds: 1,
      claims: [
        {
          work: 'concurrent websockets through an Express route',
          against: 'one machine',
          goal: CONNECTIONS.toLocaleString('en'),
          measured: `${atOnce.toLocaleString('en')} (${kilobytes(heap)} of heap and ${kilobytes(rss)} resident for each)`,
          met: atOnce >= CONNECTIONS && closed === count && end.connections === 0,
        },
      ],
    };
  } finally {
    await Promise.all([server.stop(), ...loads.map((load) => load.stop())]);
  }
}

function seconds(passed: number, count: number): string {
  return `${passed.toFixed(1)} s (${Math.round(count / passed).toLocaleString('en')} a second)`;
}
