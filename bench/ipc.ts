import { fork, type ChildProcess } from 'node:child_process';

/** What a child process can be asked: each name with the function that answers it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the arguments are checked where they are asked for
export type Answers = Record<string, (argument: any) => unknown>;

type Reply = { value: unknown } | { error: string };

/** The child's side: answers one question after the other, and ends with its parent. */
export function answer(answers: Answers): void {
  process.on('message', ({ name, argument }: { name: string; argument: unknown }) => {
    void reply(answers[name], argument).then((message) => process.send?.(message));
  });
  process.on('disconnect', () => process.exit());
}

async function reply(ask: ((argument: unknown) => unknown) | undefined, argument: unknown): Promise<Reply> {
  try {
    return { value: await ask?.(argument) };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** How a child process is started, where not by this Node. */
export interface ChildOptions {
  execArgv?: string[];
  /** The program that runs the module: another runtime. */
  execPath?: string;
}

/** The parent's side of a child process: one question at a time. */
export class Child<A extends Answers> {
  readonly #process: ChildProcess;
  readonly #title: string;
  #settle: ((reply: Reply) => void) | undefined;

  constructor(title: string, module: URL, { execArgv = [], execPath }: ChildOptions = {}) {
    this.#title = title;
    this.#process = fork(module, {
      execArgv,
      // Node's own format is known to Node alone.
      ...(execPath === undefined ? { serialization: 'advanced' } : { execPath }),
      env: quietEnvironment(),
    });
    this.#process.on('message', (message) => this.#settle?.(message as Reply));
    this.#process.on('exit', (code, signal) =>
      this.#settle?.({ error: `the process ended (${String(code ?? signal)})` }),
    );
  }

  async ask<N extends keyof A & string>(
    name: N,
    argument?: Parameters<A[N]>[0],
    deadline = 60_000,
  ): Promise<Awaited<ReturnType<A[N]>>> {
    const reply = await new Promise<Reply>((resolve) => {
      const timer = setTimeout(resolve, deadline, { error: `no answer within ${String(deadline)} ms` });
      this.#settle = (message) => {
        clearTimeout(timer);
        resolve(message);
      };
      if (!this.#process.connected) this.#settle({ error: 'the process has ended' });
      else this.#process.send({ name, argument });
    });
    this.#settle = undefined;
    if ('error' in reply) throw new Error(`${this.#title}, asked "${name}": ${reply.error}`);
    return reply.value as Awaited<ReturnType<A[N]>>;
  }

  /** Stops the process where it is: it takes no CPU until it goes on. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  goOn(): void {
    this.#process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }
}

// As in production, and without the loaders and debuggers of whoever runs the benchmark.
function quietEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'production' };
  delete environment.NODE_OPTIONS;
  delete environment.NODE_DEBUG;
  return environment;
}
