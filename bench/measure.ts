import { modules } from './build.js';
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
  /** Seconds before each measurement, for the compiler. */
  warmUp: number;
  /** Seconds of each measurement. */
  window: number;
}

/** So many times the usual rounds, for candidates that are close together; a quick run stays quick. */
export function moreRounds({ quick, rounds }: Settings, factor: number): number {
  return quick ? rounds : factor * rounds;
}

/** What one window has shown. */
export interface Sample {
  /** Echoes, deliveries or visits a second. */
  rate: number;
  /** Microseconds of the server's CPU for each of them. */
  cpu: number;
  /** How much of a core the load took: near 1 it may have been the limit. */
  loadCpu: number;
}

/** What a server child is asked to serve: a part that its candidate has. */
interface Task {
  part: string;
  argument?: unknown;
}

/** Starts a server in a child process and a load in another, and ends both whatever happens. */
export function withServer<T>(
  candidate: Candidate,
  task: Task,
  use: (server: ServerChild, load: LoadChild, target: Target) => Promise<T>,
): Promise<T> {
  return withServers(candidate, 1, task, ([server], load, [target]) =>
    use(server as ServerChild, load, target as Target),
  );
}

/** The same with several servers of one candidate. */
export async function withServers<T>(
  candidate: Candidate,
  count: number,
  task: Task,
  use: (servers: ServerChild[], load: LoadChild, targets: Target[]) => Promise<T>,
): Promise<T> {
  const { title, name, path, dialect } = candidate;
  const servers = Array.from(
    { length: count },
    () => new Child<ServerAnswers>(title, modules.server, ['--expose-gc']),
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
    // Before the servers, whose end would be a fault to it.
    await load.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Lets a running load warm up, and measures it for one window; the CPU is that of all its servers. */
export async function sample(
  servers: ServerChild | ServerChild[],
  load: LoadChild,
  settings: Settings,
): Promise<Sample> {
  const all = [servers].flat();
  await load.ask('measure', settings.warmUp);
  const before = await Promise.all(all.map((server) => server.ask('usage')));
  const { count, seconds, cpu } = await load.ask('measure', settings.window);
  const after = await Promise.all(all.map((server) => server.ask('usage')));
  if (count === 0) throw new Error('nothing came back');
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
 * Measures all candidates in turn, and all again in the next round, beginning with another: what the machine does
 * meanwhile falls on all of them.
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

/** The median over the rounds of one figure. */
export function figure<S>(rounds: Rounds<S>, candidate: Candidate, of: (sample: S) => number): number {
  return median((rounds.get(candidate) ?? []).map(of));
}

/** The median over the rounds of the ratio of two candidates in the same round. */
export function ratio<S>(
  rounds: Rounds<S>,
  candidate: Candidate,
  to: Candidate,
  of: (sample: S) => number,
): number {
  const others = rounds.get(to) ?? [];
  return median((rounds.get(candidate) ?? []).map((one, round) => of(one) / of(others[round] as S)));
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
