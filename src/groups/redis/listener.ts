import { randomBytes } from 'node:crypto';
import { debug } from '../../shared/notices.js';
import { now } from '../../shared/real-timers.js';
import { closedError, cutOffError, isReply, refusedError } from './faults.js';
import type { RedisPort, RedisSubscriber } from './port.js';
import type { RedisSender } from './sender.js';
import { spreadOverSlots } from './slots.js';
import { Subscriptions } from './subscriptions.js';

/** One for a server; on a cluster, so many that each node has one (up to 16 nodes of equal size). */
const PROBES_IN_CLUSTER = 16;

export interface ListenerOptions {
  readonly port: RedisPort;
  readonly sender: RedisSender;
  readonly prefix: string;
  readonly timeout: number;
  readonly message: (channel: string, data: Buffer) => void;
  /** Whether messages arrive may have changed. */
  readonly changed: (error?: unknown) => void;
}

/**
 * The connection that we listen on, and whether it hears.
 *
 * What a client says about itself is not enough: a connection may be dead without a sign, and a cluster's client may have
 * lost one of many. So we send a message to ourselves now and then, over the same way as everybody's. The connection
 * holds while these messages arrive; one that brings none is replaced.
 */
export class RedisListener {
  readonly #options: ListenerOptions;
  readonly #subscriptions: Subscriptions;
  readonly #probes: Map<string, number>;
  #subscriber: RedisSubscriber;
  // Counts the subscribers, so that what an old one tells is not taken for the new one's.
  #generation = 0;
  // When the subscriber was opened, or a batch of subscriptions was answered.
  #progressed = 0;
  #state: 'deaf' | 'restoring' | 'refused' | 'probing' | 'hears' | 'closed' = 'deaf';
  // The probes: their number, when they were sent, and whether they still may come.
  #round = 0;
  #asked = 0;
  #isUnderWay = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const stem = `${options.prefix}:probe:${randomBytes(9).toString('base64url')}:`;
    const names = options.port.isCluster ? spreadOverSlots(stem, PROBES_IN_CLUSTER) : [`${stem}0`];
    this.#probes = new Map(names.map((name) => [name, 0]));
    this.#subscriptions = new Subscriptions(names, () => (this.#progressed = now()));
    this.#subscriber = this.#open();
  }

  hears(): boolean {
    return this.#state === 'hears';
  }

  /** Whether it is connected and subscribed, if it hears or not. */
  isRestored(): boolean {
    return this.#state === 'probing' || this.#state === 'hears';
  }

  async subscribe(channel: string): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state !== 'hears') throw cutOffError(new Error('the subscriptions are not in force'));
    try {
      await this.#subscriptions.add(channel);
    } catch (error) {
      throw isReply(error) ? refusedError(error) : cutOffError(error);
    }
  }

  /** From now on nothing is delivered for the channel. */
  unsubscribe(channel: string): void {
    this.#subscriptions.delete(channel);
  }

  /** Called when something about a connection has changed, and now and then. */
  check(error?: unknown): void {
    if (this.#state === 'closed') return;
    if (!this.#subscriber.isReady()) {
      if (this.#state !== 'deaf') this.#becomeDeaf(error);
      return;
    }
    if (!this.#options.sender.isConnected()) {
      this.#isUnderWay = false;
      // Its next connection has to show that it brings messages: what a client sends again may cost it that one, too.
      if (this.#state === 'hears') this.#state = 'probing';
    }
    if (this.#state === 'deaf') void this.#restore();
    else if (this.#state === 'probing' && !this.#isUnderWay) this.#probe();
  }

  /** Called now and then: sends the next probe, and judges the one before. */
  checkTime(): void {
    const { sender, timeout } = this.#options;
    const late = now() - this.#asked >= timeout;
    const { askedSince } = this.#subscriptions;
    if (askedSince !== undefined && now() - askedSince >= timeout)
      this.#subscriptions.rejectWaiters(new Error(`Redis has not answered for ${timeout} ms`));
    switch (this.#state) {
      case 'hears':
      case 'probing':
        if (this.#allCame() || sender.isRefused()) this.#probe();
        else if (late && sender.isReady())
          this.#replace(new Error(`no message of our own came for ${timeout} ms`));
        else if (late) this.#probe();
        break;
      case 'refused':
        void this.#restore();
        break;
      case 'deaf':
      case 'restoring':
        // Its client has given up, or Redis does not answer.
        if (now() - this.#progressed >= 2 * timeout) this.#replace(undefined);
    }
  }

  close(): void {
    this.#state = 'closed';
    this.#subscriptions.suspend(closedError());
    this.#generation++;
    this.#subscriber.close();
  }

  #open(): RedisSubscriber {
    const generation = ++this.#generation;
    this.#progressed = now();
    return this.#options.port.openSubscriber({
      message: (channel, data) => {
        if (generation === this.#generation) this.#receive(channel, data);
      },
      // On a later turn: a client tells of an end before it has put itself in order.
      changed: (error) =>
        process.nextTick(() => {
          if (generation !== this.#generation) return;
          this.check(error);
          this.#options.changed(error);
        }),
    });
  }

  #replace(error: Error | undefined): void {
    debug('the connection for subscriptions is replaced: %s', error?.message ?? 'it did not come back');
    const old = this.#subscriber;
    this.#becomeDeaf(error);
    this.#subscriber = this.#open();
    old.close();
    this.#options.changed(error);
  }

  #becomeDeaf(error: unknown): void {
    this.#state = 'deaf';
    this.#options.sender.doubt();
    this.#subscriptions.suspend(error ?? new Error('the connection for subscriptions is lost'));
    debug('the connection for subscriptions hears nothing: %o', error);
  }

  async #restore(): Promise<void> {
    const subscriber = this.#subscriber;
    this.#state = 'restoring';
    this.#progressed = now();
    const isOutdated = (): boolean => subscriber !== this.#subscriber || this.#state !== 'restoring';
    try {
      await this.#subscriptions.restore(subscriber);
      if (isOutdated()) return;
      this.#state = 'probing';
      this.#probe();
    } catch (error) {
      if (isOutdated()) return;
      this.#state = 'refused';
      this.#options.changed(isReply(error) ? refusedError(error) : error);
    }
  }

  /** Sends ourselves the number of a new round, over each probe's channel. */
  #probe(): void {
    if (!this.#options.sender.isConnected()) return;
    const round = ++this.#round;
    this.#asked = now();
    this.#isUnderWay = true;
    const data = Buffer.from(String(round));
    for (const channel of this.#probes.keys()) void this.#probeOver(channel, data);
  }

  async #probeOver(channel: string, data: Buffer): Promise<void> {
    const { sender, changed } = this.#options;
    try {
      if (await sender.askRole(channel)) await sender.try((port) => port.publish(channel, data));
    } catch (error) {
      changed(error);
    }
  }

  #allCame(): boolean {
    for (const round of this.#probes.values()) if (round < this.#round) return false;
    return true;
  }

  #receive(channel: string, data: Buffer): void {
    const round = this.#probes.get(channel);
    if (round === undefined) {
      if (this.#subscriptions.has(channel)) this.#options.message(channel, data);
      return;
    }
    this.#probes.set(channel, Math.max(round, Number(data.toString())));
    if (this.#state !== 'probing' || !this.#allCame()) return;
    this.#state = 'hears';
    this.#options.changed();
  }
}
