import type { HistoryStart, KeptMessage } from 'dwebsocket/groups';

type Event = { readonly start: HistoryStart } | { readonly id: string };

/** What a client gets while it comes back again and again. */
export class Story {
  readonly name: string;
  /** Messages that excluded it. It may get them all the same when it comes back. */
  readonly excluded = new Set<string>();
  readonly #events: Event[] = [];
  #since: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The id with which the client comes back. */
  get since(): string | undefined {
    return this.#since;
  }

  begin(start: HistoryStart): void {
    this.#events.push({ start });
    // Before the first message, and after a loss, the position is what there is to come back with.
    if (this.#since === undefined || !start.complete) this.#since = start.position;
  }

  take(id: string): void {
    this.#events.push({ id });
    this.#since = id;
  }

  get received(): number {
    return this.#events.filter((event) => 'id' in event).length;
  }

  /** How often the client was told that messages are missing. */
  get losses(): number {
    return this.#events.filter((event) => 'start' in event && !event.start.complete).length;
  }

  /**
   * Compares what the client got with what the group has. Returns what is wrong.
   *
   * Each message must follow the one before it, unless the client was told that messages are missing. It may be told later if
   * Redis was set back: nobody may have known it before. Then it may also have got messages that Redis has lost.
   */
  judge(truth: readonly Pick<KeptMessage, 'id'>[], wasSetBack = false): string[] {
    const numbers = new Map(truth.map(({ id }, number) => [id, number]));
    const lastLoss = this.#events.findLastIndex((event) => 'start' in event && !event.start.complete);
    const faults: string[] = [];
    const seen = new Map<string, number>();
    let expected: number | undefined;
    let losses = 0;
    let last = -1;
    const skipExcluded = (): void => {
      while (expected !== undefined && this.excluded.has(truth[expected]?.id ?? '')) expected++;
    };
    for (const [index, event] of this.#events.entries()) {
      if ('start' in event) {
        const { complete, position } = event.start;
        if (complete) {
          expected ??= numberAfter(numbers, position);
        } else {
          expected = undefined;
          losses++;
        }
        continue;
      }
      const { id } = event;
      if (seen.get(id) === losses) faults.push(`${this.name} got ${id} twice`);
      seen.set(id, losses);
      const isExcused = wasSetBack && lastLoss > last;
      last = index;
      const number = numbers.get(id);
      if (number === undefined && !isExcused && !(wasSetBack && lastLoss > index))
        faults.push(`${this.name} got ${id}, which the group does not have`);
      if (expected !== number) skipExcluded();
      if (expected !== undefined && expected !== number && !isExcused)
        faults.push(`${this.name} got number ${number} instead of ${expected} of ${truth.length}`);
      expected = number === undefined ? undefined : number + 1;
    }
    skipExcluded();
    if (expected !== undefined && expected !== truth.length)
      faults.push(`${this.name} has everything up to ${expected} of ${truth.length}`);
    return faults;
  }
}

/** The number of the message after a position; `undefined` if the group does not have that position. */
function numberAfter(numbers: ReadonlyMap<string, number>, position: string): number | undefined {
  if (position.startsWith('~')) return numbers.get(position.slice(1));
  const number = numbers.get(position);
  return number === undefined ? undefined : number + 1;
}
