import { connect, type TestClient } from 'dwebsocket/testing';
import type { Message } from '../../example-app/chat/store.js';
import { DEADLINE } from '../support/inbox.js';

interface Shown {
  history?: Message[];
  message?: Message;
  people?: string[];
}

type Client = TestClient<unknown, unknown>;

/** Somebody in a room of the chat, who sees what its page shows. */
export class Chatter {
  /** All texts, in the order in which they came, those of the history first. */
  readonly said: string[] = [];
  people: string[] = [];
  isIn = false;
  readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  static async enter(target: Parameters<typeof connect>[0], room: string, name: string): Promise<Chatter> {
    // The app may be another process, which a busy machine leaves standing while this one waits.
    const client = await connect(target, `/chat/${encodeURIComponent(room)}/`, {
      deadline: DEADLINE,
      messages: 'json',
    });
    const chatter = new Chatter(client);
    chatter.say(name);
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
      const shown = await this.client.wait(Math.max(1, Math.ceil(end - performance.now()))).catch(() => null);
      if (shown === null) throw new Error(`not so: ${String(isSo)}; ${this.describe()}`);
      this.#take(shown as Shown);
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

  #take({ history, message, people }: Shown): void {
    if (history) {
      this.isIn = true;
      this.said.push(...history.map(({ text }) => text));
    }
    if (message) this.said.push(message.text);
    if (people) this.people = people;
  }
}
