import { setTimeout } from 'node:timers/promises';
import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import { createClient, type RedisClientType } from 'redis';
import { RedisStore } from './redis-store.js';
import { Rooms } from './rooms.js';

/** Milliseconds after which each instance says again who is on it. */
const renewal = 1_000;

/**
 * The rooms of all instances of the app that use the same Redis. What goes wrong with it is told on the console, and the
 * rooms of this instance go on.
 */
export function openRedisRooms(url: string): Rooms {
  let client: RedisClientType;
  try {
    client = createClient({ url });
  } catch (error) {
    console.error(
      `Chat: REDIS_URL must be like redis://localhost:6379 (${String(error)}). Rooms are those of this instance.`,
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
    const groups = createGroups({ backplane });
    groups.on('cutOff', ({ message }) => {
      console.error(`Chat: ${message}. Until then rooms are those of this instance.`);
    });
    groups.on('back', () => console.log('Chat: Redis is back'));
    groups.on('refused', ({ message }) => console.error(`Chat: ${message}`));
    groups.on('missed', ({ group }) => tellLoss(group, 'of other instances are lost'));
    groups.on('dropped', ({ group }) => tellLoss(group, 'have not left this instance'));
    super(groups, new RedisStore(client, () => groups.isCutOff()));
    this.#client = client;
    this.#timer = setInterval(() => this.renew(), renewal).unref();

    client.on('error', () => {}); // the groups tell
    client.connect().catch(() => {});
  }

  override async close(): Promise<void> {
    clearInterval(this.#timer);
    await super.close();
    // The answer comes after those to all that was said before; where none comes nobody is waited for.
    const answer = this.#client.isReady ? this.#client.ping() : Promise.resolve();
    await Promise.race([answer.catch(() => {}), setTimeout(1_000, undefined, { ref: false })]);
    this.#client.destroy();
  }
}

/** That people have changed may get lost: it is seen at the next renewal. */
function tellLoss(group: string, what: string): void {
  if (!group.endsWith('/people')) console.error(`Chat: messages to ${group} ${what}`);
}
