import { connect, type TestClient } from 'dwebsocket/testing';
import { DEADLINE } from '../support/inbox.js';

/** What a page of the chat receives. */
interface Received {
  readonly id?: string;
  readonly text?: string;
  readonly people?: string[];
  readonly joined?: string;
  readonly left?: string;
  readonly position?: string;
  readonly complete?: boolean;
  readonly sent?: boolean | 'later' | null;
}

type Client = TestClient<unknown, unknown>;

/** Somebody in a room of the chat, who sees what its page shows. */
export class Chatter {
  /** All texts, in the order in which they came. */
  readonly said: string[] = [];
  /** Who is in the room, sorted. */
  people: string[] = [];
  isIn = false;
  /** Whether no message is missing between `since` and the first text. */
  isComplete: boolean | undefined;
  /** What the server has answered to each text. */
  readonly sent: (boolean | 'later' | null)[] = [];
  /** The id of the last message, or of the place before the first one. */
  since = '';
  readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  /** Enters a room. With the id of a message, resumes after it. */
  static async enter(
    target: Parameters<typeof connect>[0],
    room: string,
    name: string,
    since = '',
  ): Promise<Chatter> {
    const query = new URLSearchParams({ name, since });
    // The app may be another process, which a busy machine leaves standing while this one waits.
    const client = await connect(target, `/chat/${encodeURIComponent(room)}/?${query.toString()}`, {
      deadline: DEADLINE,
      messages: 'json',
    });
    const chatter = new Chatter(client);
    await chatter.until(({ isIn }) => isIn);
    return chatter;
  }

  say(text: string): void {
    this.client.send(text);
  }

  /** Reads until it is so. */
  async until(isSo: (chatter: Chatter) => boolean, deadline = DEADLINE): Promise<void> {
    const end = performance.now() + deadline;
    while (!isSo(this)) {
      const received = await this.client
        .wait(Math.max(1, Math.ceil(end - performance.now())))
        .catch(() => null);
      if (received === null) throw new Error(`not so: ${String(isSo)}; ${this.describe()}`);
      this.#take(received as Received);
    }
  }

  /** Reads until exactly these are here. */
  untilHere(...people: string[]): Promise<void> {
    return this.until((chatter) => JSON.stringify(chatter.people) === JSON.stringify(people));
  }

  untilSaid(text: string): Promise<void> {
    return this.until(({ said }) => said.includes(text));
  }

  describe(): string {
    return `here: ${this.people.join()}; said: ${this.said.join()}`;
  }

  #take({ id, text, people, joined, left, position, complete, sent }: Received): void {
    this.since = id ?? position ?? this.since;
    if (text !== undefined) this.said.push(text);
    if (people !== undefined) this.isIn = true;
    if (complete !== undefined) this.isComplete = complete;
    if (sent !== undefined) this.sent.push(sent);
    const here = new Set(people ?? this.people);
    if (joined !== undefined) here.add(joined);
    if (left !== undefined) here.delete(left);
    this.people = [...here].sort();
  }
}
