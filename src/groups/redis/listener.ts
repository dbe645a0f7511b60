import { randomBytes } from 'node:crypto';
import { debug } from '../../notices.js';
import { now } from '../../real-timers.js';
import { closedError, cutOffError, isReply, refusedError } from './faults.js';
import type { RedisPort, RedisSubscriber } from './port.js';
import type { RedisSender } from './sender.js';
import { spreadOverSlots } from './slots.js';

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
 * What a client says about itself is not enough: a connection may be dead without a sign, a cluster's client may have lost
 * one of many. So we send a message to ourselves now and then, over the same way as everybody's, and the connection is
 * as good as that message. One that stays deaf is replaced.
 */
export class RedisListener {
  readonly #options: ListenerOptions;
  readonly #wanted = new Set<string>();
  readonly #probes: Map<string, number>;
  #subscriber: RedisSubscriber;
  // Counts the subscribers, so that what an old one tells is not taken for the new one's.
  #generation = 0;
  #opened = 0;
  #state: 'deaf' | 'restoring' | 'probing' | 'hears' | 'closed' = 'deaf';
  readonly #aborts = new Set<(error: unknown) => void>();
  // The probes: their number, when they were sent, and whether they still may come.
  #round = 0;
  #asked = 0;
  #isUnderWay = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const stem = `${options.prefix}:probe:${randomBytes(9).toString('base64url')}:`;
    const names = options.port.isCluster ? spreadOverSlots(stem, PROBES_IN_CLUSTER) : [`${stem}0`];
    this.#probes = new Map(names.map((name) => [name, 0]));
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
    this.#wanted.add(channel);
    try {
      await this.#whileHearing(this.#subscriber.subscribe([channel]));
    } catch (error) {
      this.#wanted.delete(channel);
      throw isReply(error) ? refusedError(error) : cutOffError(error);
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    if (!this.#wanted.delete(channel) || !this.#subscriber.isReady()) return;
    await this.#whileHearing(this.#subscriber.unsubscribe(channel));
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
    if (this.#state === 'closed') return;
    const late = now() - this.#asked >= timeout;
    if (this.#state === 'hears' || this.#state === 'probing') {
      if (this.#allCame()) this.#probe();
      else if (late && sender.isReady())
        this.#replace(new Error(`no message of our own came for ${timeout} ms`));
      else if (late) this.#probe();
      return;
    }
    // Its client has given up, or restoring fails again and again.
    if (now() - this.#opened >= 2 * timeout) this.#replace(undefined);
  }

  close(): void {
    this.#state = 'closed';
    this.#abort(closedError());
    this.#generation++;
    this.#subscriber.close();
  }

  #open(): RedisSubscriber {
    const generation = ++this.#generation;
    this.#opened = now();
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
    this.#abort(error ?? new Error('the connection for subscriptions is lost'));
    debug('the connection for subscriptions hears nothing: %o', error);
  }

  // A client may keep a command for ever when its connection is lost.
  async #whileHearing(command: Promise<unknown>): Promise<void> {
    let abort!: (error: unknown) => void;
    const aborted = new Promise<never>((_resolve, reject) => (abort = reject));
    this.#aborts.add(abort);
    try {
      await Promise.race([command, aborted]);
    } finally {
      this.#aborts.delete(abort);
    }
  }

  #abort(error: unknown): void {
    for (const abort of this.#aborts) abort(error);
  }

  async #restore(): Promise<void> {
    const subscriber = this.#subscriber;
    this.#state = 'restoring';
    const isOutdated = (): boolean => subscriber !== this.#subscriber || this.#state !== 'restoring';
    try {
      await subscriber.subscribe([...this.#probes.keys(), ...this.#wanted]);
      if (isOutdated()) return;
      this.#state = 'probing';
      this.#probe();
    } catch (error) {
      // Tried again by `checkTime`, with a new connection.
      if (!isOutdated()) this.#options.changed(isReply(error) ? refusedError(error) : error);
    }
  }

  /** Sends ourselves the number of a new round, over each probe's channel. */
  #probe(): void {
    if (!this.#options.sender.isConnected()) return;
    const round = ++this.#round;
    this.#asked = now();
    this.#isUnderWay = true;
    const data = Buffer.from(String(round));
    for (const channel of this.#probes.keys()) {
      this.#options.sender
        .try((port) => port.publish(channel, data))
        .catch((error: unknown) => this.#options.changed(error));
    }
  }

  #allCame(): boolean {
    for (const round of this.#probes.values()) if (round < this.#round) return false;
    return true;
  }

  #receive(channel: string, data: Buffer): void {
    if (!this.#probes.has(channel)) {
      if (this.#wanted.has(channel)) this.#options.message(channel, data);
      return;
    }
    this.#probes.set(channel, Number(data.toString()));
    if (this.#state !== 'probing' || !this.#allCame()) return;
    this.#state = 'hears';
    this.#options.changed();
  }
}
