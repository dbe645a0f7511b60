import { setTimeout as pause } from 'node:timers/promises';
import { hasRedis } from '../../test/groups/support/redis-server.js';
import {
  ours,
  packagesOf,
  socketIo,
  socketIoSharded,
  type Candidate,
  type PeopleArgument,
} from '../candidates.js';
import type { Aftermath, Answer, PeoplePlan } from '../load/people.js';
import { figure, interleave, median, ratio, withServers, type Rounds, type Settings } from '../measure.js';
import { RedisMeter } from '../redis-use.js';
import { compareInRows } from './comparison.js';
import {
  bytes,
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
/** The last server, which is paused and then killed. */
const VICTIM = PROCESSES - 1;
/** Milliseconds after the last join until no process has any work left. */
const REST = 300;
/** The deadline of a call. The load itself finds a list that stays wrong. */
const FIVE_MINUTES = 300_000;

interface Plan extends PeoplePlan {
  /** Joins that another process watches for, and reads. */
  joins: number;
  reads: number;
}

interface Cost {
  /** Microseconds of CPU of the servers, and of Redis, and bytes of traffic of Redis. */
  servers: number;
  redis: number;
  traffic: number;
}

/** One round of a candidate. */
interface Sample {
  change: Cost;
  read: Cost;
  /** Milliseconds. */
  readTime: number;
  seen: number;
  /** The first answer while a process is paused. */
  paused: Answer;
  killed: Aftermath;
}

const others = [socketIo, socketIoSharded];
const candidates = [ours, ...others];

/** Measures the lists of people in groups over Redis: keeping them, and reading them. */
export async function measurePeople(settings: Settings): Promise<Result> {
  const { quick } = settings;
  const plan: Plan = quick
    ? { groups: 40, members: 10, joins: 20, reads: 200 }
    : { groups: 200, members: 10, joins: 100, reads: 2_000 };
  const rounds = hasRedis
    ? await interleave(candidates, settings.rounds, (candidate) => measureOnce(candidate, plan))
    : undefined;
  const { groups, members, joins, reads } = plan;
  return {
    title: 'People of groups over Redis',
    method:
      `${count(groups * members)} websockets in ${count(groups)} groups: ${count(members)} in each, on all ` +
      `${String(PROCESSES)} processes. dwebsocket reads group.people; socket.io calls fetchSockets() of a room. First, everybody ` +
      'leaves and joins again, 50 at a time. Then somebody joins in one process, and another process watches for it ' +
      `(${count(joins)} times): dwebsocket by the event of the group, socket.io by a loop of reads. Then ${count(reads)} reads ` +
      'follow, one after the other. Finally, one process is paused, and later killed. The load compares every list with who is there.',
    tables: rounds === undefined ? [] : describeRounds(rounds, plan),
    claims: rounds === undefined ? [] : others.flatMap((other) => claimsAgainst(other, rounds)),
    packages: [...packagesOf(candidates), '@socket.io/redis-adapter', 'redis'],
  };
}

function describeRounds(rounds: Rounds<Sample>, plan: Plan): Table[] {
  const head = ['', ...candidates.map(({ title }) => title)];
  // Where one side does nothing, a ratio says nothing.
  const bareRow = (title: string, of: (sample: Sample) => number, format: (value: number) => string) => [
    title,
    ...candidates.map((candidate) => format(figure(rounds, candidate, of))),
  ];
  const row = compareInRows(rounds, candidates, short);
  const told = (title: string, describe: (samples: Sample[]) => string): string[] => [
    title,
    ...candidates.map((candidate) => describe(rounds.get(candidate) ?? [])),
  ];
  return [
    {
      caption: 'People of groups (ratio to dwebsocket; middle half of the rounds)',
      head,
      rows: [
        row('a join or leave: CPU of the servers', ({ change }) => change.servers, micros),
        bareRow('a join or leave: CPU of Redis', ({ change }) => change.redis, micros),
        bareRow('a join or leave: traffic of Redis', ({ change }) => change.traffic, bytes),
        row('a join is seen in another process', bySeen, milliseconds),
        row('a read: time', byReadTime, milliseconds),
        row('a read: CPU of the servers', ({ read }) => read.servers, micros),
        bareRow('a read: CPU of Redis', ({ read }) => read.redis, micros),
        bareRow('a read: traffic of Redis', ({ read }) => read.traffic, bytes),
        [
          'reads for each join or leave that make the CPU of both equal',
          ...candidates.map((candidate) => (candidate === ours ? '' : readsForEqualCpu(rounds, candidate))),
        ],
      ],
    },
    {
      caption: `What a process says about a group of ${count(plan.members)} when another process fails`,
      head,
      rows: [
        told('right after the other was killed', (all) =>
          describeAnswers(all.map(({ killed }) => killed.first)),
        ),
        told(
          'time until it is right',
          (all) => `${describeRange(all.map(({ killed }) => killed.rightAfter))} ms`,
        ),
        told('while the other is paused', (all) => describeAnswers(all.map(({ paused }) => paused))),
      ],
    },
  ];
}

function claimsAgainst(other: Candidate, rounds: Rounds<Sample>): Claim[] {
  const work = 'people of a group over Redis';
  const to = (of: (sample: Sample) => number): number => ratio(rounds, ours, other, of);
  return [
    claimAtMost(`${work}: time of a read`, other.title, 0.5, to(byReadTime)),
    claimAtMost(`${work}: CPU of a read`, other.title, 0.5, to(byReadCpu)),
    claimAtMost(`${work}: time until a join is seen`, other.title, 1, to(bySeen)),
    claimAtMost(`${work}: CPU of a join or leave`, other.title, 1, to(byChangeCpu)),
  ];
}

const byReadTime = ({ readTime }: Sample): number => readTime;
const byReadCpu = ({ read }: Sample): number => read.servers + read.redis;
const bySeen = ({ seen }: Sample): number => seen;
const byChangeCpu = ({ change }: Sample): number => change.servers + change.redis;

/** Returns how many reads for each join or leave make the CPU equal. With more reads, ours takes less. */
function readsForEqualCpu(rounds: Rounds<Sample>, other: Candidate): string {
  const dearer = figure(rounds, ours, byChangeCpu) - figure(rounds, other, byChangeCpu);
  const cheaper = figure(rounds, other, byReadCpu) - figure(rounds, ours, byReadCpu);
  return (dearer / cheaper).toFixed(2);
}

function measureOnce(candidate: Candidate, plan: Plan): Promise<Sample> {
  return withRedis(async (redis) => {
    const argument: PeopleArgument = { redis };
    return withServers(candidate, PROCESSES, { part: 'people', argument }, async (servers, load, targets) => {
      const meter = await RedisMeter.open(redis);
      try {
        await load.ask('startPeople', { targets, plan }, FIVE_MINUTES);
        await pause(REST);
        // Once before, so that the engine compiles the code.
        await load.ask('comeAndGo', undefined, FIVE_MINUTES);
        await load.ask('settlePeople', undefined, FIVE_MINUTES);
        await pause(REST);
        const change = await meter.measure(servers, async () => {
          const changes = await load.ask('comeAndGo', undefined, FIVE_MINUTES);
          await pause(REST);
          return changes;
        });
        await load.ask('settlePeople', undefined, FIVE_MINUTES);
        const seen = await load.ask('seePeople', plan.joins, FIVE_MINUTES);
        await pause(REST);
        const read = await meter.measure(servers, () => load.ask('readPeople', plan.reads, FIVE_MINUTES));

        const victim = servers[VICTIM];
        victim?.pause();
        const paused = await load.ask('readPeopleAt', 0);
        victim?.resume();
        await load.ask('settlePeople', undefined, FIVE_MINUTES);
        await load.ask('expectEnd', VICTIM);
        await victim?.stop();
        const killed = await load.ask('peopleAfterEnd', 0);
        const cost = (use: Cost, times: number): Cost => ({
          servers: use.servers / times,
          redis: use.redis / times,
          traffic: use.traffic / times,
        });
        return {
          change: cost(change, change.result),
          read: cost(read, plan.reads),
          readTime: median(read.result),
          seen: median(seen),
          paused,
          killed,
        };
      } finally {
        meter.close();
      }
    });
  });
}

/** Lists the different answers. */
function describeAnswers(answers: Answer[]): string {
  const all = answers.map(({ time, there, gone, error }) => {
    const after = time < 1_000 ? '' : `, after ${String(Math.round(time / 1_000))} s`;
    const listed =
      gone === 0 ? `${count(there)} people` : `${count(there)} people, and ${count(gone)} who are gone`;
    return (error ?? listed) + after;
  });
  return [...new Set(all)].join('; or ');
}

/** Formats a ratio, which is small or large here. */
function short(value: number): string {
  return value >= 10 ? count(value) : value.toFixed(2);
}
