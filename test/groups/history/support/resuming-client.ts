import type { Group, HistoryStart, KeptMessage, Member } from 'dwebsocket/groups';

type Event = { readonly start: HistoryStart } | { readonly id: string };

/** A client that comes back again and again, and names the last id that it has seen. It notes all that it gets. */
export class ResumingClient {
  readonly name: string;
  /** Messages that excluded it. It may get them all the same when it comes back. */
  readonly excluded = new Set<string>();
  readonly #events: Event[] = [];
  readonly #wait: () => unknown;
  #since: string | undefined;
  #member: (Member & { leave: () => void }) | undefined;

  /** @param wait Returns what `send` of its members returns. */
  constructor(name: string, wait: () => unknown = () => undefined) {
    this.name = name;
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
        if (id === undefined) this.#take(JSON.parse(String(message)) as HistoryStart);
        else this.#events.push({ id: (this.#since = id) });
        return this.#wait();
      },
    };
    this.#member = member;
    return group.add(member, { since: this.#since, last, welcome: (start) => JSON.stringify(start) });
  }

  /** Loses its connection. */
  leave(): void {
    this.#member?.leave();
    this.#member = undefined;
  }

  /** Returns the last id, or the position, that it has seen. */
  get since(): string | undefined {
    return this.#since;
  }

  /**
   * Compares what it got with what the group has sent. Returns what is wrong.
   *
   * Each message must follow the one before it, unless the client was told that messages are missing.
   */
  judge(truth: readonly Pick<KeptMessage, 'id'>[]): string[] {
    const numbers = new Map(truth.map(({ id }, number) => [id, number]));
    const faults: string[] = [];
    const seen = new Set<string>();
    let expected: number | undefined;
    const skipExcluded = (): void => {
      while (expected !== undefined && this.excluded.has(truth[expected]?.id ?? '')) expected++;
    };
    for (const event of this.#events) {
      if ('start' in event) {
        const { complete, position } = event.start;
        if (!complete) expected = undefined;
        else expected ??= numberAfter(numbers, position);
        continue;
      }
      const { id } = event;
      if (seen.has(id)) faults.push(`${this.name} got ${id} twice`);
      seen.add(id);
      const number = numbers.get(id);
      if (number === undefined) faults.push(`${this.name} got ${id}, which nobody has sent`);
      if (expected !== number) skipExcluded();
      if (expected !== undefined && expected !== number)
        faults.push(`${this.name} got number ${number} instead of ${expected} of ${truth.length}`);
      expected = number === undefined ? undefined : number + 1;
    }
    skipExcluded();
    if (expected !== undefined && expected !== truth.length)
      faults.push(`${this.name} has everything up to ${expected} of ${truth.length}`);
    return faults;
  }

  /** How often it was told that messages are missing. */
  get losses(): number {
    return this.#events.filter((event) => 'start' in event && !event.start.complete).length;
  }

  get received(): number {
    return this.#events.filter((event) => 'id' in event).length;
  }

  #take(start: HistoryStart): void {
    this.#events.push({ start });
    // Before the first message, and after a loss, the position is what there is to come back with.
    if (this.#since === undefined || !start.complete) this.#since = start.position;
  }
}

/** The number of the message after a position; `undefined` if the truth does not have that position. */
function numberAfter(numbers: ReadonlyMap<string, number>, position: string): number | undefined {
  if (position.startsWith('~')) return numbers.get(position.slice(1));
  const number = numbers.get(position);
  return number === undefined ? undefined : number + 1;
}
