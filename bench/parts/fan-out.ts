import { bare, crossws, ours, packagesOf, socketIo, type Candidate } from '../candidates.js';
import { figure, interleave, ratio, sample, withServer, type Sample, type Settings } from '../measure.js';
import { claimAtLeast, thousands, times, type Claim, type Result } from './part.js';

const MEMBERS = 1000;
/** The goals are the ratios to the loop of ws. */
const bursts = [
  { burst: 1, loopGoal: 1.2, groupGoal: 1.5 },
  { burst: 16, loopGoal: 2.5, groupGoal: 10 },
];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

// The candidates that loop over all websockets, and those that have groups.
const loop: Candidate = { ...ours, title: 'dwebsocket, a loop' };
const group: Candidate = { ...ours, title: 'dwebsocket, a group' };
const wsLoop: Candidate = { ...bare, title: 'ws, a loop' };
const room: Candidate = { ...socketIo, title: 'socket.io, a room' };
const topic: Candidate = { ...crossws, title: 'crossws, a topic' };
const loops = new Set([loop, wsLoop]);
const candidates = [group, loop, wsLoop, room, topic];

/** Measures messages to a thousand websockets, one at a time and in bursts of sixteen. */
export async function measureFanOut(settings: Settings): Promise<Result> {
  const rows: string[][] = [];
  const claims: Claim[] = [];
  for (const { burst, loopGoal, groupGoal } of settings.quick ? bursts.slice(1) : bursts) {
    const plan = { groups: 1, spread: 1, members: MEMBERS, burst, inFlight: 2, settle: 0 };
    const rounds = await interleave(candidates, settings.rounds, (candidate) =>
      withServer(
        candidate,
        { part: loops.has(candidate) ? 'fanOut' : 'groups', argument: { burst } },
        async (server, load, target) => {
          await load.ask('startFanOut', { targets: [target], plan });
          return sample(server, load, settings);
        },
      ),
    );
    for (const candidate of candidates) {
      const rate = thousands(figure(rounds, candidate, byRate));
      const cpu = figure(rounds, candidate, byCpu).toFixed(2);
      rows.push([
        candidate.title,
        String(burst),
        `${rate} (${times(ratio(rounds, candidate, wsLoop, byRate))})`,
        `${cpu} (${times(ratio(rounds, candidate, wsLoop, byCpu))})`,
      ]);
    }
    const claim = (one: Candidate, to: Candidate, wanted: number): Claim => {
      const kind = burst === 1 ? 'single messages' : `bursts of ${String(burst)}`;
      const cpu = times(ratio(rounds, one, to, byCpu));
      return claimAtLeast(
        `fan-out to ${MEMBERS.toLocaleString('en')} websockets, ${kind}: ${one.title}`,
        to.title,
        wanted,
        ratio(rounds, one, to, byRate),
        ` (CPU for a delivery ${cpu})`,
      );
    };
    claims.push(
      claim(loop, wsLoop, loopGoal),
      claim(group, wsLoop, groupGoal),
      claim(group, room, 1),
      claim(group, topic, 1),
    );
  }
  return {
    title: 'Fan-out',
    method:
      `${MEMBERS.toLocaleString('en')} connections receive. For each message of one more connection, the server sends all of them ` +
      'one message, or a burst of 16 different ones. The next message follows when all have received it; two are always in ' +
      'flight. A loop calls `send` of each websocket (ours loops over `openWebsockets`); a group, room or topic is called ' +
      'once. Ratios are to the loop of ws.',
    tables: [
      {
        caption: 'Fan-out',
        head: ['', 'burst', 'deliveries a second', 'µs of CPU for a delivery'],
        rows,
      },
    ],
    claims,
    packages: packagesOf(candidates),
  };
}
