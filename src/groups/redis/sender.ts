import { now } from '../../real-timers.js';
import { closedError, cutOffError, isReply, refusedError } from './faults.js';
import type { RedisPort } from './port.js';

/**
 * Our way to the user's connection.
 *
 * The clients keep commands in a queue of their own while the server is away, for ever if need be. So nothing is given to
 * a client that is not connected, and nobody waits longer than `timeout` for an answer.
 */
export class RedisSender {
  readonly #port: RedisPort;
  readonly #timeout: number;
  readonly #pending = new Set<Pending>();
  // Commands were not answered in time; so until one is.
  #isStuck = false;
  #isClosed = false;

  constructor(port: RedisPort, timeout: number) {
    this.#port = port;
    this.#timeout = timeout;
  }

  /** Whether a command would go out and be answered, as far as we know. */
  isReady(): boolean {
    return !this.#isClosed && !this.#isStuck && this.#port.isReady();
  }

  /**
   * Runs a command. Rejects at once while the connection is down, and when it breaks before the answer: then nobody
   * knows whether Redis had taken it.
   */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (!this.isReady()) return Promise.reject(cutOffError(this.whyNot()));
    return this.try(command);
  }

  /** As `run`, but also on a connection that has not answered, to find out when it does. */
  try(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    const pending = new Pending();
    this.#pending.add(pending);
    command(this.#port).then(
      (reply) => {
        this.#isStuck = false;
        this.#pending.delete(pending);
        pending.resolve(reply);
      },
      (error: unknown) => {
        const answered = isReply(error);
        if (answered) this.#isStuck = false;
        this.#pending.delete(pending);
        pending.reject(answered ? refusedError(error) : cutOffError(error));
      },
    );
    return pending.promise;
  }

  /** The connection is lost: what it took with it is not waited for, and the next one is not judged by it. */
  lost(error: unknown): void {
    this.#isStuck = false;
    this.#failAll(error);
  }

  /** Called now and then: whether answers are late, or come again. */
  checkTime(): void {
    const [oldest] = this.#pending;
    if (oldest === undefined) {
      if (this.#isStuck && this.#port.isReady()) this.try((port) => port.ping()).catch(ignore);
    } else if (now() - oldest.since >= this.#timeout) {
      this.#isStuck = true;
      this.#failAll(this.whyNot());
    }
  }

  whyNot(): Error {
    if (this.#isStuck) return new Error(`Redis has not answered for ${this.#timeout} ms`);
    return new Error('the client of Redis is not connected');
  }

  /** Resolves when all that is under way has come to an end, which `checkTime` sees to. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#pending].map(({ promise }) => promise));
    this.#isClosed = true;
  }

  #failAll(error: unknown): void {
    for (const pending of this.#pending) pending.reject(cutOffError(error));
    this.#pending.clear();
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
