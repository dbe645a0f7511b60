import type { Backplane, BackplaneEvents } from '../backplane.js';
import { cutOffError } from './faults.js';
import { RedisLink } from './link.js';
import { type RedisBackplaneOptions, resolvePubSubOptions } from './options.js';
import type { RedisClient } from './port.js';

/**
 * Connects the groups of all processes over Redis pub/sub (sharded pub/sub on a cluster).
 *
 * Takes your client for sending, and derives a connection from it for receiving, which `groups.close()` closes. What
 * other processes send while this one is cut off does not arrive later; see {@link redisStreamBackplane} for that.
 *
 * @param client A client of `redis` or `ioredis`; not one that also waits with BLPOP and the like.
 * @throws {TypeError} It is no such client.
 * @throws {WebsocketOptionError} An option of a wrong type or value, or an unknown one.
 * @example
 * const client = createClient({ url: process.env.REDIS_URL });
 * const groups = createGroups({ backplane: redisBackplane(client) });
 * client.on('error', () => {}); // the groups tell
 * client.connect().catch(() => {});
 */
export function redisBackplane(client: RedisClient, options: RedisBackplaneOptions = {}): Backplane {
  return new RedisBackplane(
    new RedisLink({ client, backplane: 'redisBackplane', ...resolvePubSubOptions(options) }),
  );
}

interface Waiting {
  readonly channel: string;
  readonly data: Buffer;
  readonly settled: Promise<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What may be sent before the first connection is there. */
const MAX_WAITING = 1_000;

class RedisBackplane implements Backplane {
  readonly #link: RedisLink;
  #waiting: Waiting[] = [];

  constructor(link: RedisLink) {
    this.#link = link;
  }

  start(events: BackplaneEvents): void {
    this.#link.start({
      message: events.message,
      ready: () => this.#sendWaiting(),
      cutOff: (error) => {
        for (const { reject } of this.#waiting.splice(0)) reject(error);
        events.cutOff(error);
      },
      back: events.back,
    });
  }

  async publish(group: string, data: Buffer): Promise<unknown> {
    this.#link.checkSize(group, data);
    const channel = this.#link.channelOf(group);
    // A script that connects and sends at once would otherwise send to nobody. Later nothing waits.
    if (this.#link.isStarting() && !this.#link.isReady()) return this.#wait(channel, data);
    // The client is ready before we hear of it: what waits goes first, or receivers would take it for old.
    if (this.#waiting.length > 0) this.#sendWaiting();
    return this.#link.run((port) => port.publish(channel, data));
  }

  subscribe(group: string): Promise<void> {
    return this.#link.subscribe(group);
  }

  unsubscribe(group: string): Promise<void> {
    return this.#link.unsubscribe(group);
  }

  async close(): Promise<void> {
    // Not for long: the start ends with a connection or with an outage.
    await Promise.allSettled(this.#waiting.map(({ settled }) => settled));
    await this.#link.close();
  }

  #wait(channel: string, data: Buffer): Promise<unknown> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        cutOffError(new Error(`${MAX_WAITING} messages already wait for the first connection`)),
      );
    }
    let resolve!: Waiting['resolve'];
    let reject!: Waiting['reject'];
    const settled = new Promise((...both) => ([resolve, reject] = both));
    this.#waiting.push({ channel, data, settled, resolve, reject });
    return settled;
  }

  #sendWaiting(): void {
    for (const { channel, data, resolve } of this.#waiting.splice(0)) {
      resolve(this.#link.run((port) => port.publish(channel, data)));
    }
  }
}
