import { debug } from '../../shared/notices.js';
import { now } from '../../shared/real-timers.js';
import {
  closedError,
  cutOffError,
  REPLICA_ERROR,
  isReplica,
  isForbidden,
  isReply,
  refusedError,
} from './faults.js';
import type { OwnPort, RedisPort } from './port.js';

/** A command for Redis, with the callbacks for its result. Exactly one of the two callbacks is called, once. */
export interface Command {
  /** When the sender passed the command to the client. */
  since: number;
  run(port: RedisPort): Promise<unknown>;
  answered(reply: unknown): void;
  failed(error: Error): void;
}

export interface SenderOptions {
  readonly port: RedisPort;
  readonly timeout: number;
  /** Returns whether a node that replies to a write with this error is unusable. */
  readonly isUnusable: (error: unknown) => boolean;
  readonly changed: (error?: unknown) => void;
}

/**
 * Sends commands to Redis over the user's client.
 *
 * During an outage, clients queue commands without a time limit. So the sender passes no command to a disconnected client,
 * and no command waits longer than `timeout` for its reply.
 *
 * In two cases the sender opens its own connection instead. First, the client does not answer although Redis is reachable
 * (node-redis 5.9 sometimes treats a dead connection as alive). Second, the master of the client has become a replica.
 */
