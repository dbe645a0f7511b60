import { setImmediate } from '../../shared/real-timers.js';
import { GroupPeople, type GroupPeopleHost } from './group-people.js';
import { PeopleNetwork, type PeopleNetworkOptions } from './network.js';

/** Holds the people of all groups, and emits their events. */
export class People implements GroupPeopleHost {
  readonly network: PeopleNetwork | undefined;
  /** Without a network: groups with listeners, which must stay alive. A network has its own list. */
  readonly #held = new Set<GroupPeople>();
  readonly #changed = new Set<GroupPeople>();
  #isClosed = false;

  /** @param options Without them, people are in this process only. */
  constructor(options: PeopleNetworkOptions | undefined) {
    this.network = options && new PeopleNetwork(options);
  }

  create(name: string, owner: object): GroupPeople {
    return new GroupPeople(name, owner, this, this.network === undefined || this.#isClosed);
  }

  used(people: GroupPeople): void {
    if (this.network !== undefined && !this.#isClosed) {
      this.network.use(people);
    } else {
      people.setReady();
      if (people.hasListeners) this.#held.add(people);
    }
  }

  released(people: GroupPeople): void {
    if (!people.hasListeners) this.#held.delete(people);
  }

  changed(people: GroupPeople): void {
    // On a later turn, so that all changes of this turn make one message, and a change back makes none.
    if (this.#changed.size === 0) setImmediate(() => this.#settle());
    this.#changed.add(people);
  }

  close(): void {
    this.#isClosed = true;
    this.network?.close();
  }

  #settle(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const people of changed) {
      if (this.network === undefined || this.#isClosed) people.takeChanges();
      else this.network.publishChanges(people);
    }
    this.#emit(changed);
  }

  #emit(changed: GroupPeople[]): void {
    try {
      for (let people = changed.at(-1); people !== undefined; people = changed.at(-1)) {
        people.emitEvents();
        changed.pop();
        this.released(people);
      }
    } finally {
      // A listener has thrown. The others still get their events.
      if (changed.length > 0) setImmediate(() => this.#emit(changed));
    }
  }
}
