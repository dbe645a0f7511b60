import { debug } from '../../shared/notices.js';
import { now } from '../../shared/real-timers.js';
import { isReply } from './faults.js';
import type { RedisSubscriber } from './port.js';

/** Limits a command by channels and by characters of their names: Redis disconnects a client with too many unread replies. */
const BATCH = 1_000;
const BATCH_CHARACTERS = 2 ** 18;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The lifetime of one connection. */
interface Session {
  readonly subscriber: RedisSubscriber;
  isRunning: boolean;
  isOver: boolean;
  /** Why a channel could not be subscribed. */
  failure: unknown;
  restored: Waiter | undefined;
  /** Functions that each end the wait for a reply. */
  readonly waits: Set<(error: unknown) => void>;
}

/**
 * Subscribes and unsubscribes channels until the connection has exactly the wanted ones. Sends one batch at a time.
 *
 * Outlives the connection: it subscribes the wanted channels again over the next one.
 */
export class Subscriptions {
  readonly #wanted: Set<string>;
  /** Channels to which the client is subscribed. */
  readonly #present = new Set<string>();
  /** Channels whose last command was not answered: the client may be subscribed to them. */
  readonly #unsure = new Set<string>();
  /** Channels that may have to be subscribed or unsubscribed. */
  #changes = new Set<string>();
  readonly #waiters = new Map<string, Waiter>();
  readonly #progressed: () => void;
  #session: Session | undefined;
  #askedSince: number | undefined;

  /**
   * @param always Channels that are always wanted.
   * @param progressed Called after each batch.
   */
  constructor(always: Iterable<string>, progressed: () => void) {
    this.#wanted = new Set(always);
    this.#progressed = progressed;
  }

  has(channel: string): boolean {
    return this.#wanted.has(channel);
  }

  /** When the current batch was sent; `undefined` while none waits for its replies. */
  get askedSince(): number | undefined {
    return this.#askedSince;
  }

  /** Subscribes a channel. Rejects when this fails; then the channel is no longer wanted. */
  add(channel: string): Promise<void> {
    this.#wanted.add(channel);
    this.#changes.add(channel);
    return new Promise((resolve, reject) => {
      this.#waiters.set(channel, { resolve, reject });
      void this.#run(this.#session);
    });
  }

  /** Removes a channel from the wanted ones, and unsubscribes it as soon as there is a connection. */
  delete(channel: string): void {
    if (!this.#wanted.delete(channel)) return;
    this.#changes.add(channel);
    void this.#run(this.#session);
  }

  /**
   * Subscribes all wanted channels over a new or restored connection. Rejects when Redis refuses a channel. Then the others
   * are subscribed, and another call retries the rest.
   */
  restore(subscriber: RedisSubscriber): Promise<void> {
    let session = this.#session;
    if (session === undefined || session.isOver) {
      // The same client with `restores` has restored its subscriptions. Any other client has none.
      if (session?.subscriber !== subscriber || !subscriber.restores) {
        this.#present.clear();
        this.#unsure.clear();
      }
      session = {
        subscriber,
        isRunning: false,
        isOver: false,
        failure: undefined,
        restored: undefined,
        waits: new Set(),
      };
      this.#session = session;
    }
    this.#changes = new Set([...this.#wanted, ...this.#present, ...this.#unsure]);
    const restored = new Promise<void>((resolve, reject) => (session.restored = { resolve, reject }));
    void this.#run(session);
    return restored;
  }

  /** Stops waiting for replies, because the connection is lost and a client may keep its commands for ever. */
  suspend(error: unknown): void {
    const session = this.#session;
    if (session === undefined || session.isOver) return;
    session.isOver = true;
    for (const stopWaiting of session.waits) stopWaiting(error);
    session.restored?.reject(error);
    this.rejectWaiters(error);
  }

  /** Rejects all pending calls of `add`, because Redis does not answer. */
  rejectWaiters(error: unknown): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const [channel, { reject }] of waiters) {
      this.delete(channel);
      reject(error);
    }
  }

  async #run(session: Session | undefined): Promise<void> {
    if (session === undefined || session.isRunning) return;
    session.isRunning = true;
    // Waits, so that all changes of one turn go into one batch.
    await Promise.resolve();
    while (!session.isOver && this.#changes.size > 0) {
      const { joins, leaves } = this.#takeBatch();
      this.#askedSince = now();
      await Promise.all([this.#leave(session, leaves), this.#join(session, joins)]);
      this.#progressed();
    }
    session.isRunning = false;
    if (session === this.#session) this.#askedSince = undefined;
    const { restored, failure } = session;
    session.restored = session.failure = undefined;
    if (failure === undefined) restored?.resolve();
    else restored?.reject(failure);
  }

  #takeBatch(): { joins: string[]; leaves: string[] } {
    const joins: string[] = [];
    const leaves: string[] = [];
    let characters = 0;
    for (const channel of this.#changes) {
      if (joins.length + leaves.length >= BATCH || characters >= BATCH_CHARACTERS) break;
      this.#changes.delete(channel);
      const isPresent = this.#present.has(channel) && !this.#unsure.has(channel);
      if (this.#wanted.has(channel)) {
        if (isPresent) this.#settle(channel);
        else joins.push(channel);
      } else if (isPresent || this.#unsure.has(channel)) {
        leaves.push(channel);
      } else {
        continue;
      }
      characters += channel.length;
    }
    return { joins, leaves };
  }

  async #leave(session: Session, channels: string[]): Promise<void> {
    if (channels.length === 0) return;
    try {
      await this.#ask(session, channels, session.subscriber.unsubscribe(channels));
      for (const channel of channels) this.#present.delete(channel);
    } catch (error) {
      // Messages of these channels are ignored until the next connection.
      debug('%d channels could not be unsubscribed: %o', channels.length, error);
    }
  }

  async #join(session: Session, channels: string[]): Promise<void> {
    if (channels.length === 0) return;
    try {
      await this.#ask(session, channels, session.subscriber.subscribe(channels));
      for (const channel of channels) {
        this.#present.add(channel);
        if (this.#wanted.has(channel)) this.#settle(channel);
        // Removed in the meantime, so it must be unsubscribed.
        else this.#changes.add(channel);
      }
    } catch (error) {
      if (session.isOver) return;
      if (channels.length > 1 && isReply(error)) {
        // Redis refuses the whole command because of one channel.
        const half = channels.length >> 1;
        await this.#join(session, channels.slice(0, half));
        await this.#join(session, channels.slice(half));
      } else {
        for (const channel of channels) this.#refuse(session, channel, error);
      }
    }
  }

  /** Waits for the reply to a command, unless the connection is lost first. */
  async #ask(session: Session, channels: string[], command: Promise<unknown>): Promise<void> {
    for (const channel of channels) this.#unsure.add(channel);
    let stopWaiting!: (error: unknown) => void;
    const lost = new Promise<never>((_resolve, reject) => (stopWaiting = reject));
    session.waits.add(stopWaiting);
    try {
      await Promise.race([command, lost]);
    } finally {
      session.waits.delete(stopWaiting);
    }
    for (const channel of channels) this.#unsure.delete(channel);
  }

  #settle(channel: string): void {
    this.#waiters.get(channel)?.resolve();
    this.#waiters.delete(channel);
  }

  #refuse(session: Session, channel: string, error: unknown): void {
    if (isReply(error)) this.#unsure.delete(channel);
    const waiter = this.#waiters.get(channel);
    if (waiter === undefined) {
      session.failure ??= error;
      return;
    }
    this.#waiters.delete(channel);
    this.#wanted.delete(channel);
    waiter.reject(error);
  }
}
