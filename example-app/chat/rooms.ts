import type { Websocket } from 'dwebsocket';
import { createGroups, type Groups } from 'dwebsocket/groups';
import { Room } from './room.js';
import { MemoryStore, type Store } from './store.js';

/** The rooms of a chat. Without arguments they are those of this process. */
export class Rooms {
  readonly #groups: Groups;
  readonly #store: Store;
  // Those that somebody of this instance is in.
  readonly #rooms = new Map<string, Room>();

  constructor(groups: Groups = createGroups(), store: Store = new MemoryStore()) {
    this.#groups = groups;
    this.#store = store;
  }

  /** Takes somebody into a room, until the websocket closes. */
  async enter(name: string, websocket: Websocket, person: string): Promise<Room> {
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

  /** To be called when the server has closed: then nobody of this instance is there, in no room. */
  close(): Promise<void> {
    for (const room of this.#rooms.values()) room.clear();
    return this.#groups.close();
  }
}
