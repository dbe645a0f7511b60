import { debug } from '../../shared/notices.js';
import { now } from '../../shared/real-timers.js';
import {
  closedError,
  cutOffError,
  DEMOTED,
  isDemoted,
  isForbidden,
  isReply,
  refusedError,
} from './faults.js';
import type { OwnPort, RedisPort } from './port.js';

/** A command for Redis, and what its sender wants to know of it. Exactly one of the two callbacks is called, once. */
export interface Command {
  /** When it was given to the client; set by the sender. */
  since: number;
  run(port: RedisPort): Promise<unknown>;
  answered(reply: unknown): void;
  failed(error: Error): void;
}

export interface SenderOptions {
  readonly port: RedisPort;
  readonly timeout: number;
  /** Whether an answer to the question for the role says that this node cannot be used. */
  readonly isUnusable: (error: unknown) => boolean;
  readonly changed: (error?: unknown) => void;
}

/**
 * Our way to Redis, over the user's client.
 *
 * The clients keep commands in a queue of their own while the server is away, for ever if need be. So nothing is given to
 * a client that is not connected, and nobody waits longer than `timeout` for an answer.
 *
 * Two kinds of client are passed by, with a connection of our own: one that does not answer although Redis can be reached
 * (node-redis 5.9 takes a dead connection for a living one at times), and one that is connected to a master that has become
 * a replica.
 */
