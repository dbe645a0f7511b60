import type { Websocket } from 'dwebsocket';
import { createGroups, type Groups } from 'dwebsocket/groups';
import { Room } from './room.js';
import { MemoryStore, type Store } from './store.js';

/** The rooms of a chat. Without arguments they reach only this process. */
export class Rooms {
  readonly #groups: Groups<unknown>;
  readonly #store: Store;
  // The rooms with people on this instance.
  readonly #rooms = new Map<string, Room>();

  constructor(groups = createGroups({ messages: 'json' }), store: Store = new MemoryStore()) {
    this.#groups = groups;
    this.#store = store;
  }

  /** Adds a person to a room until the websocket closes. */
  async enter(name: string, websocket: Websocket<unknown, unknown>, person: string): Promise<Room> {
    let room = this.#rooms.get(name);
    if (room === undefined) this.#rooms.set(name, (room = new Room(name, this.#groups, this.#store)));
    const entered = room.enter(websocket, person);
    void websocket.closed.then(() => {
      room.leave(websocket);
      if (room.isEmpty) this.#rooms.delete(name);
    });
    await entered;
    return room;
  }

  renew(): void {
    for (const room of this.#rooms.values()) room.renew();
  }

  /** Removes all people of this instance, and closes the groups. Call it after the server has closed. */
  close(): Promise<void> {
    for (const room of this.#rooms.values()) room.clear();
    return this.#groups.close();
  }
}
