import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Websocket } from 'dwebsocket';
import type { Group, Groups } from 'dwebsocket/groups';
import type { Store } from './store.js';

/** A room in one instance of the app. */
export class Room {
  readonly #name: string;
  readonly #store: Store;
  readonly #people = new Map<Websocket<unknown, unknown>, string>();
  // The people in the room, on all instances.
  readonly #group: Group<unknown>;
  // The instances that have people in the room. They get a message when the list of people changes.
  readonly #instances: Group<unknown>;
  readonly #instance = { send: () => this.#sendPeople(), closed: new Promise(() => {}) };
  #sentPeople: string[] | undefined;
  #willSend = false;
  #sending = Promise.resolve();

  constructor(name: string, groups: Groups<unknown>, store: Store) {
    this.#name = name;
    this.#store = store;
    this.#group = groups.group(`chat/${name}`);
    this.#instances = groups.group(`chat/${name}/people`);
  }

  /** Whether the room has no people on this instance. */
  get isEmpty(): boolean {
    return this.#people.size === 0;
  }

  /** Adds a person, and sends the earlier messages. */
  async enter(websocket: Websocket<unknown, unknown>, name: string): Promise<void> {
    this.#people.set(websocket, name);
    this.#instances.add(this.#instance);
    this.#peopleChanged();
    // The group delivers messages from now on, and the store has the earlier ones. A message in both has the same id.
    await this.#group.add(websocket);
    websocket.send({ history: await this.#store.readMessages(this.#name) });
  }

  leave(websocket: Websocket<unknown, unknown>): void {
    this.#people.delete(websocket);
    this.#peopleChanged();
    if (this.isEmpty) this.#instances.delete(this.#instance);
  }

  clear(): void {
    this.#people.clear();
    this.#peopleChanged();
  }

  say(name: string, text: string): void {
    if (text === '') return;
    const message = { id: randomUUID(), name, text, at: Date.now() };
    // Keep this order: a person who enters between the two lines finds the message in the store.
    this.#store.addMessage(this.#name, message);
    this.#group.send({ message });
  }

  /** Renews this instance in the store, and sends the current list of people. Call it regularly if instances can die. */
  renew(): void {
    this.#store.setPeople(this.#name, [...this.#people.values()]);
    this.#sendPeople();
  }

  #peopleChanged(): void {
    // A new person needs the list even if it has not changed.
    this.#sentPeople = undefined;
    this.#store.setPeople(this.#name, [...this.#people.values()]);
    this.#instances.send('changed');
  }

  /** Sends the list of people to this instance's websockets. Lists are sent in turn, so that the newest comes last. */
  #sendPeople(): void {
    if (this.#willSend) return;
    this.#willSend = true;
    this.#sending = this.#sending.then(async () => {
      this.#willSend = false;
      const people = (await this.#store.readPeople(this.#name)).sort();
      if (isDeepStrictEqual(people, this.#sentPeople)) return;
      this.#sentPeople = people;
      for (const websocket of this.#people.keys()) websocket.send({ people });
    });
  }
}
