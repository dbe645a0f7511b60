export interface Message {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Keeps the messages and the people of rooms. A read sees all earlier writes. */
export interface Store {
  addMessage(room: string, message: Message): void;
  /** Reads the last twenty messages, oldest first. */
  readMessages(room: string): Promise<Message[]>;
  /** Sets the people who are in a room on this instance of the app. */
  setPeople(room: string, names: string[]): void;
  /** Reads the people who are in a room, on all instances. */
  readPeople(room: string): Promise<string[]>;
}

export const historyLength = 20;

/** How many rooms keep their messages. Beyond that, the room that has been silent for the longest time loses them. */
const maxRooms = 1000;

/** Keeps messages and people in this process. */
export class MemoryStore implements Store {
  readonly #messages = new Map<string, Message[]>();
  readonly #people = new Map<string, string[]>();

  addMessage(room: string, message: Message): void {
    const messages = [...(this.#messages.get(room) ?? []), message].slice(-historyLength);
    // Deleted and set again, the room becomes the last one of the map.
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
