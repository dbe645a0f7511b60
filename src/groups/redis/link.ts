import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import type { BackplaneEvents } from '../backplane.js';
import { closedError, cutOffError } from './faults.js';
import { RedisListener } from './listener.js';
import { openPort } from './open-port.js';
import type { RedisClient, RedisPort } from './port.js';
import { type Command, RedisSender } from './sender.js';

export interface LinkOptions {
  readonly client: RedisClient;
  readonly backplane: string;
  readonly prefix: string;
  readonly timeout: number;
  /** Returns whether a node that replies to a write with this error is unusable. */
  readonly isUnusable: (error: unknown) => boolean;
}

/** Receives the events of a link. Channels are the names of groups. */
export interface LinkEvents extends Pick<BackplaneEvents, 'cutOff' | 'back' | 'message'> {
  /** Called when commands can be sent for the first time, or again. */
  readonly ready: () => void;
}

/** Connects with Redis in both directions, and monitors both connections. */
export class RedisLink {
  readonly #options: LinkOptions;
  readonly #port: RedisPort;
  readonly #channelPrefix: string;
  readonly #sender: RedisSender;
  #listener: RedisListener | undefined;
  #events: LinkEvents | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: 'new' | 'starting' | 'up' | 'cut' | 'closed' = 'new';
  #wasReady = false;
  #resolveKnown!: () => void;
  readonly #known = new Promise<void>((resolve) => (this.#resolveKnown = resolve));
  #startingTicks = 0;
  #lastError: unknown;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#port = openPort(options.client, options.backplane);
    this.#channelPrefix = `${options.prefix}:group:`;
    // On the next tick: a client emits its event before it has updated its own state.
    const changed = (error?: unknown): void => process.nextTick(() => this.#check(error));
    const { timeout, isUnusable } = options;
    this.#sender = new RedisSender({ port: this.#port, timeout, isUnusable, changed });
  }

  start(events: LinkEvents): void {
    if (this.#state !== 'new')
      throw new Error(`a ${this.#options.backplane} serves one createGroups(); create another backplane`);
    this.#state = 'starting';
    this.#events = events;
    this.#sender.start();
    this.#listener = new RedisListener({
      port: this.#port,
      sender: this.#sender,
      prefix: this.#options.prefix,
      timeout: this.#options.timeout,
      message: (channel, data) => events.message(channel.slice(this.#channelPrefix.length), data),
      changed: (error) => this.#check(error),
    });
    this.#tick();
    process.nextTick(() => this.#check());
  }

  get isCluster(): boolean {
    return this.#port.isCluster;
  }

  /** Whether Redis has neither answered nor failed since the start. False after `timeout` milliseconds. */
  isStarting(): boolean {
    return this.#state === 'starting';
  }

  /** Whether commands can be sent. */
  isReady(): boolean {
    return this.#sender.isReady();
  }

  /** Whether both directions work. */
  isUp(): boolean {
    return this.#state === 'up';
  }

  /** Resolves when the first connection attempt has succeeded or failed. */
  whenKnown(): Promise<void> {
    return this.#known;
  }

  channelOf(group: string): string {
    return this.#channelPrefix + group;
  }

  /** Sends a command. While the connection is down, the command fails at once. */
  post(command: Command): void {
    this.#sender.post(command);
  }

  /** Sends a command like `post`, and returns a promise of the reply. */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return this.#sender.run(command);
  }

  async subscribe(group: string): Promise<void> {
    await this.#known;
    if (this.#listener === undefined || this.#state === 'closed') throw closedError();
    await this.#listener.subscribe(this.channelOf(group));
  }

  /** Stops the delivery of messages for the group at once. */
  unsubscribe(group: string): void {
    this.#listener?.unsubscribe(this.channelOf(group));
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#listener?.close();
    this.#state = 'closed';
    this.#resolveKnown();
    await this.#sender.close();
    clearTimeout(this.#timer);
  }

  #tick(): void {
    const { timeout } = this.#options;
    this.#timer = setTimeout(() => {
      this.#tick();
      this.#sender.checkTime(this.#listener?.isRestored() === true);
      this.#listener?.checkTime();
      if (this.#state === 'starting' && ++this.#startingTicks >= 2) this.#becomeCut();
      this.#check();
    }, timeout / 2).unref();
  }

  #check(error?: unknown): void {
    if (error !== undefined) this.#lastError = error;
    if (!this.#sender.isConnected()) this.#sender.lost(this.#lastError);
    if (this.#state === 'closed') return;
    this.#listener?.check(error);
    const isReady = this.#sender.isReady();
    if (isReady && !this.#wasReady) this.#events?.ready();
    this.#wasReady = isReady;
    const isUp = isReady && this.#listener?.isReceiving() === true;
    if (isUp) this.#becomeUp(error);
    // During the start, only an error means an outage: the first connection attempt may still succeed.
    else if (this.#state === 'up' || (this.#state === 'starting' && error !== undefined)) this.#becomeCut();
  }

  #becomeUp(error: unknown): void {
    const before = this.#state;
    this.#state = 'up';
    this.#resolveKnown();
    // A client emits an error just before the connection breaks. So this error may explain the next outage.
    this.#lastError = error;
    if (before === 'cut') this.#events?.back();
  }

  #becomeCut(): void {
    this.#state = 'cut';
    this.#resolveKnown();
    const cause = this.#lastError ?? this.#outageReason();
    this.#events?.cutOff(cutOffError(cause));
  }

  #outageReason(): unknown {
    return this.#sender.isReady()
      ? new Error('the connection for subscriptions is lost')
      : this.#sender.unavailableReason();
  }
}
