import { randomUUID } from 'node:crypto';
import type { Websocket } from 'dwebsocket';
import type { Group, Groups } from 'dwebsocket/groups';
import type { Store } from './store.js';

/** A room, as one instance of the app sees it. */
export class Room {
  readonly #name: string;
  readonly #store: Store;
  readonly #people = new Map<Websocket, string>();
  // Everybody in the room.
  readonly #group: Group;
  // Every instance with somebody in the room: told when the people there are others.
  readonly #instances: Group;
  readonly #instance = { send: () => this.#tellPeople(), closed: new Promise(() => {}) };
  #told = '';
  #willTell = false;
  #telling = Promise.resolve();

  constructor(name: string, groups: Groups, store: Store) {
    this.#name = name;
    this.#store = store;
    this.#group = groups.group(`chat/${name}`);
    this.#instances = groups.group(`chat/${name}/people`);
  }

  /** Whether nobody of this instance is in the room. */
  get isEmpty(): boolean {
    return this.#people.size === 0;
  }

  /** Takes somebody in, and shows what has been said; out when the websocket closes. */
  async enter(websocket: Websocket, name: string): Promise<void> {
    this.#people.set(websocket, name);
    this.#instances.add(this.#instance);
    this.#peopleChanged();
    // What is said from now on arrives, what was said before is in the store, and what is in both has one id.
    await this.#group.add(websocket);
    websocket.send(JSON.stringify({ history: await this.#store.readMessages(this.#name) }));
  }

  leave(websocket: Websocket): void {
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
    // In this order: who enters in between finds it in the store.
    this.#store.addMessage(this.#name, message);
    this.#group.send(JSON.stringify({ message }));
  }

  /** To be called now and then where instances can die: says that this one lives, and sees which others do. */
  renew(): void {
    this.#store.setPeople(this.#name, [...this.#people.values()]);
    this.#tellPeople();
  }

  #peopleChanged(): void {
    // Whoever is new has not been told yet, and be the list the same.
    this.#told = '';
    this.#store.setPeople(this.#name, [...this.#people.values()]);
    this.#instances.send('changed');
  }

  /** Tells the people of this instance who is here. One after the other, so that the newest list comes last. */
  #tellPeople(): void {
    if (this.#willTell) return;
    this.#willTell = true;
    this.#telling = this.#telling.then(async () => {
      this.#willTell = false;
      const people = (await this.#store.readPeople(this.#name)).sort();
      const list = JSON.stringify({ people });
      if (list === this.#told) return;
      this.#told = list;
      for (const websocket of this.#people.keys()) websocket.send(list);
    });
  }
}
