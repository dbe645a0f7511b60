import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '../../groups/support/redis-server.js';
import { within } from '../../support/inbox.js';
import type { SetBack } from './judge.js';
import { Way } from './network.js';
import { pause } from './pause.js';
import type { Answer, Order, PlayerOptions, Status } from './protocol.js';

const PLAYER = fileURLToPath(new URL('./player.ts', import.meta.url));
const SERVER = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];

/** One process, and its way to Redis. */
export class Player {
  readonly way: Way;
  readonly #child: ChildProcess;
  readonly #faults: string[];
  #answers: ((answer: Answer) => void)[] = [];

  constructor(way: Way, options: Omit<PlayerOptions, 'url'>, faults: string[]) {
    this.way = way;
    this.#faults = faults;
    const argument = JSON.stringify({ ...options, url: way.url });
    this.#child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', PLAYER, argument], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.on('message', (answer: Answer) => {
      if ('fault' in answer) faults.push(answer.fault);
      else for (const waiter of this.#answers) waiter(answer);
    });
    this.#child.on('exit', (code, signal) => {
      if (code !== 0) faults.push(`process ${options.index} ended with ${code ?? signal}`);
    });
  }

  ready(): Promise<unknown> {
    return this.#answer('ready', (answer) => 'ready' in answer);
  }

  /** Gives an order; resolves with the answer when it is done. */
  async tell(order: Order, deadline = 120_000): Promise<Extract<Answer, { done: unknown }>> {
    const answer = this.#answer(order.do, (given) => 'done' in given && given.done === order.do, deadline);
    this.#child.send(order);
    return (await answer) as Extract<Answer, { done: unknown }>;
  }

  async status(): Promise<Status> {
    return (await this.tell({ do: 'status' })).status!;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.send({ do: 'exit' } satisfies Order);
      await within(exit, 'exit', 30_000).catch(() => {
        this.#faults.push('a process did not end');
        this.#child.kill('SIGKILL');
      });
    }
    await this.way.close();
  }

  #answer(what: string, isIt: (answer: Answer) => boolean, deadline = 120_000): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => {
      const waiter = (given: Answer): void => {
        if (!isIt(given)) return;
        this.#answers = this.#answers.filter((each) => each !== waiter);
        resolve(given);
      };
      this.#answers.push(waiter);
    });
    return within(answer, `answer to "${what}"`, deadline);
  }
}

/** A master and its replica, and the processes that use them. */
export class Orchestra {
  master: RedisServer;
  replica: RedisServer;
  readonly players: readonly Player[];
  readonly setBacks: SetBack[] = [];

  constructor(master: RedisServer, replica: RedisServer, players: readonly Player[]) {
    this.master = master;
    this.replica = replica;
    this.players = players;
  }

  static async begin(options: readonly Omit<PlayerOptions, 'url'>[], faults: string[]): Promise<Orchestra> {
    const [master, replica] = [await RedisServer.start(SERVER), await RedisServer.start(SERVER)];
    const ways = await Promise.all(options.map(() => Way.open(master.port)));
    const players = options.map((each, index) => new Player(ways[index]!, each, faults));
    const orchestra = new Orchestra(master, replica, players);
    replica.cli('REPLICAOF', '127.0.0.1', String(master.port));
    await orchestra.untilReplicated();
    await Promise.all(players.map((player) => player.ready()));
    return orchestra;
  }

  async untilReplicated(): Promise<void> {
    await until('replication', 30_000, () =>
      this.replica.cli('INFO', 'replication').includes('master_link_status:up'),
    );
  }

  /** New connections lead to the other server from now on. */
  swap(): void {
    [this.master, this.replica] = [this.replica, this.master];
    for (const { way } of this.players) way.target = this.master.port;
  }

  /** Resolves when no process is cut off any more, with the milliseconds that it took. */
  async untilBack(deadline: number): Promise<number> {
    const start = performance.now();
    let cutOff: string[] = [];
    await until('end of the outage', deadline, async () => {
      const all = await Promise.all(this.players.map((player) => player.status()));
      cutOff = all.flatMap((status, index) => status.cutOff.map((kind) => `${kind} of process ${index}`));
      return cutOff.length === 0;
    }).catch(() => {
      throw new Error(`still cut off after ${deadline} ms: ${cutOff.join(', ')}`);
    });
    return performance.now() - start;
  }

  async end(): Promise<void> {
    await Promise.all(this.players.map((player) => player.end()));
    await Promise.all([this.master.stop(), this.replica.stop()]);
  }
}

export async function until(
  what: string,
  deadline: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`no ${what} within ${deadline} ms`);
    await pause(50);
  }
}
