import { setTimeout } from 'node:timers/promises';
import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import { createClient, type RedisClientType } from 'redis';
import { RedisStore } from './redis-store.js';
import { Rooms } from './rooms.js';

/** How often each instance publishes its people, in milliseconds. */
const renewalInterval = 1_000;

/**
 * Opens the rooms that all instances of the app share through the same Redis. Errors of Redis go to the console;
 * the rooms of this instance continue to work.
 */
export function openRedisRooms(url: string): Rooms {
  let client: RedisClientType;
  try {
    client = createClient({ url });
  } catch (error) {
    console.error(
      `Chat: REDIS_URL must be like redis://localhost:6379 (${String(error)}). Rooms reach only this instance.`,
    );
    return new Rooms();
  }
  return new RedisRooms(client);
}

class RedisRooms extends Rooms {
  readonly #client: RedisClientType;
  readonly #timer: NodeJS.Timeout;

  constructor(client: RedisClientType) {
    const backplane = redisStreamBackplane(client, { prefix: 'dwebsocket-tour', maxLength: 1000 });
    const groups = createGroups({ backplane, messages: 'json' });
    groups.on('cutOff', ({ message }) => {
      console.error(`Chat: ${message}. Until then rooms reach only this instance.`);
    });
    groups.on('back', () => console.log('Chat: Redis is back'));
    groups.on('refused', ({ message }) => console.error(`Chat: ${message}`));
    groups.on('missed', ({ group }) => reportLoss(group, 'of other instances are lost'));
    groups.on('dropped', ({ group }) => reportLoss(group, 'have not left this instance'));
    super(groups, new RedisStore(client, () => groups.isCutOff()));
    this.#client = client;
    this.#timer = setInterval(() => this.renew(), renewalInterval).unref();

    client.on('error', () => {}); // the groups report errors
    client.connect().catch(() => {});
  }

  override async close(): Promise<void> {
    clearInterval(this.#timer);
    await super.close();
    // Redis answers in order, so this answer comes after all earlier commands. We wait at most a second.
    const answer = this.#client.isReady ? this.#client.ping() : Promise.resolve();
    await Promise.race([answer.catch(() => {}), setTimeout(1_000, undefined, { ref: false })]);
    this.#client.destroy();
  }
}

/** Reports lost messages, except for changes of the list of people: the next renewal repeats that list. */
function reportLoss(group: string, what: string): void {
  if (!group.endsWith('/people')) console.error(`Chat: messages to ${group} ${what}`);
}