export class RedisSender {
  readonly #options: SenderOptions;
  #unwatch: (() => void) | undefined;
  readonly #pending = new Set<Command>();
  #own: OwnPort | undefined;
  #ownSince = 0;
  // Since when commands are not answered in time; until one is.
  #stuckSince: number | undefined;
  #hasAnswered = false;
  // Why this node cannot be used, although it answers.
  #refusal: unknown;
  // Whether the connection holds, while that is in doubt; then nothing goes out before it has answered.
  #doubt: Promise<unknown> | undefined;
  // What the last connection was lost by; those who ask later are told it, too.
  #loss: unknown;
  #isClosed = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unwatch = this.#options.port.watch(this.#options.changed);
  }

  get #port(): RedisPort {
    return this.#own ?? this.#options.port;
  }

  /** Whether a command would go out, and not wait in the client's queue. */
  isConnected(): boolean {
    return this.#port.isReady();
  }

  /** Whether a command would go out and be answered by a node that can be used, as far as we know. */
  isReady(): boolean {
    return (
      !this.#isClosed && this.#stuckSince === undefined && this.#refusal === undefined && this.isConnected()
    );
  }

  /** Whether the node answers and cannot be used. */
  isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Sends a command. It fails at once while the connection is down, and when the connection breaks before the answer:
   * then nobody knows whether Redis had taken it.
   */
  post(command: Command): void {
    if (this.#isClosed) command.failed(closedError());
    else if (!this.isReady()) command.failed(cutOffError(this.whyNot()));
    else if (this.#doubt === undefined) this.#send(command);
    else void this.#doubt.then(() => this.post(command));
  }

  /** As `post`, for one who waits for the reply. */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => this.post(new Call(command, resolve, reject)));
  }

  /** As `run`, but also on a connection that has not answered, to find out when it does. */
  try(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => this.#send(new Call(command, resolve, reject)));
  }

  /**
   * Checks that the connection holds before it sends anything else. Called when the connection for subscriptions is
   * lost: this one may be lost as well without having noticed, and ioredis would send again after the outage what we
   * have called refused.
   */
  doubt(): void {
    if (this.#doubt !== undefined || !this.isReady()) return;
    const end = (): void => void (this.#doubt = undefined);
    this.#doubt = this.try((port) => port.ping()).then(end, end);
  }

  /**
   * Asks the node that has this key whether it takes writes; resolves with whether this node can be used.
   *
   * A master that has become a replica goes on to take PUBLISH, which then reaches nobody else (and its connections stay
   * open). Deleting a key that is not there is a write that changes nothing, and needs no memory.
   */
  async askRole(key: string): Promise<boolean> {
    let answer: unknown;
    try {
      await this.try((port) => port.command(key, ['DEL', key]));
    } catch (error) {
      answer = isForbidden(error) ? await this.#askRoleByName(key) : error;
    }
    if (answer instanceof Error && !isReply(answer)) throw answer;
    if (answer !== undefined && this.#options.isUnusable(answer)) {
      this.#refuse(answer);
      return false;
    }
    // Whatever else it says, the node can be used.
    this.#accept();
    return true;
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
    const { timeout } = this.#options;
    const time = now();
    const [oldest] = this.#pending;
    if (oldest !== undefined && time - oldest.since >= timeout) {
      this.#stuckSince ??= time;
      this.#failAll(this.whyNot());
    }
    if (!this.isConnected()) {
      // A client that the user closed stays closed; one of ours that does not connect is replaced.
      if (this.#own !== undefined && time - this.#ownSince >= 2 * timeout) this.#passBy();
    } else if (this.#stuckSince !== undefined) {
      if (reachable && time - this.#stuckSince >= timeout) this.#passBy();
      else if (this.#pending.size === 0) this.try((port) => port.ping()).catch(ignore);
    } else if (this.#refusal !== undefined && isDemoted(this.#refusal) && time - this.#ownSince >= timeout) {
      this.#passBy();
    }
  }

  whyNot(): unknown {
    const { timeout, port } = this.#options;
    if (this.#stuckSince !== undefined) return new Error(`Redis has not answered for ${timeout} ms`);
    if (this.#refusal !== undefined) return this.#refusal;
    const cure = this.#hasAnswered ? '' : `; ${port.connectCure}`;
    return this.#loss ?? new Error(`the client of Redis is not connected${cure}`);
  }

  /** Resolves when all that is under way has come to an end, which `checkTime` sees to. */
  async close(): Promise<void> {
    // What waits for the doubt to end is under way only afterwards.
    await this.#doubt;
    this.#isClosed = true;
    if (this.#pending.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#unwatch?.();
    this.#own?.close();
  }

  #send(command: Command): void {
    const port = this.#port;
    command.since = now();
    this.#pending.add(command);
    command.run(port).then(
      (reply) => {
        if (port === this.#port) this.#answered();
        if (this.#take(command)) command.answered(reply);
      },
      (error: unknown) => {
        const isAnswer = isReply(error);
        if (isAnswer && port === this.#port) {
          this.#answered();
          if (isDemoted(error)) this.#refuse(error);
        }
        if (this.#take(command)) command.failed(isAnswer ? refusedError(error) : cutOffError(error));
      },
    );
  }

  /** Whether somebody still waits for the command; now nobody does. */
  #take(command: Command): boolean {
    if (!this.#pending.delete(command)) return false;
    if (this.#pending.size === 0) this.#whenIdle?.();
    return true;
  }

  #answered(): void {
    this.#stuckSince = undefined;
    this.#hasAnswered = true;
    this.#loss = undefined;
  }

  #refuse(reason: unknown): void {
    const isNews = this.#refusal === undefined;
    this.#refusal = reason;
    if (isDemoted(reason) && now() - this.#ownSince >= this.#options.timeout) this.#passBy();
    if (isNews) this.#options.changed(reason);
  }

  #accept(): void {
    if (this.#refusal === undefined) return;
    this.#refusal = undefined;
    this.#options.changed();
  }

  #passBy(): void {
    debug('the client of Redis cannot be used; groups open a connection of their own');
    const { port, changed } = this.#options;
    this.#own?.close();
    this.#own = port.derive();
    this.#ownSince = now();
    this.#own.watch(changed);
    this.lost(this.whyNot());
  }

  #failAll(error: unknown): void {
    if (this.#pending.size === 0) return;
    const failed = [...this.#pending];
    this.#pending.clear();
    this.#port.forget();
    for (const command of failed) command.failed(cutOffError(error));
    this.#whenIdle?.();
  }

  /** The role of a node, for users who may not write there; `undefined` when they may not ask either. */
  async #askRoleByName(key: string): Promise<unknown> {
    try {
      const [role] = (await this.try((port) => port.command(key, ['ROLE']))) as unknown[];
      return String(role) === 'slave' ? new Error(DEMOTED) : undefined;
    } catch (error) {
      return error;
    }
  }
}

function ignore(): void {
  // Its answer is what counts.
}

/** A command of which a promise tells the end. */
class Call implements Command {
  since = 0;
  readonly run: Command['run'];
  readonly answered: Command['answered'];
  readonly failed: Command['failed'];

  constructor(run: Command['run'], answered: Command['answered'], failed: Command['failed']) {
    this.run = run;
    this.answered = answered;
    this.failed = failed;
  }
}
