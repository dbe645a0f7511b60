import { debug } from '../../notices.js';
import { now } from '../../real-timers.js';
import { closedError, cutOffError, isReply, refusedError } from './faults.js';
import type { OwnPort, RedisPort } from './port.js';

/**
 * Our way to Redis, over the user's client.
 *
 * The clients keep commands in a queue of their own while the server is away, for ever if need be. So nothing is given to
 * a client that is not connected, and nobody waits longer than `timeout` for an answer. A client that does not answer
 * although Redis can be reached (node-redis 5.9 takes a dead connection for a living one at times) is passed by: then we
 * open a connection of our own.
 */
export class RedisSender {
  readonly #users: RedisPort;
  readonly #timeout: number;
  readonly #changed: (error?: unknown) => void;
  #unwatch: (() => void) | undefined;
  readonly #pending = new Set<Pending>();
  #own: OwnPort | undefined;
  #ownSince = 0;
  // Since when commands are not answered in time; until one is.
  #stuckSince: number | undefined;
  #hasAnswered = false;
  // Whether the connection holds, while that is in doubt; then nothing goes out before it has answered.
  #doubt: Promise<unknown> | undefined;
  // What the last connection was lost by; those who ask later are told it, too.
  #loss: unknown;
  #isClosed = false;

  constructor(port: RedisPort, timeout: number, changed: (error?: unknown) => void) {
    this.#users = port;
    this.#timeout = timeout;
    this.#changed = changed;
  }

  start(): void {
    this.#unwatch = this.#users.watch(this.#changed);
  }

  get #port(): RedisPort {
    return this.#own ?? this.#users;
  }

  /** Whether a command would go out, and not wait in the client's queue. */
  isConnected(): boolean {
    return this.#port.isReady();
  }

  /** Whether a command would go out and be answered, as far as we know. */
  isReady(): boolean {
    return !this.#isClosed && this.#stuckSince === undefined && this.isConnected();
  }

  /**
   * Runs a command. Rejects at once while the connection is down, and when it breaks before the answer: then nobody
   * knows whether Redis had taken it.
   */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (!this.isReady()) return Promise.reject(cutOffError(this.whyNot()));
    return this.#doubt === undefined ? this.try(command) : this.#doubt.then(() => this.run(command));
  }

  /**
   * The connection that we listen on is lost. This one may be, too, without having heard of it, and ioredis would send
   * again after the outage what we have called refused. So it is asked first.
   */
  doubt(): void {
    if (this.#doubt !== undefined || !this.isReady()) return;
    this.#doubt = this.try((port) => port.ping());
    const end = (): void => void (this.#doubt = undefined);
    // Before those who wait for it, so that they find it ended, and what comes after them goes out after them.
    this.#doubt.then(end, end);
  }

  /** As `run`, but also on a connection that has not answered, to find out when it does. */
  try(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    const pending = new Pending();
    this.#pending.add(pending);
    command(this.#port).then(
      (reply) => {
        this.#answered();
        this.#pending.delete(pending);
        pending.resolve(reply);
      },
      (error: unknown) => {
        const answered = isReply(error);
        if (answered) this.#answered();
        this.#pending.delete(pending);
        pending.reject(answered ? refusedError(error) : cutOffError(error));
      },
    );
    return pending.promise;
  }

  /**
   * The connection is lost, and by what, if that is known: what it took with it is not waited for, and the next one is not
   * judged by it.
   */
  lost(error: unknown): void {
    this.#stuckSince = undefined;
    this.#loss = error ?? this.#loss;
    this.#failAll(this.whyNot());
  }

  /** Called now and then: whether answers are late, or come again. `reachable`: others do reach Redis. */
  checkTime(reachable: boolean): void {
    const time = now();
    const [oldest] = this.#pending;
    if (oldest !== undefined && time - oldest.since >= this.#timeout) {
      this.#stuckSince ??= time;
      this.#failAll(this.whyNot());
    }
    if (!this.isConnected()) {
      // A closed client of the user's is the user's will; one of ours that does not connect is replaced.
      if (this.#own !== undefined && time - this.#ownSince >= 2 * this.#timeout) this.#passBy();
    } else if (this.#stuckSince !== undefined) {
      if (reachable && time - this.#stuckSince >= this.#timeout) this.#passBy();
      else if (this.#pending.size === 0) this.try((port) => port.ping()).catch(ignore);
    }
  }

  #passBy(): void {
    debug('the client of Redis does not answer; groups open a connection of their own');
    this.#own?.close();
    this.#own = this.#users.derive();
    this.#ownSince = now();
    this.#own.watch(this.#changed);
    this.lost(this.whyNot());
  }

  whyNot(): unknown {
    if (this.#stuckSince !== undefined) return new Error(`Redis has not answered for ${this.#timeout} ms`);
    const cure = this.#hasAnswered ? '' : `; ${this.#users.connectCure}`;
    return this.#loss ?? new Error(`the client of Redis is not connected${cure}`);
  }

  #answered(): void {
    this.#stuckSince = undefined;
    this.#hasAnswered = true;
    this.#loss = undefined;
  }

  /** Resolves when all that is under way has come to an end, which `checkTime` sees to. */
  async close(): Promise<void> {
    // What waits for it is under way only afterwards.
    await this.#doubt?.then(ignore, ignore);
    await Promise.allSettled([...this.#pending].map(({ promise }) => promise));
    this.#isClosed = true;
    this.#unwatch?.();
    this.#own?.close();
  }

  #failAll(error: unknown): void {
    if (this.#pending.size === 0) return;
    for (const pending of this.#pending) pending.reject(cutOffError(error));
    this.#pending.clear();
    this.#port.forget();
  }
}

function ignore(): void {
  // Its answer is what counts.
}

/** A command without an answer yet. */
class Pending {
  readonly since = now();
  readonly promise: Promise<unknown>;
  resolve!: (reply: unknown) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
