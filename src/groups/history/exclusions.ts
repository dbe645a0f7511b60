import type { Member } from '../member.js';

/** Returns whether a member does not get a message. */
export type Filter = ((member: Member) => boolean) | undefined;

/** Remembers which members do not get a message of this process, until the backplane delivers it. */
export class Exclusions {
  readonly #bySequence = new Map<number, NonNullable<Filter>>();

  add(sequence: number, isExcepted: NonNullable<Filter>): void {
    this.#bySequence.set(sequence, isExcepted);
  }

  /** Forgets a message that the backplane has refused. */
  delete(sequence: number): void {
    this.#bySequence.delete(sequence);
  }

  /** Removes and returns the filter of a message. Messages arrive in order, so earlier ones were dropped. */
  take(sequence: number): Filter {
    const isExcepted = this.#bySequence.get(sequence);
    for (const each of this.#bySequence.keys()) {
      if (each > sequence) break;
      this.#bySequence.delete(each);
    }
    return isExcepted;
  }
}