export class RedisSender {
  readonly #options: SenderOptions;
  #unwatch: (() => void) | undefined;
  readonly #pending = new Set<Command>();
  #ownPort: OwnPort | undefined;
  #ownPortSince = 0;
  // When the first command missed its timeout. Reset by the next reply.
  #stuckSince: number | undefined;
  #hasAnswered = false;
  // Why this node is unusable although it answers.
  #refusal: unknown;
  // A pending check of the connection. Other commands wait for it.
  #connectionCheck: Promise<unknown> | undefined;
  // Why the last connection was lost. Later commands fail with it, too.
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
    return this.#ownPort ?? this.#options.port;
  }

  /** Returns whether the client would send a command now, instead of queueing it. */
  isConnected(): boolean {
    return this.#port.isReady();
  }

  /** Returns whether the client is connected to a node that answers and is usable, as far as we know. */
  isReady(): boolean {
    return (
      !this.#isClosed && this.#stuckSince === undefined && this.#refusal === undefined && this.isConnected()
    );
  }

  /** Returns whether the node answers but is unusable. */
  isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Sends a command. While the connection is down, the command fails at once. It also fails when the connection breaks
   * before the reply; then Redis may have executed it.
   */
  post(command: Command): void {
    if (this.#isClosed) command.failed(closedError());
    else if (!this.isReady()) command.failed(cutOffError(this.unavailableReason()));
    else if (this.#connectionCheck === undefined) this.#send(command);
    else void this.#connectionCheck.then(() => this.post(command));
  }

  /** Sends a command like `post`, and returns a promise of the reply. */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => this.post(new Call(command, resolve, reject)));
  }

  /** Sends a command like `run`, but also over a connection that has not answered, to test it. */
  try(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => this.#send(new Call(command, resolve, reject)));
  }

  /**
   * Pings Redis, and delays all other commands until the reply.
   *
   * Called when the connection for subscriptions is lost, because this connection may be dead, too. After the outage,
   * ioredis would repeat commands that we have already reported as failed.
   */
  verifyConnection(): void {
    if (this.#connectionCheck !== undefined || !this.isReady()) return;
    const end = (): void => void (this.#connectionCheck = undefined);
    this.#connectionCheck = this.try((port) => port.ping()).then(end, end);
  }

  /**
   * Asks the node of this key whether it accepts writes. Resolves with whether the node is usable.
   *
   * A master that has become a replica keeps its connections open. It still accepts PUBLISH, but the message reaches no
   * other process. Deleting a key that does not exist is a write that changes nothing and needs no memory.
   */
  async askRole(key: string): Promise<boolean> {
    let refusal: unknown;
    try {
      await this.try((port) => port.command(key, ['DEL', key]));
    } catch (error) {
      refusal = isForbidden(error) ? await this.#askRoleByName(key) : error;
    }
    if (refusal instanceof Error && !isReply(refusal)) throw refusal;
    if (refusal !== undefined && this.#options.isUnusable(refusal)) {
      this.#refuse(refusal);
      return false;
    }
    // With any other reply the node is usable.
    this.#accept();
    return true;
  }

  /**
   * Fails all pending commands, because the connection is lost. The state of the lost connection does not count for the next
   * one.
   *
   * @param error Why the connection is lost, if known.
   */
  lost(error: unknown): void {
    this.#stuckSince = undefined;
    this.#loss = error ?? this.#loss;
    this.#failAll(this.unavailableReason());
  }

  /** Checks for late replies. Called regularly. `reachable` says that another connection reaches Redis. */
  checkTime(reachable: boolean): void {
    const { timeout } = this.#options;
    const time = now();
    const [oldest] = this.#pending;
    if (oldest !== undefined && time - oldest.since >= timeout) {
      this.#stuckSince ??= time;
      this.#failAll(this.unavailableReason());
    }
    if (!this.isConnected()) {
      // A client that the user closed stays closed. Our own connection is replaced if it does not connect.
      if (this.#ownPort !== undefined && time - this.#ownPortSince >= 2 * timeout) this.#replacePort();
    } else if (this.#stuckSince !== undefined) {
      if (reachable && time - this.#stuckSince >= timeout) this.#replacePort();
      else if (this.#pending.size === 0) this.try((port) => port.ping()).catch(ignore);
    } else if (
      this.#refusal !== undefined &&
      isReplica(this.#refusal) &&
      time - this.#ownPortSince >= timeout
    ) {
      this.#replacePort();
    }
  }

  unavailableReason(): unknown {
    const { timeout, port } = this.#options;
    if (this.#stuckSince !== undefined) return new Error(`Redis has not answered for ${timeout} ms`);
    if (this.#refusal !== undefined) return this.#refusal;
    const advice = this.#hasAnswered ? '' : `; ${port.connectAdvice}`;
    return this.#loss ?? new Error(`the Redis client is not connected${advice}`);
  }

  /** Resolves when all pending commands have ended. `checkTime` ensures that they do. */
  async close(): Promise<void> {
    // Commands that wait for the check are pending only afterwards.
    await this.#connectionCheck;
    this.#isClosed = true;
    if (this.#pending.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#unwatch?.();
    this.#ownPort?.close();
  }

  #send(command: Command): void {
    const port = this.#port;
    command.since = now();
    this.#pending.add(command);
    command.run(port).then(
      (reply) => {
        if (port === this.#port) this.#noteAnswer();
        if (this.#removePending(command)) command.answered(reply);
      },
      (error: unknown) => {
        const isAnswer = isReply(error);
        if (isAnswer && port === this.#port) {
          this.#noteAnswer();
          if (isReplica(error)) this.#refuse(error);
        }
        if (this.#removePending(command)) command.failed(isAnswer ? refusedError(error) : cutOffError(error));
      },
    );
  }

  /** Removes a command. Returns `false` if it was not pending any more. */
  #removePending(command: Command): boolean {
    if (!this.#pending.delete(command)) return false;
    if (this.#pending.size === 0) this.#whenIdle?.();
    return true;
  }

  #noteAnswer(): void {
    this.#stuckSince = undefined;
    this.#hasAnswered = true;
    this.#loss = undefined;
  }

  #refuse(reason: unknown): void {
    const isNews = this.#refusal === undefined;
    this.#refusal = reason;
    if (isReplica(reason) && now() - this.#ownPortSince >= this.#options.timeout) this.#replacePort();
    if (isNews) this.#options.changed(reason);
  }

  #accept(): void {
    if (this.#refusal === undefined) return;
    this.#refusal = undefined;
    this.#options.changed();
  }

  #replacePort(): void {
    debug('the Redis client is unusable; opening another connection with its settings');
    const { port, changed } = this.#options;
    this.#ownPort?.close();
    this.#ownPort = port.derive();
    this.#ownPortSince = now();
    this.#ownPort.watch(changed);
    this.lost(this.unavailableReason());
  }

  #failAll(error: unknown): void {
    if (this.#pending.size === 0) return;
    const failed = [...this.#pending];
    this.#pending.clear();
    this.#port.forget();
    for (const command of failed) command.failed(cutOffError(error));
    this.#whenIdle?.();
  }

  /** Asks for the role of a node, for Redis users without write permission. Resolves with the error, if any. */
  async #askRoleByName(key: string): Promise<unknown> {
    try {
      const [role] = (await this.try((port) => port.command(key, ['ROLE']))) as unknown[];
      return String(role) === 'slave' ? new Error(REPLICA_ERROR) : undefined;
    } catch (error) {
      return error;
    }
  }
}

function ignore(): void {
  // Only a reply matters, and `#send` records it.
}

/** A command that settles a promise. */
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
