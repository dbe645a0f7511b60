import type { Backplane, BackplaneEvents } from '../backplane.js';
import { closedError, isUnheard, tooLargeError } from './faults.js';
import { RedisLink } from './link.js';
import { type PubSubSettings, type RedisBackplaneOptions, resolvePubSubOptions } from './options.js';
import { Outbox } from './outbox.js';
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
  return new RedisBackplane(client, resolvePubSubOptions(options));
}

class RedisBackplane implements Backplane {
  readonly #settings: PubSubSettings;
  readonly #link: RedisLink;
  readonly #outbox: Outbox;
  #isClosed = false;

  constructor(client: RedisClient, settings: PubSubSettings) {
    this.#settings = settings;
    this.#link = new RedisLink({ client, backplane: 'redisBackplane', isUnusable: isUnheard, ...settings });
    this.#outbox = new Outbox({
      maxBuffered: settings.maxBuffered,
      keeps: false,
      oneByOne: this.#link.isCluster,
      // A script that connects and sends at once would otherwise send to nobody. Later nothing waits for a connection.
      canSend: () => this.#link.isReady() || !this.#link.isStarting(),
      post: (command) => this.#link.post(command),
      send: (port, group, data) => port.publish(this.#link.channelOf(group), data),
      dropped: () => {},
    });
  }

  start(events: BackplaneEvents): void {
    this.#link.start({
      message: events.message,
      ready: () => this.#outbox.flush(),
      cutOff: (error) => {
        // What waits for the first connection fails now.
        this.#outbox.flush();
        events.cutOff(error);
      },
      back: events.back,
    });
  }

  publish(group: string, data: Buffer): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closedError());
    const { maxPayload } = this.#settings;
    if (data.length > maxPayload) return Promise.reject(tooLargeError(group, data.length, maxPayload));
    return this.#outbox.add(group, data);
  }

  subscribe(group: string): Promise<void> {
    return this.#link.subscribe(group);
  }

  // `async`, so that it gives a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#link.unsubscribe(group);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // A script may connect, send and end.
    await this.#link.whenKnown();
    await this.#outbox.close(this.#settings.timeout);
    await this.#link.close();
  }
}
