import { fork, type ChildProcess } from 'node:child_process';

/** The functions of a child process that its parent can call, by name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- ask() checks the arguments
export type Answers = Record<string, (argument: any) => unknown>;

type Reply = { value: unknown } | { error: string };

/** Serves calls of the parent process, and exits when the parent has ended. */
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

/** How a child process is started, if not like this one. */
export interface ChildOptions {
  execArgv?: string[];
  /** The program of another runtime that runs the module. */
  execPath?: string;
  /** Lets ws find bufferutil. */
  withBufferutil?: boolean | undefined;
}

/** A child process, as its parent sees it. Calls its functions, one at a time. */
export class Child<A extends Answers> {
  readonly #process: ChildProcess;
  readonly #title: string;
  #settle: ((reply: Reply) => void) | undefined;

  constructor(
    title: string,
    module: URL,
    { execArgv = [], execPath, withBufferutil = false }: ChildOptions = {},
  ) {
    this.#title = title;
    const withoutIt = new URL('dist/without-bufferutil.js', import.meta.url);
    const preload = withBufferutil ? [] : ['--import', withoutIt.href];
    this.#process = fork(module, {
      // Only Node understands the 'advanced' format.
      ...(execPath === undefined
        ? { serialization: 'advanced', execArgv: [...preload, ...execArgv] }
        : { execPath, execArgv }),
      env: childEnvironment(),
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
    if ('error' in reply) throw new Error(`${this.#title}, call of "${name}": ${reply.error}`);
    return reply.value as Awaited<ReturnType<A[N]>>;
  }

  /** Pauses the process: it uses no CPU until `resume()`. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }
}

// As in production, and without the loaders and debuggers of the shell that runs the benchmark.
function childEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'production' };
  delete environment.NODE_OPTIONS;
  delete environment.NODE_DEBUG;
  return environment;
}
