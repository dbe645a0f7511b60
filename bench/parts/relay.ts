import { hasRedis, RedisServer } from '../../test/groups/support/redis-server.js';
import { crossws, ours, packagesOf, socketIo, socketIoSharded, type Candidate } from '../candidates.js';
import type { Target } from '../load/connection.js';
import {
  figure,
  interleave,
  ratio,
  sample,
  withServers,
  type LoadChild,
  type Sample,
  type Settings,
} from '../measure.js';
import { claimAtLeast, claimAtMost, thousands, times, type Claim, type Result, type Table } from './part.js';

interface Scenario {
  title: string;
  processes: number;
  groups: number;
  members: number;
  inFlight: number;
}

const SPREAD = 2;
/** The ratio of our messages a second to those of each other library. */
const GOAL = 1.3;
const pair: Scenario = {
  title: 'one group, 2 processes',
  processes: 2,
  groups: 1,
  members: 10,
  inFlight: 32,
};
export const many: Scenario = {
  title: '200 groups, 4 processes',
  processes: 4,
  groups: 200,
  members: 5,
  inFlight: 1,
};

const others = [socketIo, socketIoSharded, crossws];
const candidates = [ours, ...others];
const byRate = ({ rate }: Sample): number => rate;
const byCpu = ({ cpu }: Sample): number => cpu;

/** Measures groups with members in several processes, over a Redis that it starts. */
export async function measureRelay(settings: Settings): Promise<Result> {
  const tables: Table[] = [];
  const claims: Claim[] = [];
  const scenarios = settings.quick ? [many] : [pair, many];
  for (const scenario of hasRedis ? scenarios : []) {
    const rounds = await interleave(candidates, settings.rounds, (candidate) =>
      relayOnce(candidate, scenario, settings),
    );
    tables.push({
      caption: `Groups over Redis, ${scenario.title}`,
      head: ['', 'messages a second', 'µs of CPU for a message, all processes'],
      rows: candidates.map((candidate) => [
        candidate.title,
        `${thousands(figure(rounds, candidate, byRate))} (${times(ratio(rounds, candidate, ours, byRate))})`,
        `${figure(rounds, candidate, byCpu).toFixed(0)} (${times(ratio(rounds, candidate, ours, byCpu))})`,
      ]),
    });
    for (const other of others) {
      const work = `groups over Redis, ${scenario.title}`;
      claims.push(
        claimAtLeast(`${work}: messages a second`, other.title, GOAL, ratio(rounds, ours, other, byRate)),
        claimAtMost(`${work}: CPU for a message`, other.title, 1, ratio(rounds, ours, other, byCpu)),
      );
    }
  }
  return {
    title: 'Groups over Redis',
    method:
      `Each group has members in ${String(SPREAD)} processes: with 2 processes ${String(pair.members)} in each, with 4 processes ` +
      `${String(many.members)} in each of two. One more connection to the first of its processes sends. A message counts when all ` +
      `members have received all messages in order; then the next is sent (${String(pair.inFlight)} in flight in the one group, ` +
      `${String(many.inFlight)} in each of the 200). All use the client of the package redis; Redis's own CPU is not counted.`,
    tables,
    claims,
    packages: [...packagesOf(candidates), 'redis', '@socket.io/redis-adapter'],
  };
}

function relayOnce(candidate: Candidate, scenario: Scenario, settings: Settings): Promise<Sample> {
  const { processes } = scenario;
  return withRedis(async (redis) =>
    withServers(
      candidate,
      processes,
      { part: 'groups', argument: { burst: 1, redis } },
      async (servers, load, targets) => {
        await startRelay(scenario, load, targets);
        const { rate, cpu, loadCpu } = await sample(servers, load, settings);
        const deliveries = scenario.members * SPREAD;
        return { rate: rate / deliveries, cpu: cpu * deliveries, loadCpu };
      },
    ),
  );
}

export function startRelay(scenario: Scenario, load: LoadChild, targets: Target[]): Promise<unknown> {
  const { groups, members, inFlight } = scenario;
  // A connected member has joined its group here; Redis needs a moment until the other processes reach it.
  const plan = { groups, members, inFlight, spread: SPREAD, burst: 1, settle: 500 };
  return load.ask('startFanOut', { targets, plan });
}

export async function withRedis<T>(use: (url: string) => Promise<T>): Promise<T> {
  const redis = await RedisServer.start();
  try {
    return await use(redis.url);
  } finally {
    await redis.stop();
  }
}
