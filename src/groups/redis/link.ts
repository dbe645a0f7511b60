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
  /** Whether a node that answers a write with this error cannot be used. */
  readonly isUnusable: (error: unknown) => boolean;
}

/** What a link tells; channels are names of groups. */
export interface LinkEvents extends Pick<BackplaneEvents, 'cutOff' | 'back' | 'message'> {
  /** Commands can be sent again (or for the first time). */
  readonly ready: () => void;
}

/** The connection with Redis, in both directions, and whether it holds. */
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
  #known!: () => void;
  readonly #isKnown = new Promise<void>((resolve) => (this.#known = resolve));
  #startingTicks = 0;
  #lastError: unknown;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#port = openPort(options.client, options.backplane);
    this.#channelPrefix = `${options.prefix}:group:`;
    // On a later turn: a client tells of an end before it has put itself in order.
    const changed = (error?: unknown): void => process.nextTick(() => this.#check(error));
    const { timeout, isUnusable } = options;
    this.#sender = new RedisSender({ port: this.#port, timeout, isUnusable, changed });
  }

  start(events: LinkEvents): void {
    if (this.#state !== 'new')
      throw new Error(`a ${this.#options.backplane} serves one createGroups(); make another`);
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

  /** Whether nothing has been heard of Redis yet; for as long as `timeout`. */
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

  /** Resolves when it is known for the first time whether Redis is there. */
  whenKnown(): Promise<void> {
    return this.#isKnown;
  }

  channelOf(group: string): string {
    return this.#channelPrefix + group;
  }

  /** Sends a command; it fails at once while it cannot be sent. */
  post(command: Command): void {
    this.#sender.post(command);
  }

  /** As `post`, for one who waits for the reply. */
  run(command: (port: RedisPort) => Promise<unknown>): Promise<unknown> {
    return this.#sender.run(command);
  }

  async subscribe(group: string): Promise<void> {
    await this.#isKnown;
    if (this.#listener === undefined || this.#state === 'closed') throw closedError();
    await this.#listener.subscribe(this.channelOf(group));
  }

  /** From now on nothing comes for the group. */
  unsubscribe(group: string): void {
    this.#listener?.unsubscribe(this.channelOf(group));
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#listener?.close();
    this.#state = 'closed';
    this.#known();
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
    const isUp = isReady && this.#listener?.hears() === true;
    if (isUp) this.#becomeUp(error);
    // At the start an error is the answer to the question whether Redis is there; until it comes there is hope.
    else if (this.#state === 'up' || (this.#state === 'starting' && error !== undefined)) this.#becomeCut();
  }

  #becomeUp(error: unknown): void {
    const before = this.#state;
    this.#state = 'up';
    this.#known();
    // A client tells of an error just before it loses its connection by it.
    this.#lastError = error;
    if (before === 'cut') this.#events?.back();
  }

  #becomeCut(): void {
    this.#state = 'cut';
    this.#known();
    const cause = this.#lastError ?? this.#whyCut();
    this.#events?.cutOff(cutOffError(cause));
  }

  #whyCut(): unknown {
    return this.#sender.isReady()
      ? new Error('the connection for subscriptions is lost')
      : this.#sender.whyNot();
  }
}
