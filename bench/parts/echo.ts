import { bare, net, ours, packagesOf, peers, type Candidate } from '../candidates.js';
import type { EchoPlan } from '../load/echo.js';
import {
  figure,
  interleave,
  moreRounds,
  ratio,
  sample,
  withServer,
  type Rounds,
  type Sample,
  type Settings,
} from '../measure.js';
import { claimAtLeast, thousands, times, type Claim, type Result, type Table } from './part.js';

interface Scenario {
  title: string;
  bytes: number;
  inFlight: number;
  binary: boolean;
  /** The ratio to bare `ws` that we want. */
  goal: number;
  quick?: boolean;
  /** How many times the usual rounds: more where the network is nearly all, and what is ours is less than its noise. */
  timesRounds?: number;
}

const scenarios: Scenario[] = [
  { title: '32 B × 1', bytes: 32, inFlight: 1, binary: false, goal: 1, quick: true, timesRounds: 3 },
  { title: '32 B × 16', bytes: 32, inFlight: 16, binary: false, goal: 2 },
  { title: '32 B × 64', bytes: 32, inFlight: 64, binary: false, goal: 2, quick: true },
  { title: '32 B × 16, binary', bytes: 32, inFlight: 16, binary: true, goal: 1 },
  { title: '1 KiB × 8', bytes: 1024, inFlight: 8, binary: false, goal: 1 },
  { title: '1 KiB × 8, binary', bytes: 1024, inFlight: 8, binary: true, goal: 1 },
  { title: '64 KiB × 4', bytes: 65_536, inFlight: 4, binary: false, goal: 1 },
  { title: '64 KiB × 4, binary', bytes: 65_536, inFlight: 4, binary: true, goal: 1 },
];

const CONNECTIONS = 50;
const candidates = [ours, bare, ...peers, net];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Messages a second that come back right, and what each costs the server. */
export async function measureEcho(settings: Settings): Promise<Result> {
  const chosen = scenarios.filter(({ quick }) => quick === true || !settings.quick);
  const results = new Map<Scenario, Rounds<Sample>>();
  for (const scenario of chosen) {
    const count = moreRounds(settings, scenario.timesRounds ?? 1);
    const rounds = await interleave(candidates, count, (candidate) =>
      echoOnce(candidate, scenario, settings),
    );
    results.set(scenario, rounds);
  }
  return {
    title: 'Echo',
    method:
      `${String(CONNECTIONS)} connections, each with so many messages in flight; every reply is compared with ` +
      'what was sent. Ratios are to bare ws in the same round; with 1 in flight there are three times as many rounds.',
    tables: [
      table('Messages a second (ratio to ws)', results, (rounds, candidate) => {
        const rate = thousands(figure(rounds, candidate, byRate));
        return `${rate} (${times(ratio(rounds, candidate, bare, byRate))})`;
      }),
      table("Microseconds of the server's CPU for a message (ratio to ws)", results, (rounds, candidate) => {
        const cpu = figure(rounds, candidate, byCpu).toFixed(2);
        return `${cpu} (${times(ratio(rounds, candidate, bare, byCpu))})`;
      }),
    ],
    packages: packagesOf(candidates),
    claims: [...results]
      .map(([scenario, rounds]) => claimToWs(scenario, rounds))
      .concat(claimsToOthers(results)),
    bars: Object.fromEntries(
      [...results].map(([{ title }, rounds]) => [
        title,
        Object.fromEntries(
          candidates.map((candidate) => [candidate.title, figure(rounds, candidate, byRate)]),
        ),
      ]),
    ),
  };
}

/** One server, one load, one window. */
export function echoOnce(candidate: Candidate, plan: EchoScenario, settings: Settings): Promise<Sample> {
  const script: EchoPlan = {
    ...plan,
    dialect: candidate.dialect,
    connections: plan.connections ?? CONNECTIONS,
  };
  return withServer(candidate, { part: 'echo', argument: script }, async (server, load, target) => {
    await load.ask('startEcho', { target, plan: script });
    return sample(server, load, settings);
  });
}

type EchoScenario = Pick<EchoPlan, 'bytes' | 'inFlight' | 'binary'> & Partial<EchoPlan>;

function table(
  caption: string,
  results: Map<Scenario, Rounds<Sample>>,
  cell: (rounds: Rounds<Sample>, candidate: Candidate) => string,
): Table {
  return {
    caption,
    head: ['', ...[...results.keys()].map(({ title }) => title)],
    rows: candidates.map((candidate) => [
      candidate.title,
      ...[...results.values()].map((rounds) => cell(rounds, candidate)),
    ]),
  };
}

function claimToWs({ title, goal }: Scenario, rounds: Rounds<Sample>): Claim {
  const cpu = times(ratio(rounds, ours, bare, byCpu));
  const measured = ratio(rounds, ours, bare, byRate);
  return claimAtLeast(`echo, ${title} in flight`, 'ws', goal, measured, ` (CPU for a message ${cpu})`);
}

function claimsToOthers(results: Map<Scenario, Rounds<Sample>>): Claim[] {
  const claims = [
    // On their own: where the network is nearly all, the closest of many is a matter of its noise.
    claimToClosest('the same echoes, 1 in flight', results, ({ inFlight }) => inFlight === 1),
    claimToClosest('the same echoes, more in flight', results, ({ inFlight }) => inFlight > 1),
  ];
  for (const [{ title }, rounds] of results) {
    if (title !== '32 B × 64') continue;
    const measured = ratio(rounds, ours, net, byRate);
    const cpu = times(ratio(rounds, ours, net, byCpu));
    claims.push(
      claimAtLeast(`echo, ${title} in flight`, 'net', undefined, measured, ` (CPU for a message ${cpu})`),
    );
  }
  return claims;
}

/** To the peer that comes closest to us in any of these scenarios. */
function claimToClosest(
  work: string,
  results: Map<Scenario, Rounds<Sample>>,
  isMeant: (scenario: Scenario) => boolean,
): Claim {
  const { peer, title, rounds, measured } = [...results]
    .filter(([scenario]) => isMeant(scenario))
    .flatMap(([{ title }, rounds]) =>
      peers.map((peer) => ({ peer, title, rounds, measured: ratio(rounds, ours, peer, byRate) })),
    )
    .reduce((one, other) => (other.measured < one.measured ? other : one));
  const cpu = times(ratio(rounds, ours, peer, byCpu));
  return claimAtLeast(
    work,
    'the closest of the other libraries',
    1,
    measured,
    ` (${peer.title}, ${title}; CPU for a message ${cpu})`,
  );
}
