import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** An instance of the example app in a process of its own, as `npm start` runs it. */
export class Instance {
  /** Where it is: `http://localhost:8000`. */
  origin = '';
  /** All lines that it has printed, errors too. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  /** Its exit code, or the signal that has ended it, once it has ended and printed everything. */
  readonly ended: Promise<number | string | null>;
  #wake = () => {};

  private constructor(env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, ['--import', 'tsx', 'example-app/server.ts'], {
      env: { ...process.env, PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const close = once(child, 'close') as Promise<[number | null, string | null]>;
    this.ended = close.then(([code, endedBy]) => code ?? endedBy);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
  }

  /** Starts one that may end by itself. */
  static begin(env: NodeJS.ProcessEnv): Instance {
    return new Instance(env);
  }

  /** Starts one, and waits until it listens. */
  static async start(env: NodeJS.ProcessEnv): Promise<Instance> {
    const instance = new Instance(env);
    const line = await instance.untilPrinted(/http:\S+/);
    instance.origin = new URL(/http:\S+/.exec(line)?.[0] ?? '').origin;
    return instance;
  }

  /** Waits for a line, printed or to be printed. */
  async untilPrinted(pattern: RegExp, deadline = 30_000): Promise<string> {
    const late = AbortSignal.timeout(deadline);
    late.addEventListener('abort', () => this.#wake());
    for (;;) {
      const line = this.lines.find((each) => pattern.test(each));
      if (line !== undefined) return line;
      if (late.aborted) throw new Error(`${String(pattern)} was not printed, but:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends it; gives its exit code, or the signal that has ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null> {
    this.#child.kill(signal);
    return await this.ended;
  }
}
