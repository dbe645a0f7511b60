import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from '../../support/inbox.js';
import type { Way } from './network.js';
import type { Answer, Order, PlayerOptions, Status } from './protocol.js';

const PLAYER = fileURLToPath(new URL('./player.ts', import.meta.url));

/** One process, and its way to the server, if there is one. */
export class Player {
  readonly index: number;
  readonly #way: Way | undefined;
  readonly #child: ChildProcess;
  readonly #faults: string[];
  #isKilled = false;
  #answers: ((answer: Answer) => void)[] = [];

  constructor(options: PlayerOptions, faults: string[], way?: Way) {
    this.index = options.index;
    this.#way = way;
    this.#faults = faults;
    this.#child = spawn(
      process.execPath,
      ['--expose-gc', '--import', 'tsx', PLAYER, JSON.stringify(options)],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        serialization: 'advanced',
      },
    );
    this.#child.on('message', (answer: Answer) => {
      if ('fault' in answer) faults.push(answer.fault);
      else for (const waiter of this.#answers) waiter(answer);
    });
    this.#child.on('exit', (code, signal) => {
      if (code !== 0 && !this.#isKilled) faults.push(`process ${options.index} ended with ${code ?? signal}`);
    });
  }

  get way(): Way {
    return this.#way!;
  }

  get pid(): number {
    return this.#child.pid!;
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

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGCONT');
      this.#child.send({ do: 'exit' } satisfies Order);
      await within(exit, 'exit', 30_000).catch(() => {
        this.#faults.push('a process did not end');
        this.#child.kill('SIGKILL');
      });
    }
    await this.#way?.close();
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
