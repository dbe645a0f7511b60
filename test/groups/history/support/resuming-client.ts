import type { Group, HistoryStart, Member } from 'dwebsocket/groups';
import { Story } from './story.js';

/** A member that comes back again and again, and names the last id that it has seen. */
export class ResumingClient extends Story {
  readonly #wait: () => unknown;
  #member: (Member & { leave: () => void }) | undefined;

  /** @param wait Returns what `send` of its members returns. */
  constructor(name: string, wait: () => unknown = () => undefined) {
    super(name);
    this.#wait = wait;
  }

  get member(): Member | undefined {
    return this.#member;
  }

  /** Joins a group, unless it is there. Resolves when it has what was kept. */
  join(group: Group, last: number): PromiseLike<boolean> | undefined {
    if (this.#member !== undefined) return undefined;
    let leave!: () => void;
    const closed = new Promise<void>((resolve) => (leave = resolve));
    const member = {
      closed,
      leave,
      isClosed: () => this.#member !== member,
      send: (message: string | Buffer, options?: { id?: string }) => {
        if (this.#member !== member) throw new Error('a message came after the member had left');
        const { id } = options ?? {};
        if (id === undefined) this.begin(JSON.parse(String(message)) as HistoryStart);
        else this.take(id);
        return this.#wait();
      },
    };
    this.#member = member;
    return group.add(member, { since: this.since, last, welcome: (start) => JSON.stringify(start) });
  }

  /** Loses its connection. */
  leave(): void {
    this.#member?.leave();
    this.#member = undefined;
  }
}
