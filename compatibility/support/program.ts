import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { START, within } from '../../test/support/inbox.js';

export interface StartOptions {
  /** The folder in which it runs. */
  cwd?: string;
  /** Added to the environment. `PORT` is 0 unless given. */
  env?: Record<string, string>;
  /** The line that says that it is ready. Its first group is the port. By default: the first `http://host:port`. */
  ready?: RegExp;
  /** How long it may take to be ready, in milliseconds. */
  deadline?: number;
}

/** A program in a process of its own. */
export interface Program {
  readonly child: ChildProcess;
  /** The port that it listens on. */
  readonly port: number;
  /** All that it has printed until now, line by line. */
  readonly lines: readonly string[];
  /** Resolves with the first line that fits, also when it was printed before; rejects when the program ends first. */
  printed(pattern: RegExp, deadline?: number): Promise<string>;
  /** Sends it a signal, and resolves with how it has ended. A program that ignores the signal rejects after a deadline. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends it and what it has started at once, if they still run. Call it in `afterAll` or `onTestFinished`. */
  kill(): Promise<void>;
}

const URL_LINE = /https?:\/\/(?:\[[^\]]*\]|[^\s:/[]+):(\d+)/;

/**
 * Starts a program and waits until it is ready.
 *
 * @param command The program and its arguments. What ends in `.js`, `.mjs` or `.cjs` runs on this Node.
 * @throws An error with all that the program has printed, if it ends first or is not ready in time.
 */
export async function startProgram(command: readonly string[], options: StartOptions = {}): Promise<Program> {
  const { cwd, env, ready = URL_LINE, deadline = 2 * START } = options;
  const [first = '', ...rest] = command;
  const [file, args] = /\.[cm]?js$/.test(first) ? [process.execPath, command] : [first, rest];
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...environment(), PORT: '0', NO_COLOR: '1', FORCE_COLOR: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that `kill` ends what the program has started, too.
    detached: process.platform !== 'win32',
  });
  const killAll = () => {
    try {
      if (child.pid !== undefined)
        process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  };
  process.once('exit', killAll);
  child.once('close', () => process.off('exit', killAll));
  const output = new Output(child);
  const program = {
    child,
    lines: output.lines,
    printed: (pattern: RegExp, limit?: number) => output.find(pattern, limit),
    async stop(signal: NodeJS.Signals = 'SIGTERM') {
      child.kill(signal);
      const [code, by] = await within(output.closed, `end of ${command.join(' ')} after ${signal}`, START);
      return { code, signal: by };
    },
    async kill() {
      killAll();
      await output.closed;
    },
  };
  try {
    const line = await output.find(ready, deadline);
    const [, port] = ready.exec(line) ?? [];
    return { ...program, port: Number(port ?? env?.PORT) };
  } catch (error) {
    await program.kill();
    throw error;
  }
}

/** The environment of this process, without what Vitest sets for its own processes. */
function environment(): NodeJS.ProcessEnv {
  const vitests = /^(?:NODE_ENV|NODE_OPTIONS|NODE_DEBUG|TEST|VITEST.*)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !vitests.test(name)));
}

/** The lines that a process prints, to stdout and to stderr. */
class Output {
  readonly lines: string[] = [];
  /** How the process has ended, when all that it has printed is here. */
  readonly closed: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  readonly #waiting = new Set<() => void>();
  #ended = false;

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on('line', (line) => {
        this.lines.push(line);
        this.#look();
      });
    this.closed = new Promise((resolve) => {
      child.on('error', (error) => this.lines.push(error.message));
      child.on('close', (code, signal) => {
        this.#ended = true;
        this.#look();
        resolve([code, signal]);
      });
    });
  }

  async find(pattern: RegExp, deadline?: number): Promise<string> {
    let stop = () => {};
    const found = new Promise<string>((resolve, reject) => {
      const look = () => {
        const line = this.lines.find((each) => pattern.test(each));
        if (line !== undefined) resolve(line);
        else if (this.#ended) reject(new Error('the program has ended'));
      };
      stop = () => this.#waiting.delete(look);
      this.#waiting.add(look);
      look();
    });
    try {
      return await within(found, `line like ${String(pattern)}`, deadline);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`${message}; it printed:\n${this.lines.join('\n')}`, { cause: error });
    } finally {
      stop();
    }
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}
