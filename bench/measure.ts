import { bunBinary, modules } from './build.js';
import type { Candidate } from './candidates.js';
import { Child } from './ipc.js';
import type { LoadAnswers } from './load/main.js';
import type { Target } from './load/connection.js';
import type { ServerAnswers, Usage } from './server.js';

export type ServerChild = Child<ServerAnswers>;
export type LoadChild = Child<LoadAnswers>;

export interface Settings {
  quick: boolean;
  rounds: number;
  /** Seconds before each measurement, in which the engine compiles hot code. */
  warmUp: number;
  /** Seconds of each measurement. */
  window: number;
}

/** The result of one measurement. */
export interface Sample {
  /** Echoes, deliveries or visits a second. */
  rate: number;
  /** Microseconds of the server's CPU for each of them. */
  cpu: number;
  /** How much of a core the load used: near 1, the load may have been the bottleneck. */
  loadCpu: number;
}

/** Which part of a candidate a server process serves, and with which argument. */
interface Task {
  part: string;
  argument?: unknown;
}

/** A server and its load, paused between its turns. */
interface Runner {
  server: ServerChild;
  load: LoadChild;
}

/** How many turns each candidate has, and how long they are. */
export interface Turns {
  /** Servers of each candidate. Two processes of one candidate differ by up to a tenth until they end. */
  processes: number;
  rounds: number;
  /** Seconds of a turn. */
  seconds: number;
  warmUp: number;
}

/** Seconds after a process resumes that are not measured. */
const SETTLE = 0.05;

/**
 * Measures candidates in short turns. All are started and warmed up; then one at a time runs for a part of a second,
 * while the others are paused. Other load of the machine affects all of them, so differences of 3 % are visible.
 *
 * A round is one turn of each candidate. The value of a round is the mean over the processes of a candidate.
 */
export async function takeTurns(
  candidates: readonly Candidate[],
  { processes, rounds, seconds, warmUp }: Turns,
  start: (candidate: Candidate, load: LoadChild, target: Target) => Promise<unknown>,
  task: (candidate: Candidate) => Task,
): Promise<Rounds<Sample>> {
  const samples: Rounds<Sample> = new Map(candidates.map((candidate) => [candidate, []]));
  const runners = new Map<Candidate, Runner[]>();
  const openAll = async (rest: readonly Candidate[], count: number): Promise<void> => {
    const [candidate] = rest;
    if (candidate === undefined) {
      await measureRounds();
    } else if (count === processes) {
      await openAll(rest.slice(1), 0);
    } else {
      await withServer(candidate, task(candidate), async (server, load, target) => {
        await start(candidate, load, target);
        await load.ask('measure', warmUp);
        pauseRunner(server, load);
        runners.set(candidate, [...(runners.get(candidate) ?? []), { server, load }]);
        await openAll(rest, count + 1);
      });
    }
  };
  const measureRounds = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const first = round % candidates.length;
      for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
        const turns: Sample[] = [];
        for (const runner of runners.get(candidate) as Runner[])
          turns.push(await measureTurn(runner, seconds));
        samples.get(candidate)?.push(meanOf(turns));
      }
      process.stderr.write('.');
    }
  };
  await openAll(candidates, 0);
  return samples;
}

function pauseRunner(server: ServerChild, load: LoadChild): void {
  load.pause();
  server.pause();
}

async function measureTurn({ server, load }: Runner, seconds: number): Promise<Sample> {
  server.resume();
  load.resume();
  const turn = await sample(server, load, { warmUp: SETTLE, window: seconds });
  pauseRunner(server, load);
  return turn;
}

function meanOf(turns: readonly Sample[]): Sample {
  const mean = (of: (turn: Sample) => number): number =>
    turns.reduce((sum, turn) => sum + of(turn), 0) / turns.length;
  return {
    rate: mean(({ rate }) => rate),
    cpu: mean(({ cpu }) => cpu),
    loadCpu: mean(({ loadCpu }) => loadCpu),
  };
}

