import { anchors, bare, bun, net, ours, packagesOf, peers, type Candidate } from '../candidates.js';
import type { EchoPlan } from '../load/echo.js';
import {
  figure,
  ratio,
  sample,
  spread,
  takeTurns,
  withServer,
  type Rounds,
  type Sample,
  type Settings,
  type Turns,
} from '../measure.js';
import { claimAtLeast, claimAtMost, thousands, times, type Claim, type Result, type Table } from './part.js';

interface Scenario {
  title: string;
  bytes: number;
  inFlight: number;
  binary?: boolean;
  chinese?: boolean;
  /** The ratio to bare `ws` that is the goal. */
  goal: number;
  quick?: boolean;
}

const scenarios: Scenario[] = [
  { title: '32 B × 1', bytes: 32, inFlight: 1, goal: 1.1, quick: true },
  { title: '32 B × 16', bytes: 32, inFlight: 16, goal: 7 },
  { title: '32 B × 64', bytes: 32, inFlight: 64, goal: 10, quick: true },
  { title: '32 B × 64, Chinese', bytes: 32, inFlight: 64, chinese: true, goal: 5 },
  { title: '32 B × 64, binary', bytes: 32, inFlight: 64, binary: true, goal: 5 },
  { title: '1 KiB × 8', bytes: 1024, inFlight: 8, goal: 3 },
  { title: '1 KiB × 8, binary', bytes: 1024, inFlight: 8, binary: true, goal: 3 },
  { title: '64 KiB × 4', bytes: 65_536, inFlight: 4, goal: 2 },
  { title: '64 KiB × 4, binary', bytes: 65_536, inFlight: 4, binary: true, goal: 2 },
];

