import { fork, type ChildProcess } from 'node:child_process';
import {
  connectRaw,
  messagesOf,
  type RawClient,
  type RawClientOptions,
} from '../../test/support/raw-client.js';
import { text } from '../../test/support/raw-frames.js';
import { DECISION, type AppName } from './app.js';
import type { FromChild, Memory, ToChild } from './child.js';

/** How long something that should come at once may take; less than the 5 seconds of Node's `keepAliveTimeout`. */
export const DEADLINE = 4_000;

/** A library under test, in a process of its own. */
export class Subject {
  port = 0;
  stopped = false;
  /** What the app has told, oldest first. */
  readonly told: string[] = [];
  readonly #child: ChildProcess;
  readonly #clients: RawClient[] = [];
  #memory: Memory | undefined;
  #stderr = '';

  constructor(candidate: string, app: AppName) {
    this.#child = fork(new URL('./child.ts', import.meta.url), [candidate, app], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#child.on('message', (message: FromChild) => {
      if (message === 'stopped') this.stopped = true;
      else if ('told' in message) this.told.push(message.told);
      else if ('memory' in message) this.#memory = message.memory;
      else this.port = message.port;
    });
  }

  /** Whether it listens; `false` when it has died at its start. */
  async start(): Promise<boolean> {
    await until(() => this.port !== 0 || this.hasDied, 30_000);
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

  /** Connects and sends a handshake, or what `options` says. */
  async knock(options: RawClientOptions = {}): Promise<RawClient> {
    const client = await connectRaw(this.port, { path: '/ws', ...options });
    this.#clients.push(client);
    return client;
  }

  /** Connects and waits for the 101. */
  async open(options?: RawClientOptions): Promise<RawClient> {
    const client = await this.knock(options);
    const { status } = await client.response(DEADLINE);
    if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
    return client;
  }

  /** Whether a client that behaves, and speaks only after the middleware of `guarded` has decided, gets its answer. */
  async serves(path = '/ws'): Promise<boolean> {
    try {
      const client = await this.knock({ path });
      if ((await client.response(DEADLINE)).status !== 101) return false;
      await new Promise((resolve) => setTimeout(resolve, 2 * DECISION));
      client.write(text('Hello'));
      return await gets(client, 'Hello');
    } catch {
      return false;
    }
  }

  /** Whether the app has told this in time. */
  tells(what: string, deadline = DEADLINE): Promise<boolean> {
    return until(() => this.told.includes(what), deadline);
  }

  /** Memory of the process; rejects when it does not answer in time. */
  async memory(): Promise<Memory> {
    this.#memory = undefined;
    this.#send('memory');
    await until(() => this.#memory !== undefined || this.hasDied, 30_000);
    if (this.#memory === undefined) throw new Error('the process does not answer');
    return this.#memory;
  }

  stop(): void {
    this.#send('stop');
  }

  closeAllConnections(): void {
    this.#send('closeAllConnections');
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    if (this.hasDied) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message);
  }
}

/** Whether this message comes in time. */
export async function gets(client: RawClient, message: string, deadline = DEADLINE): Promise<boolean> {
  const has = () => messagesOf(client).some(({ payload }) => payload.toString() === message);
  await client.until(has, message, deadline).catch(() => {});
  return has();
}

/** Whether `condition` holds in time. */
export async function until(condition: () => boolean, deadline = DEADLINE): Promise<boolean> {
  const end = performance.now() + deadline;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  return condition();
}
