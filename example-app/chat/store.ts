export interface Message {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a chat keeps of its rooms. What is written first is seen by what is asked for later. */
export interface Store {
  addMessage(room: string, message: Message): void;
  /** The last twenty, oldest first. */
  readMessages(room: string): Promise<Message[]>;
  /** Says who is in a room on this instance of the app. */
  setPeople(room: string, names: string[]): void;
  /** Who is in a room, on all instances. */
  readPeople(room: string): Promise<string[]>;
}

export const historyLength = 20;

/** As many rooms keep their messages; beyond that, the one that has been silent for longest forgets. */
const maxRooms = 1000;

/** Keeps it in this process. */
export class MemoryStore implements Store {
  readonly #messages = new Map<string, Message[]>();
  readonly #people = new Map<string, string[]>();

  addMessage(room: string, message: Message): void {
    const messages = [...(this.#messages.get(room) ?? []), message].slice(-historyLength);
    // Set anew, it comes last in the order of the map.
    this.#messages.delete(room);
    this.#messages.set(room, messages);
    const [oldest] = this.#messages.keys();
    if (this.#messages.size > maxRooms && oldest !== undefined) this.#messages.delete(oldest);
  }

  readMessages(room: string): Promise<Message[]> {
    return Promise.resolve(this.#messages.get(room) ?? []);
  }

  setPeople(room: string, names: string[]): void {
    if (names.length > 0) this.#people.set(room, names);
    else this.#people.delete(room);
  }

  readPeople(room: string): Promise<string[]> {
    return Promise.resolve(this.#people.get(room) ?? []);
  }
}