/** Starts a server in one child process and a load in another, and always ends both. */
export function withServer<T>(
  candidate: Candidate,
  task: Task,
  use: (server: ServerChild, load: LoadChild, target: Target) => Promise<T>,
): Promise<T> {
  return withServers(candidate, 1, task, ([server], load, [target]) =>
    use(server as ServerChild, load, target as Target),
  );
}

/** Does the same with several servers of one candidate. */
export async function withServers<T>(
  candidate: Candidate,
  count: number,
  task: Task,
  use: (servers: ServerChild[], load: LoadChild, targets: Target[]) => Promise<T>,
): Promise<T> {
  const { title, name, path, dialect, runtime, withBufferutil } = candidate;
  const servers = Array.from(
    { length: count },
    () =>
      new Child<ServerAnswers>(
        title,
        modules.server,
        runtime === 'bun' ? { execPath: bunBinary() } : { execArgv: ['--expose-gc'], withBufferutil },
      ),
  );
  const load = new Child<LoadAnswers>(`the load on ${title}`, modules.load);
  try {
    const targets = await Promise.all(
      servers.map(async (server) => ({
        port: await server.ask('start', { candidate: name, part: task.part, argument: task.argument }),
        path,
        dialect,
      })),
    );
    return await use(servers, load, targets);
  } finally {
    // The load ends first: it would report the end of a server as an error.
    await load.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Lets a running load warm up, and measures it once. The CPU is the sum over all its servers. */
export async function sample(
  servers: ServerChild | ServerChild[],
  load: LoadChild,
  settings: Pick<Settings, 'warmUp' | 'window'>,
): Promise<Sample> {
  const all = [servers].flat();
  await load.ask('measure', settings.warmUp);
  const before = await Promise.all(all.map((server) => server.ask('usage')));
  const { count, seconds, cpu } = await load.ask('measure', settings.window);
  const after = await Promise.all(all.map((server) => server.ask('usage')));
  if (count === 0) throw new Error('the server sent no reply');
  const rate = count / seconds;
  const share = all.reduce(
    (sum, _, index) => sum + cpuShare(before[index] as Usage, after[index] as Usage),
    0,
  );
  return { rate, cpu: (share * 1e6) / rate, loadCpu: cpu };
}

function cpuShare(before: Usage, after: Usage): number {
  return (after.cpu - before.cpu) / (after.time - before.time);
}

/** The samples of each candidate, one for each round. */
export type Rounds<S> = Map<Candidate, S[]>;

/**
 * Measures all candidates in turn, once in each round. Each round begins with another candidate, so that other load of
 * the machine affects all of them.
 */
export async function interleave<S>(
  candidates: readonly Candidate[],
  rounds: number,
  measure: (candidate: Candidate) => Promise<S>,
): Promise<Rounds<S>> {
  const samples: Rounds<S> = new Map(candidates.map((candidate) => [candidate, []]));
  for (let round = 0; round < rounds; round++) {
    const first = round % candidates.length;
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      samples.get(candidate)?.push(await measure(candidate));
      process.stderr.write('.');
    }
  }
  return samples;
}

/** Returns the median of one figure over the rounds. */
export function figure<S>(rounds: Rounds<S>, candidate: Candidate, of: (sample: S) => number): number {
  return median((rounds.get(candidate) ?? []).map(of));
}

/** Returns the median over the rounds of the ratio of two candidates in the same round. */
export function ratio<S>(
  rounds: Rounds<S>,
  candidate: Candidate,
  to: Candidate,
  of: (sample: S) => number,
): number {
  const others = rounds.get(to) ?? [];
  return median((rounds.get(candidate) ?? []).map((one, round) => of(one) / of(others[round] as S)));
}

/** Returns the lowest and the highest ratio of the middle half of the rounds. */
export function spread<S>(
  rounds: Rounds<S>,
  candidate: Candidate,
  to: Candidate,
  of: (sample: S) => number,
): [low: number, high: number] {
  const others = rounds.get(to) ?? [];
  const ratios = (rounds.get(candidate) ?? [])
    .map((one, round) => of(one) / of(others[round] as S))
    .sort((a, b) => a - b);
  const at = (share: number): number => ratios[Math.round((ratios.length - 1) * share)] ?? NaN;
  return [at(0.25), at(0.75)];
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
