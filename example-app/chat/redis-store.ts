import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { ErrorReply, type RedisClientType } from 'redis';
import { historyLength, MemoryStore, type Message, type Store } from './store.js';

const prefix = 'dwebsocket-tour:chat';

/** Milliseconds without a renewal after which an instance and its people expire. */
export const lifetime = 5_000;

/** Milliseconds that Redis has for an answer. */
const deadline = 2_000;

/** Seconds that the messages of a silent room are kept. */
const day = 24 * 60 * 60;

/**
 * Keeps messages and people in Redis, for all instances of the app. Each instance renews its list of people again and
 * again; the list expires when the instance ends. Without Redis, an instance knows only its own messages and people.
 */
export class RedisStore implements Store {
  readonly #client: RedisClientType;
  readonly #isCutOff: () => boolean;
  readonly #instance = randomUUID();
  readonly #own = new MemoryStore();
  #refusal = '';

  constructor(client: RedisClientType, isCutOff: () => boolean) {
    this.#client = client;
    this.#isCutOff = isCutOff;
  }

  addMessage(room: string, message: Message): void {
    this.#own.addMessage(room, message);
    const key = `${prefix}:${room}:messages`;
    void this.#ask((client) =>
      client
        .multi()
        .rPush(key, JSON.stringify(message))
        .lTrim(key, -historyLength, -1)
        .expire(key, day)
        .exec(),
    );
  }

  async readMessages(room: string): Promise<Message[]> {
    const messages = await this.#ask(async (client) => {
      const texts = await client.lRange(`${prefix}:${room}:messages`, 0, -1);
      return texts.map((text) => JSON.parse(text) as Message);
    });
    return messages ?? this.#own.readMessages(room);
  }

  setPeople(room: string, names: string[]): void {
    this.#own.setPeople(room, names);
    const instances = `${prefix}:${room}:instances`;
    const people = `${prefix}:${room}:people:${this.#instance}`;
    void this.#ask((client) => {
      const commands = client.multi();
      if (names.length === 0) return commands.sRem(instances, this.#instance).del(people).exec();
      return commands
        .sAdd(instances, this.#instance)
        .pExpire(instances, lifetime)
        .set(people, JSON.stringify(names), { expiration: { type: 'PX', value: lifetime } })
        .exec();
    });
  }

  async readPeople(room: string): Promise<string[]> {
    const [own, others] = await Promise.all([
      this.#own.readPeople(room),
      this.#ask(() => this.#readOthers(room)),
    ]);
    return [...own, ...(others ?? [])];
  }

  async #readOthers(room: string): Promise<string[]> {
    const key = `${prefix}:${room}:instances`;
    const instances = (await this.#client.sMembers(key)).filter((instance) => instance !== this.#instance);
    if (instances.length === 0) return [];
    const lists = await this.#client.mGet(
      instances.map((instance) => `${prefix}:${room}:people:${instance}`),
    );
    const dead = instances.filter((_, index) => lists[index] === null);
    if (dead.length > 0) await this.#client.sRem(key, dead);
    return lists.flatMap((names) => (names === null ? [] : (JSON.parse(names) as string[])));
  }

  /** Calls Redis. Resolves with `undefined` when Redis is away, does not answer, or refuses the command. */
  async #ask<Answer>(question: (client: RedisClientType) => Promise<Answer>): Promise<Answer | undefined> {
    // Without a connection, the client would queue commands until Redis is back.
    if (!this.#client.isReady || this.#isCutOff()) return undefined;
    try {
      return await Promise.race([question(this.#client), setTimeout(deadline, undefined, { ref: false })]);
    } catch (error) {
      // The groups report lost connections.
      if (error instanceof ErrorReply) this.#reportRefusal(error);
      return undefined;
    }
  }

  #reportRefusal({ message }: ErrorReply): void {
    if (message !== this.#refusal) console.error(`Chat: Redis refuses: ${message}`);
    this.#refusal = message;
  }
}
