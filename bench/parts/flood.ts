import { bare, ours, packagesOf } from '../candidates.js';
import { figure, interleave, withServer, type Settings } from '../measure.js';
import { megabytes, type Claim, type Result } from './part.js';

const CONNECTIONS = 20;
/** The default of the option `maxQueue`. */
const MAX_QUEUE = 1024 * 1024;
const candidates = [ours, bare];
const sizes = [
  { title: '1 KiB', bytes: 1024 },
  { title: '32 B', bytes: 32 },
];

interface Flooded {
  memory: number;
  sent: number;
  echoed: number;
}

/** Measures the memory when clients send as fast as they can, and the handler takes a millisecond for each message. */
export async function measureFlood(settings: Settings): Promise<Result> {
  const seconds = settings.quick ? 1.5 : 5;
  const count = settings.quick ? 1 : 3;
  const rows: string[][] = [];
  const claims: Claim[] = [];
  for (const { title, bytes } of settings.quick ? sizes.slice(1) : sizes) {
    const rounds = await interleave(candidates, count, async (candidate): Promise<Flooded> => {
      const plan = { bytes, binary: true, dialect: candidate.dialect, connections: CONNECTIONS, seconds };
      return withServer(candidate, { part: 'slowEcho' }, async (server, load, target) => {
        const before = await server.ask('settled');
        await server.ask('watchMemory');
        const result = await load.ask('flood', { target, plan });
        const highest = await server.ask('highestMemory');
        return { ...result, memory: (highest?.rss ?? NaN) - before.rss };
      });
    });
    for (const candidate of candidates) {
      const memory = figure(rounds, candidate, (it) => it.memory);
      const name = candidate === bare ? 'ws with events.on' : candidate.title;
      rows.push([name, title, megabytes(memory), megabytes(memory / CONNECTIONS)]);
      if (candidate !== ours) continue;
      claims.push({
        work: `memory under a flood of ${title} messages to a slow handler`,
        against: 'maxQueue (1 MiB) for each connection',
        // More than the queue: garbage that is not collected yet, and the buffers of the sockets.
        goal: `at most ${megabytes(4 * MAX_QUEUE)} resident for each`,
        measured: megabytes(memory / CONNECTIONS),
        met: memory / CONNECTIONS <= 4 * MAX_QUEUE,
      });
    }
  }
  return {
    title: 'Flood',
    method:
      `${String(CONNECTIONS)} connections send as fast as their sockets accept data for ${String(seconds)} seconds; the ` +
      'handler waits a millisecond before each echo. The table shows the highest resident memory minus that before.',
    tables: [
      { caption: 'Memory under a flood', head: ['', 'message', 'in all', 'for each connection'], rows },
    ],
    packages: packagesOf(candidates),
    rounds: count,
    claims,
  };
}
