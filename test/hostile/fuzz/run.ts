import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { leaveAtEveryStep, openAndDrop, sendFlood, sendMutations, waitInLine } from './attacker.js';
import { HonestClient } from './honest-client.js';
import { Random } from './random.js';
import type { Account, Question } from './server.js';

export interface FuzzOptions {
  seed: number;
  /** Mutated handshakes and frames, together. */
  mutations: number;
  /** How often a client leaves at each step. */
  rounds: number;
  /** Websockets opened at once and dropped. */
  drops: number;
  /** Called now and then. */
  onProgress?: (done: number) => void;
}

export interface FuzzReport {
  seed: number;
  handshakes: number;
  frames: number;
  connections: number;
  left: number;
  dropped: number;
  honestAnswers: number;
  honestSlowest: number;
  seconds: number;
  before: Account;
  after: Account;
}

const CONCURRENCY = 128;
/** After as many connections an attacker waits until the server has got to it. */
const UNANSWERED = 8;

/** Fuzzes a server in a child process. Rejects when the server dies, hangs, or an honest client is not served. */
export function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const random = new Random(options.seed);
  return withServer(`seed ${options.seed}`, (child) => attackServer(child, random, options));
}

/** What the accounts of one server tell of leaks, one after the other. */
export function findLeaks(leaks: readonly Question['leak'][]): Promise<string[][]> {
  return withServer('leaks', async (child) => {
    await once(child, 'message');
    const found: string[][] = [];
    let before = await askForAccount(child);
    for (const leak of leaks) {
      const after = await askForAccount(child, leak);
      found.push(compareAccounts(before, after));
      before = after;
    }
    return found;
  });
}

async function withServer<T>(name: string, use: (child: ChildProcess) => Promise<T>): Promise<T> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), {
    execArgv: ['--expose-gc', '--no-warnings', '--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const died = exited.then(([code, signal]: unknown[]) => {
    throw new Error(`the server died (${String(code ?? signal)}); ${name}`);
  });
  died.catch(() => {});
  try {
    return await Promise.race([use(child), died]);
  } finally {
    if (child.connected) child.disconnect();
    await exited;
  }
}

async function attackServer(child: ChildProcess, random: Random, options: FuzzOptions): Promise<FuzzReport> {
  const [port] = (await once(child, 'message')) as [number];
  const { seed, rounds, drops } = options;
  // Once through everything, so that what is made once is there: compiled code, caches, pools.
  await mutateAll(port, random, Math.max(10_000, Math.ceil(options.mutations / 4)));
  await leaveAtEveryStep(port, random, Math.max(3, Math.ceil(rounds / 10)));
  await openAndDrop(port, random, drops);
  const before = await askForAccount(child);

  const start = performance.now();
  const honest = new HonestClient(port);
  const attackAll = async () => {
    const counts = await mutateAll(port, random, options.mutations, options.onProgress);
    const left = await leaveAtEveryStep(port, random, rounds);
    await openAndDrop(port, random, drops);
    await honest.leave();
    return { ...counts, left };
  };
  const [counts] = await Promise.all([attackAll(), honest.done]);
  const seconds = (performance.now() - start) / 1_000;
  const after = await askForAccount(child);
  return {
    seed,
    ...counts,
    dropped: drops,
    honestAnswers: honest.answers,
    honestSlowest: honest.slowest,
    seconds,
    before,
    after,
  };
}

async function mutateAll(
  port: number,
  random: Random,
  mutations: number,
  onProgress?: (done: number) => void,
) {
  const counts = { handshakes: 0, frames: 0, connections: 0 };
  const done = () => counts.handshakes + counts.frames;
  const attackOn = async () => {
    for (let i = 1; done() < mutations; i++) {
      if (i % UNANSWERED === 0) await waitInLine(port, random);
      if (i % UNANSWERED === 4) await sendFlood(port, random);
      const { handshakes, frames } = await sendMutations(port, random);
      counts.handshakes += handshakes;
      counts.frames += frames;
      if (++counts.connections % 5_000 === 0) onProgress?.(done());
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, attackOn));
  return counts;
}

async function askForAccount(child: ChildProcess, leak?: Question['leak']): Promise<Account> {
  const answer = once(child, 'message');
  child.send({ clients: 0, leak } satisfies Question);
  const [account] = (await answer) as [Account];
  return account;
}

/** What is wrong with a report, in words; empty when nothing is. */
export function findFaults({ before, after, ...report }: FuzzReport): string[] {
  const faults = compareAccounts(before, after);
  if (report.honestAnswers < report.seconds)
    faults.push(`the honest client got only ${report.honestAnswers} answers`);
  return faults;
}

function compareAccounts(before: Account, after: Account): string[] {
  const faults = [...after.faults];
  const expectSame = (what: string, was: unknown, is: unknown) => {
    if (JSON.stringify(was) !== JSON.stringify(is))
      faults.push(`${what}: ${JSON.stringify(was)} → ${JSON.stringify(is)}`);
  };
  expectSame('sockets', 0, after.sockets);
  expectSame('websockets', 0, after.websockets);
  expectSame('requests not collected', 0, after.uncollected);
  expectSame('listeners', before.listeners, after.listeners);
  for (const [name, count] of Object.entries(after.objects)) {
    const was = before.objects[name] ?? 0;
    if (count > was) faults.push(`objects of ${name}: ${was} → ${count}`);
  }
  if (after.memory > before.memory * 1.05) faults.push(`memory: ${before.memory} → ${after.memory} bytes`);
  return faults;
}
