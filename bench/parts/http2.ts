import { ours, overHttp2, packagesOf, type Candidate } from '../candidates.js';
import { figure, interleave, ratio, takeTurns, type Sample, type Settings } from '../measure.js';
import { memoryPerConnection } from './heap.js';
import { kilobytes, thousands, times, type Result } from './part.js';

const CONNECTIONS = 50;
const candidates = [ours, overHttp2];
const scenarios = [1, 16, 64];

const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures websockets over HTTP/2 beside websockets over HTTP/1.1, both without TLS. */
export async function measureHttp2(settings: Settings): Promise<Result> {
  const turns = settings.quick
    ? { processes: 1, rounds: 3, seconds: 0.2, warmUp: 0.3 }
    : { processes: 2, rounds: 8, seconds: 0.3, warmUp: 1 };
  const results: [number, Map<Candidate, Sample[]>][] = [];
  for (const inFlight of scenarios) {
    const plan = { bytes: 32, inFlight, binary: false, connections: CONNECTIONS };
    const rounds = await takeTurns(
      candidates,
      turns,
      ({ dialect }, load, target) => load.ask('startEcho', { target, plan: { ...plan, dialect } }),
      () => ({ part: 'echo' }),
    );
    results.push([inFlight, rounds]);
  }
  const count = settings.quick ? 500 : 4000;
  const memory = await interleave(candidates, settings.rounds, (candidate) =>
    memoryPerConnection(candidate, count),
  );
  return {
    title: 'Over HTTP/2',
    method:
      `Echoes of 32 bytes on ${String(CONNECTIONS)} websockets, and the memory of ${String(count)} idle ones, through Express and ` +
      '`for await`, without TLS. Ten websockets share a session of HTTP/2. So one read and one write of the kernel serve several of ' +
      'them. The client of HTTP/2 is that of Node: compare the CPU of the server, and not the rate.',
    tables: [
      {
        caption:
          'Microseconds of CPU of the server for each message (messages a second), and memory for an idle websocket',
        head: ['', ...scenarios.map((inFlight) => `${String(inFlight)} in flight`), 'heap', 'resident'],
        rows: candidates.map((candidate) => [
          candidate.title,
          ...results.map(([, rounds]) => {
            const cpu = `${figure(rounds, candidate, byCpu).toFixed(2)} µs (${thousands(figure(rounds, candidate, byRate))})`;
            return candidate === ours ? cpu : `${cpu}, ${times(ratio(rounds, candidate, ours, byCpu))}`;
          }),
          kilobytes(figure(memory, candidate, ({ heap }) => heap)),
          kilobytes(figure(memory, candidate, ({ rss }) => rss)),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    rounds: turns.rounds,
    claims: [],
  };
}
