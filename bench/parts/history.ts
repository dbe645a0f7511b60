import { setTimeout as pause } from 'node:timers/promises';
import { hasRedis } from '../../test/groups/support/redis-server.js';
import { ours, packagesOf, socketIoStreams, type Candidate, type HistoryArgument } from '../candidates.js';
import type { HistoryPlan, Return } from '../load/history.js';
import { interleave, ratio, withServers, type Rounds, type ServerChild, type Settings } from '../measure.js';
import { RedisMeter, type Kept, type Use } from '../redis-use.js';
import { compareInRows } from './comparison.js';
import {
  bytes,
  claimAtLeast,
  claimAtMost,
  count,
  describeRange,
  micros,
  milliseconds,
  type Claim,
  type Result,
  type Table,
} from './part.js';
import { withRedis } from './relay.js';

const PROCESSES = 4;
/** Messages that each group keeps, and that are sent to each before the measurement. */
const LENGTH = 100;
/** Messages to each group while its members are away. */
const MISSED = 5;
const BYTES = 100;
/** The deadline of a call. The load itself finds a message that does not arrive. */
const FIVE_MINUTES = 300_000;

/** One round of a candidate. */
interface Sample {
  /** Messages a second that all members have received. */
  rate: number;
  /** What a message costs. */
  servers: number;
  redis: number;
  traffic: number;
  /** What is kept after the first messages, how much memory Redis took for it, and what is kept after the measurement. */
  kept: Kept;
  memory: number;
  keptLater: Kept;
  /** The return of members whose sockets were destroyed, and of those whose server was killed. */
  back: Use<Return>;
  afterKill: Return;
}

const candidates = [ours, socketIoStreams];

/** Measures groups that keep messages in Redis, and the return of members that have missed some. */
export async function measureHistory(settings: Settings): Promise<Result> {
  const plan: HistoryPlan = { groups: settings.quick ? 40 : 200, members: 5, bytes: BYTES };
  const rounds = hasRedis
    ? await interleave(candidates, settings.rounds, (candidate) => measureOnce(candidate, plan, settings))
    : undefined;
  return {
    title: 'Groups with a history over Redis',
    method:
      `${count(plan.groups)} groups in ${String(PROCESSES)} processes. Each has ${String(plan.members)} members, and one more ` +
      `websocket that receives and sends ${String(BYTES)} bytes of text. A message counts when all have received it; then the ` +
      `next is sent. Before the measurement each group got ${String(LENGTH)} messages. Then all ${count(lostIn(plan))} members ` +
      `lose their connection at the same moment, each group gets ${String(MISSED)} messages, and all members reconnect at the ` +
      'same moment, each to another process. Finally, one process is killed, and its members reconnect.',
    tables: rounds === undefined ? [] : describeRounds(rounds, plan),
    claims: rounds === undefined ? [] : claimsOf(rounds, plan),
    packages: [...packagesOf(candidates), '@socket.io/redis-streams-adapter', 'redis'],
  };
}

function describeRounds(rounds: Rounds<Sample>, plan: HistoryPlan): Table[] {
  const row = compareInRows(rounds, candidates);
  const lost = lostIn(plan);
  const head = ['', ...candidates.map(({ title }) => title)];
  return [
    {
      caption: 'Groups with a history (ratio to dwebsocket; middle half of the rounds)',
      head,
      rows: [
        row('messages a second', byRate, count),
        row('CPU of the servers for a message', byServers, micros),
        row('CPU of Redis for a message', byRedis, micros),
        row('traffic of Redis for a message', byTraffic, bytes),
        row(`messages in Redis, after ${count(plan.groups * LENGTH)}`, ({ kept }) => kept.messages, count),
        row('their keys, for a message', ({ kept }) => kept.bytes / kept.messages, bytes),
        row('memory of Redis, for a message', byMemory, bytes),
        row('messages in Redis, after the measurement', ({ keptLater }) => keptLater.messages, count),
      ],
    },
    {
      caption: `${count(lost)} members come back (ratio to dwebsocket; middle half of the rounds)`,
      head,
      rows: [
        row('half of them have everything', ({ back }) => back.result.half, milliseconds),
        row('all of them have everything', byAll, milliseconds),
        row('CPU of the servers for each', ({ back }) => back.servers / lost, micros),
        row('CPU of Redis for each', ({ back }) => back.redis / lost, micros),
        row('traffic of Redis for each', ({ back }) => back.traffic / lost, bytes),
        [
          'resumed after their process was killed',
          ...candidates.map((candidate) => {
            const all = (rounds.get(candidate) ?? []).map(({ afterKill }) => afterKill);
            return `${describeRange(all.map(({ resumed }) => resumed))} of ${count(all[0]?.lost ?? 0)}`;
          }),
        ],
      ],
    },
  ];
}

