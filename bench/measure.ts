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

/** A server and its load, at rest between its turns. */
interface Runner {
  server: ServerChild;
  load: LoadChild;
}

/** How often, and how long, each candidate has its turn. */
export interface Turns {
  /** Servers of each candidate: two processes of one kind differ by up to a tenth, all their life. */
  processes: number;
  rounds: number;
  /** Seconds of a turn. */
  seconds: number;
  warmUp: number;
}

/** Seconds after a process goes on in which it is not measured. */
const SETTLE = 0.05;

/**
 * Measures candidates in short turns: all are started and warmed up, then one at a time goes on for a part of a second,
 * while the others are stopped. What the machine does meanwhile falls on all of them, so 3 % can be told apart.
 *
 * A round is one turn of each; its figure is the mean over the processes of a candidate.
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
      await playRounds();
    } else if (count === processes) {
      await openAll(rest.slice(1), 0);
    } else {
      await withServer(candidate, task(candidate), async (server, load, target) => {
        await start(candidate, load, target);
        await load.ask('measure', warmUp);
        comeToRest(server, load);
        runners.set(candidate, [...(runners.get(candidate) ?? []), { server, load }]);
        await openAll(rest, count + 1);
      });
    }
  };
  const playRounds = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const first = round % candidates.length;
      for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
        const turns: Sample[] = [];
        for (const runner of runners.get(candidate) as Runner[]) turns.push(await playTurn(runner, seconds));
        samples.get(candidate)?.push(meanOf(turns));
      }
      process.stderr.write('.');
    }
  };
  await openAll(candidates, 0);
  return samples;
}

function comeToRest(server: ServerChild, load: LoadChild): void {
  load.pause();
  server.pause();
}

async function playTurn({ server, load }: Runner, seconds: number): Promise<Sample> {
  server.goOn();
  load.goOn();
  const turn = await sample(server, load, { warmUp: SETTLE, window: seconds });
  comeToRest(server, load);
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
  const { title, name, path, dialect, runtime } = candidate;
  const servers = Array.from(
    { length: count },
    () =>
      new Child<ServerAnswers>(
        title,
        modules.server,
        runtime === 'bun' ? { execPath: bunBinary() } : { execArgv: ['--expose-gc'] },
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
    // Before the servers, whose end would be a fault to it.
    await load.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Lets a running load warm up, and measures it for one window; the CPU is that of all its servers. */
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

/** How far the ratios of the rounds lie apart: from the lowest to the highest of the middle half. */
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