const CONNECTIONS = 50;
/** A message that is parsed, and answered with its value. ws has no such option, so its handler does both by hand. */
const JSON_ECHO = { bytes: 32, inFlight: 64, binary: false, json: true };
const JSON_GOAL = 4;
/** The goal with 16 in flight, as a share of what `Bun.serve` echoes. */
const SHARE_OF_BUN = 0.6;
/** The goal with 1 in flight, as a share of the CPU that `ws` takes. */
const CPU_WITH_ONE_IN_FLIGHT = 0.9;
const candidates = [ours, bare, ...peers, ...anchors];
const jsonCandidates = [ours, bare];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures correct echoes a second, and the server's CPU for each. */
export async function measureEcho(settings: Settings): Promise<Result> {
  const chosen = scenarios.filter(({ quick }) => quick === true || !settings.quick);
  const turns: Turns = settings.quick
    ? { processes: 1, rounds: 3, seconds: 0.2, warmUp: 0.3 }
    : { processes: 2, rounds: 5, seconds: 0.3, warmUp: 1 };
  const results = new Map<Scenario, Rounds<Sample>>();
  for (const scenario of chosen) {
    const { bytes, inFlight, binary = false, chinese = false } = scenario;
    const plan = { bytes, inFlight, binary, chinese };
    const rounds = await takeTurns(
      candidates,
      turns,
      (candidate, load, target) => load.ask('startEcho', { target, plan: scriptOf(candidate, plan) }),
      (candidate) => ({ part: 'echo', argument: scriptOf(candidate, plan) }),
    );
    results.set(scenario, rounds);
  }
  const jsonRounds = await takeTurns(
    jsonCandidates,
    turns,
    (candidate, load, target) => load.ask('startEcho', { target, plan: scriptOf(candidate, JSON_ECHO) }),
    () => ({ part: 'json' }),
  );
  return {
    title: 'Echo',
    method:
      `${String(CONNECTIONS)} connections. A column gives the message size × the messages in flight on each. Every reply is ` +
      `compared with its request. ${String(turns.processes)} servers of each kind take turns of ${String(turns.seconds)} s, while ` +
      'the others are paused. Ratios are medians to bare ws in the same round, with the range of the middle half of the ' +
      'rounds. bufferutil is a native package that makes ws faster, Bun.serve and uWebSockets.js are native code, and net ' +
      'has no WebSocket at all: they show the limits.',
    tables: [
      table('Messages a second (ratio to ws; middle half of the rounds)', results, (rounds, candidate) => {
        const [low, high] = spread(rounds, candidate, bare, byRate);
        const middle = candidate === bare ? '' : `; ${low.toFixed(2)} to ${high.toFixed(2)}`;
        return `${thousands(figure(rounds, candidate, byRate))} (${times(ratio(rounds, candidate, bare, byRate))}${middle})`;
      }),
      table("Microseconds of the server's CPU for a message (ratio to ws)", results, (rounds, candidate) => {
        const cpu = figure(rounds, candidate, byCpu).toFixed(2);
        return `${cpu} (${times(ratio(rounds, candidate, bare, byCpu))})`;
      }),
      {
        caption: 'JSON, 32 B × 64: the server parses each message, and answers with the value',
        head: ['', 'messages a second', 'µs of CPU for a message'],
        rows: jsonCandidates.map((candidate) => [
          candidate === ours ? "dwebsocket, messages: 'json'" : 'ws, by hand',
          `${thousands(figure(jsonRounds, candidate, byRate))} (${times(ratio(jsonRounds, candidate, bare, byRate))})`,
          `${figure(jsonRounds, candidate, byCpu).toFixed(2)} (${times(ratio(jsonRounds, candidate, bare, byCpu))})`,
        ]),
      },
    ],
    packages: packagesOf(candidates),
    rounds: turns.rounds,
    claims: [...results]
      .map(([scenario, rounds]) => claimToWs(scenario, rounds))
      .concat(claimsToOthers(results), [
        claimAtLeast(
          'JSON, 32 B × 64 in flight',
          'ws, by hand',
          JSON_GOAL,
          ratio(jsonRounds, ours, bare, byRate),
          ` (CPU for a message ${times(ratio(jsonRounds, ours, bare, byCpu))})`,
        ),
      ]),
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

function scriptOf({ dialect }: Candidate, plan: EchoScenario): EchoPlan {
  return { ...plan, dialect, connections: plan.connections ?? CONNECTIONS };
}

/** Measures one server with one load, once. */
export function echoOnce(candidate: Candidate, plan: EchoScenario, settings: Settings): Promise<Sample> {
  const script = scriptOf(candidate, plan);
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
  const claims: Claim[] = [];
  for (const [{ title, inFlight }, rounds] of results) {
    if (inFlight > 1) continue;
    const work = `CPU for an echo, ${title} in flight`;
    claims.push(claimAtMost(work, 'ws', CPU_WITH_ONE_IN_FLIGHT, ratio(rounds, ours, bare, byCpu)));
  }
  claims.push(
    // Apart from the others: with 1 in flight nearly all is the network, and its noise decides which peer is closest.
    claimToClosest('the same echoes, 1 in flight', results, ({ inFlight }) => inFlight === 1),
    claimToClosest('the same echoes, more in flight', results, ({ inFlight }) => inFlight > 1),
  );
  for (const [{ title }, rounds] of results) {
    const cpuDetail = (to: Candidate): string =>
      ` (CPU for a message ${times(ratio(rounds, ours, to, byCpu))})`;
    if (title === '32 B × 16') {
      const measured = ratio(rounds, ours, bun, byRate);
      claims.push(
        claimAtLeast(`echo, ${title} in flight`, bun.title, SHARE_OF_BUN, measured, cpuDetail(bun)),
      );
    }
    if (title === '32 B × 64') {
      const measured = ratio(rounds, ours, net, byRate);
      claims.push(claimAtLeast(`echo, ${title} in flight`, 'net', undefined, measured, cpuDetail(net)));
    }
  }
  return claims;
}

/** Compares us with the peer that comes closest in any of these scenarios. */
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