function claimsOf(rounds: Rounds<Sample>, plan: HistoryPlan): Claim[] {
  const other = socketIoStreams;
  const work = 'groups with a history over Redis';
  const to = (of: (sample: Sample) => number): number => ratio(rounds, ours, other, of);
  const resumed = `${work}: time until ${count(lostIn(plan))} clients have resumed`;
  return [
    claimAtLeast(`${work}: messages a second`, other.title, 1, to(byRate)),
    claimAtMost(`${work}: CPU of the servers for a message`, other.title, 1, to(byServers)),
    claimAtMost(`${work}: CPU of Redis for a message`, other.title, 1, to(byRedis)),
    claimAtMost(`${work}: traffic of Redis for a message`, other.title, 1, to(byTraffic)),
    claimAtMost(`${work}: memory of Redis for a kept message`, other.title, 1, to(byMemory)),
    claimAtMost(resumed, other.title, 1, to(byAll)),
  ];
}

function lostIn({ groups, members }: HistoryPlan): number {
  return groups * members;
}

const byRate = ({ rate }: Sample): number => rate;
const byServers = ({ servers }: Sample): number => servers;
const byRedis = ({ redis }: Sample): number => redis;
const byTraffic = ({ traffic }: Sample): number => traffic;
const byMemory = ({ memory, kept }: Sample): number => memory / kept.messages;
const byAll = ({ back }: Sample): number => back.result.all;

function measureOnce(candidate: Candidate, plan: HistoryPlan, { quick }: Settings): Promise<Sample> {
  return withRedis(async (redis) => {
    const argument: HistoryArgument = { redis, length: LENGTH, groups: plan.groups };
    return withServers(
      candidate,
      PROCESSES,
      { part: 'history', argument },
      async (servers, load, targets) => {
        const meter = await RedisMeter.open(redis);
        try {
          await load.ask('startHistory', { targets, plan }, FIVE_MINUTES);
          const memoryBefore = await meter.memory();
          await load.ask('sendKept', LENGTH, FIVE_MINUTES);
          const kept = await meter.kept();
          const memory = (await meter.memory()) - memoryBefore;
          const run = await meter.measure(servers, () => load.ask('runHistory', quick ? 1 : 3, FIVE_MINUTES));
          const { messages, seconds } = run.result;
          const keptLater = await meter.kept();

          await load.ask('lose');
          await untilLost(servers, plan.groups);
          await load.ask('sendKept', MISSED, FIVE_MINUTES);
          const back = await meter.measure(servers, () => load.ask('comeBack', undefined, FIVE_MINUTES));
          const { lost, resumed } = back.result;
          if (resumed < lost)
            throw new Error(`${candidate.title} has resumed only ${count(resumed)} of ${count(lost)}`);
          // Shows whether a member that came back gets something twice.
          await load.ask('sendKept', 1, FIVE_MINUTES);

          await load.ask('expectEnd', 0);
          await servers[0]?.stop();
          await load.ask('sendKept', MISSED, FIVE_MINUTES);
          const afterKill = await load.ask('comeBack', undefined, FIVE_MINUTES);
          await load.ask('sendKept', 1, FIVE_MINUTES);
          return {
            rate: messages / seconds,
            servers: run.servers / messages,
            redis: run.redis / messages,
            traffic: run.traffic / messages,
            kept,
            memory,
            keptLater,
            back,
            afterKill,
          };
        } finally {
          meter.close();
        }
      },
    );
  });
}

/** Resolves when the servers have noticed that only the senders are connected. */
async function untilLost(servers: readonly ServerChild[], senders: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const counts = await Promise.all(servers.map((server) => server.ask('connections')));
    if (counts.reduce((sum, one) => sum + one, 0) === senders) break;
    if (performance.now() > deadline)
      throw new Error(`open connections after the loss: ${counts.join(', ')}`);
    await pause(10);
  }
  // A server of Socket.IO writes the state of each connection to Redis.
  await pause(500);
}
