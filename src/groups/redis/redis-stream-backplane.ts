import { clearTimeout, now, setTimeout } from '../../real-timers.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { closedError } from './faults.js';
import { RedisLink } from './link.js';
import { type RedisStreamBackplaneOptions, resolveStreamOptions, type StreamSettings } from './options.js';
import type { RedisClient } from './port.js';
import { addCommand } from './stream-entry.js';
import { StreamOutbox } from './stream-outbox.js';
import { StreamTail } from './stream-tail.js';

/**
 * As {@link redisBackplane}, and what is sent during an outage arrives after it, in order and once: Redis keeps the last
 * `maxLength` messages of each group, and each process keeps what it could not hand over. When more was missed than is kept,
 * `groups` tells with the event `missed`.
 *
 * Redis must keep its data over a restart for that (`appendonly yes`); else `missed` is told after each.
 *
 * @param client A client of `redis` or `ioredis`; not one that also waits with BLPOP and the like.
 * @throws {TypeError} It is no such client.
 * @throws {WebsocketOptionError} An option of a wrong type or value, or an unknown one; `maxLength` is left out.
 * @example
 * const groups = createGroups({ backplane: redisStreamBackplane(client, { maxLength: 10_000 }) });
 */
export function redisStreamBackplane(client: RedisClient, options: RedisStreamBackplaneOptions): Backplane {
  return new RedisStreamBackplane(client, resolveStreamOptions(options));
}

/** Milliseconds until what a Redis that is not ready yet has refused is asked again. */
const RETRY_DELAY = 250;

class RedisStreamBackplane implements Backplane {
  readonly #settings: StreamSettings;
  readonly #link: RedisLink;
  readonly #outbox: StreamOutbox;
  readonly #tails = new Map<string, StreamTail>();
  #events: BackplaneEvents | undefined;
  #cutSince: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(client: RedisClient, settings: StreamSettings) {
    this.#settings = settings;
    this.#link = new RedisLink({ client, backplane: 'redisStreamBackplane', ...settings });
    this.#outbox = new StreamOutbox({
      maxBuffered: settings.maxBuffered,
      isReady: () => this.#link.isReady(),
      add: (group, data) => this.#add(group, data),
      dropped: (group, error) => this.#events?.dropped(group, 1, error),
    });
  }

  start(events: BackplaneEvents): void {
    this.#link.start({
      message: (group, message) => this.#tails.get(group)?.take(message),
      ready: () => this.#outbox.flush(),
      cutOff: (error) => {
        if (this.#cutSince !== undefined) return;
        this.#cutSince = now();
        events.cutOff(error);
      },
      back: () => void this.#catchUp(),
    });
    this.#events = events;
  }

  async publish(group: string, data: Buffer): Promise<unknown> {
    if (this.#isClosed) throw closedError();
    this.#link.checkSize(group, data);
    return this.#outbox.send(group, data);
  }

  async subscribe(group: string): Promise<void> {
    await this.#link.whenKnown();
    const tail = this.#openTail(group);
    await tail.begin();
    this.#tails.set(group, tail);
    try {
      await this.#link.subscribe(group);
      // What was sent between the two.
      await tail.catchUp(0);
    } catch (error) {
      this.#tails.delete(group);
      throw error;
    }
  }

  async unsubscribe(group: string): Promise<void> {
    this.#tails.delete(group);
    await this.#link.unsubscribe(group);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    // A script may connect, send and end.
    await this.#link.whenKnown();
    await this.#outbox.close(this.#settings.timeout);
    await this.#link.close();
  }

  #add(group: string, data: Buffer): Promise<unknown> {
    const key = this.#link.channelOf(group);
    return this.#link.run((port) =>
      port.command(key, addCommand(key, data, { ...this.#settings, isCluster: port.isCluster })),
    );
  }

  #openTail(group: string): StreamTail {
    const key = this.#link.channelOf(group);
    return new StreamTail({
      maxAge: this.#settings.maxAge,
      read: (command, from, to, count) =>
        this.#link.run((port) => port.command(key, [command, key, from, to, 'COUNT', String(count)])),
      deliver: (data) => this.#events?.message(group, data),
      missed: (count) => this.#events?.missed(group, count),
      failed: () => this.#catchUpLater(),
    });
  }

  /** The outage is over for the app when all that was missed is there. */
  async #catchUp(): Promise<void> {
    const cutFor = this.#cutSince === undefined ? 0 : now() - this.#cutSince;
    const reads = [...this.#tails.values()].map((tail) => tail.catchUp(cutFor));
    const results = await Promise.allSettled([...reads, this.#tryCommand()]);
    if (this.#isClosed || !this.#link.isUp()) return;
    // A Redis that is still starting lets us publish before it lets us read.
    if (results.some(({ status }) => status === 'rejected')) {
      this.#catchUpLater();
      return;
    }
    if (this.#cutSince === undefined) return;
    this.#cutSince = undefined;
    this.#events?.back();
  }

  #catchUpLater(): void {
    clearTimeout(this.#retry);
    // When the link is not up, its being back calls for it.
    this.#retry = setTimeout(() => {
      if (this.#link.isUp()) void this.#catchUp();
    }, RETRY_DELAY).unref();
  }

  #tryCommand(): Promise<unknown> {
    const key = this.#link.channelOf('');
    return this.#link.run((port) => port.command(key, ['EXISTS', key]));
  }
}
