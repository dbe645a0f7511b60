import { fork, type ChildProcess } from 'node:child_process';
import {
  connectRaw,
  messagesOf,
  type RawClient,
  type RawClientOptions,
} from '../../test/support/raw-client.js';
import { text } from '../../test/support/raw-frames.js';
import type { AppName } from './app.js';
import type { FromChild, ToChild } from './child.js';

/** How long something that should come at once may take. */
export const DEADLINE = 2_000;

/** A library under test, in a process of its own. */
export class Subject {
  port = 0;
  errorReported = false;
  stopped = false;
  readonly #child: ChildProcess;
  readonly #clients: RawClient[] = [];
  #stderr = '';

  constructor(candidate: string, app: AppName) {
    this.#child = fork(new URL('./child.ts', import.meta.url), [candidate, app], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#child.on('message', (message: FromChild) => {
      if (message === 'error reported') this.errorReported = true;
      else if (message === 'stopped') this.stopped = true;
      else this.port = message.port;
    });
  }

  /** Whether it listens; `false` when it has died of its own start. */
  async start(): Promise<boolean> {
    await until(() => this.port !== 0 || this.hasDied, 10_000);
    return !this.hasDied;
  }

  get hasDied(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The last error that it has printed, in one line. */
  get lastWords(): string {
    const line = this.#stderr.split('\n').findLast((words) => /^\s*(?:\w+ )*\[?\w*Error\b/.test(words));
    return (line ?? '')
      .trim()
      .replace(/^Uncaught /, '')
      .slice(0, 120);
  }

  async knock(options: RawClientOptions = {}): Promise<RawClient> {
    const client = await connectRaw(this.port, { path: '/ws', ...options });
    this.#clients.push(client);
    return client;
  }

  /** Whether a client that behaves, and waits a little before it speaks, gets its answer. */
  async serves(path = '/ws'): Promise<boolean> {
    try {
      const client = await this.knock({ path });
      if ((await client.response(DEADLINE)).status !== 101) return false;
      await new Promise((resolve) => setTimeout(resolve, 200));
      client.write(text('Hello'));
      return await gets(client, 'Hello');
    } catch {
      return false;
    }
  }

  stop(): void {
    this.#child.send('stop' satisfies ToChild);
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    if (this.hasDied) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Whether this message comes in time. */
export async function gets(client: RawClient, message: string): Promise<boolean> {
  const has = () => messagesOf(client).some(({ payload }) => payload.toString() === message);
  await client.until(has, message, DEADLINE).catch(() => {});
  return has();
}

/** Whether `condition` holds in time. */
export async function until(condition: () => boolean, deadline = DEADLINE): Promise<boolean> {
  const end = performance.now() + deadline;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  return condition();
}
