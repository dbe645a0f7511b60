import type { Backplane, BackplaneEvents } from '../backplane.js';
import { closedError, isIsolated, tooLargeError } from './faults.js';
import { RedisLink } from './link.js';
import { type PubSubSettings, type RedisBackplaneOptions, resolvePubSubOptions } from './options.js';
import { Outbox } from './outbox.js';
import type { RedisClient } from './port.js';

/**
 * Connects the groups of all processes over Redis pub/sub (sharded pub/sub on a cluster).
 *
 * Sends over your client, and receives over a second connection with the same settings. `groups.close()` closes the second
 * connection. Messages that other processes send during an outage do not arrive later. {@link redisStreamBackplane}
 * delivers them.
 *
 * @param client A client of `redis` or `ioredis`. Do not use it for blocking commands such as BLPOP.
 * @throws {TypeError} The value is not such a client.
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name.
 * @example
 * const client = createClient({ url: process.env.REDIS_URL });
 * const groups = createGroups({ backplane: redisBackplane(client) });
 * client.on('error', () => {}); // groups emit 'cutOff'
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
    this.#link = new RedisLink({ client, backplane: 'redisBackplane', isUnusable: isIsolated, ...settings });
    this.#outbox = new Outbox({
      maxBuffered: settings.maxBuffered,
      keeps: false,
      oneByOne: this.#link.isCluster,
      // During the start, messages wait for the connection. Otherwise a script that sends at once would reach nobody.
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
        // Messages that wait for the first connection fail now.
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

  // `async` turns the result into a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#link.unsubscribe(group);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // A script may send and close before the connection exists.
    await this.#link.whenKnown();
    await this.#outbox.close(this.#settings.timeout);
    await this.#link.close();
  }
}
