import { randomBytes } from 'node:crypto';
import { debug } from '../../shared/notices.js';
import { now } from '../../shared/real-timers.js';
import { closedError, cutOffError, isReply, refusedError } from './faults.js';
import type { RedisPort, RedisSubscriber } from './port.js';
import type { RedisSender } from './sender.js';
import { spreadOverSlots } from './slots.js';
import { Subscriptions } from './subscriptions.js';

/** A server needs one probe. A cluster needs enough that each node has one (up to 16 nodes of equal size). */
const PROBES_IN_CLUSTER = 16;

export interface ListenerOptions {
  readonly port: RedisPort;
  readonly sender: RedisSender;
  readonly prefix: string;
  readonly timeout: number;
  readonly message: (channel: string, data: Buffer) => void;
  /** Called when `isReceiving` may have changed. */
  readonly changed: (error?: unknown) => void;
}

/**
 * Receives messages over the connection for subscriptions, and checks that they arrive.
 *
 * The state of the client is not enough. A connection may be dead without an event. The client of a cluster may have lost
 * one of many connections. So we regularly publish a message to ourselves (a probe), over the same path as all
 * messages. The connection is healthy while its probes arrive. If they do not arrive, the connection is replaced.
 */
export class RedisListener {
  readonly #options: ListenerOptions;
  readonly #subscriptions: Subscriptions;
  readonly #probes: Map<string, number>;
  #subscriber: RedisSubscriber;
  // Counts the subscribers, so that events of an old one are ignored.
  #generation = 0;
  // When the subscriber was opened, or a batch of subscriptions was answered.
  #progressed = 0;
  #state: 'down' | 'restoring' | 'refused' | 'probing' | 'receiving' | 'closed' = 'down';
  // The number of the last probes, when they were sent, and whether they may still arrive.
  #round = 0;
  #probedAt = 0;
  #isProbePending = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const stem = `${options.prefix}:probe:${randomBytes(9).toString('base64url')}:`;
    const names = options.port.isCluster ? spreadOverSlots(stem, PROBES_IN_CLUSTER) : [`${stem}0`];
    this.#probes = new Map(names.map((name) => [name, 0]));
    this.#subscriptions = new Subscriptions(names, () => (this.#progressed = now()));
    this.#subscriber = this.#open();
  }

  isReceiving(): boolean {
    return this.#state === 'receiving';
  }

  /** Whether it is connected and subscribed, even if no probe has arrived yet. */
  isRestored(): boolean {
    return this.#state === 'probing' || this.#state === 'receiving';
  }

  async subscribe(channel: string): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state !== 'receiving') throw cutOffError(new Error('the subscriptions are not active'));
    try {
      await this.#subscriptions.add(channel);
    } catch (error) {
      throw isReply(error) ? refusedError(error) : cutOffError(error);
    }
  }

  /** Stops the delivery of messages for the channel at once. */
  unsubscribe(channel: string): void {
    this.#subscriptions.delete(channel);
  }

  /** Checks the connections. Called after each change, and regularly. */
  check(error?: unknown): void {
    if (this.#state === 'closed') return;
    if (!this.#subscriber.isReady()) {
      if (this.#state !== 'down') this.#becomeDown(error);
      return;
    }
    if (!this.#options.sender.isConnected()) {
      this.#isProbePending = false;
      // Probe again after the reconnect: the commands that a client repeats may break its new connection, too.
      if (this.#state === 'receiving') this.#state = 'probing';
    }
    if (this.#state === 'down') void this.#restore();
    else if (this.#state === 'probing' && !this.#isProbePending) this.#probe();
  }

  /** Checks the last probe, and sends the next one. Called regularly. */
  checkTime(): void {
    const { sender, timeout } = this.#options;
    const late = now() - this.#probedAt >= timeout;
    const { askedSince } = this.#subscriptions;
    if (askedSince !== undefined && now() - askedSince >= timeout)
      this.#subscriptions.rejectWaiters(new Error(`Redis has not answered for ${timeout} ms`));
    switch (this.#state) {
      case 'receiving':
      case 'probing':
        if (this.#allProbesArrived() || sender.isRefused()) this.#probe();
        else if (late && sender.isReady())
          this.#replace(new Error(`our own messages have not arrived for ${timeout} ms`));
        else if (late) this.#probe();
        break;
      case 'refused':
        void this.#restore();
        break;
      case 'down':
      case 'restoring':
        // The client does not reconnect any more, or Redis does not answer.
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
      // On the next tick: a client emits its event before it has updated its own state.
      changed: (error) =>
        process.nextTick(() => {
          if (generation !== this.#generation) return;
          this.check(error);
          this.#options.changed(error);
        }),
    });
  }

  #replace(error: Error | undefined): void {
    debug('replacing the connection for subscriptions: %s', error?.message ?? 'it did not reconnect');
    const old = this.#subscriber;
    this.#becomeDown(error);
    this.#subscriber = this.#open();
    old.close();
    this.#options.changed(error);
  }

  #becomeDown(error: unknown): void {
    this.#state = 'down';
    this.#options.sender.verifyConnection();
    this.#subscriptions.suspend(error ?? new Error('the connection for subscriptions is lost'));
    debug('the connection for subscriptions is down: %o', error);
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

  /** Publishes the number of a new round on each probe's channel. */
  #probe(): void {
    if (!this.#options.sender.isConnected()) return;
    const round = ++this.#round;
    this.#probedAt = now();
    this.#isProbePending = true;
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

  #allProbesArrived(): boolean {
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
    if (this.#state !== 'probing' || !this.#allProbesArrived()) return;
    this.#state = 'receiving';
    this.#options.changed();
  }
}
