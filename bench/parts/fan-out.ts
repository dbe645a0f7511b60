import { bare, ours } from '../candidates.js';
import { figure, interleave, ratio, sample, withServer, type Sample, type Settings } from '../measure.js';
import { claimAtLeast, thousands, times, type Claim, type Result } from './part.js';

const MEMBERS = 1000;
const candidates = [ours, bare];
const bursts = [
  { burst: 1, goal: 1.2 },
  { burst: 16, goal: 2.5 },
];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** One message to a thousand websockets, alone and sixteen in a row. */
export async function measureFanOut(settings: Settings): Promise<Result> {
  const rows: string[][] = [];
  const claims: Claim[] = [];
  for (const { burst, goal } of bursts) {
    const rounds = await interleave(candidates, settings.rounds, (candidate) =>
      withServer(candidate, { part: 'fanOut', argument: { burst } }, async (server, load, target) => {
        await load.ask('startFanOut', { target, plan: { members: MEMBERS, burst } });
        return sample(server, load, settings);
      }),
    );
    for (const candidate of candidates) {
      const rate = thousands(figure(rounds, candidate, byRate));
      const cpu = figure(rounds, candidate, byCpu).toFixed(2);
      rows.push([candidate.title, String(burst), rate, cpu]);
    }
    const work = `fan-out to ${thousands(MEMBERS)} websockets, ${burst === 1 ? 'single messages' : `bursts of ${String(burst)}`}`;
    const cpu = times(1 / ratio(rounds, ours, bare, byCpu));
    claims.push(
      claimAtLeast(work, 'a loop of ws.send', goal, ratio(rounds, ours, bare, byRate), ` (by CPU ${cpu})`),
    );
  }
  return {
    title: 'Fan-out',
    method:
      `${String(MEMBERS)} connections; each message of one more is sent to all of them, once or as a burst of 16 ` +
      'different ones. The next comes when all have got it, two are always on their way.',
    tables: [
      {
        caption: 'Fan-out',
        head: ['', 'burst', 'deliveries a second', 'µs of CPU for a delivery'],
        rows,
      },
    ],
    claims,
  };
}
