import type { Member } from '../member.js';
import type { LogEntry } from './log.js';
import { formatPosition, type Position } from './position.js';
import type { Wanted } from './window.js';

/** Says where a member begins. `add` passes it to the function `welcome`. */
export interface HistoryStart {
  /** The id from which on the member gets everything. A client that has had no message yet can come back with it. */
  readonly position: string;
  /** Whether no message is missing between `since` and the first message. */
  readonly complete: boolean;
}

/** Creates the message that tells a member where it begins. */
export type Welcome = (start: HistoryStart) => unknown;

/** A member that gets what is kept, and does not get new messages directly yet. */
export class Joining {
  readonly member: Member;
  /** The next entry for the member; `undefined` until the start is known. */
  cursor: number | undefined;
  /** The generation of the log to which `cursor` belongs. */
  generation = 0;
  /** The last entry for which the member knows whether messages before it are lost. */
  known = -Infinity;
  /** The last entry that was sent to the member, or that excludes it. */
  sent: Position | undefined;
  /** The sequences of messages of this process that exclude the member, until the backplane delivers them. */
  readonly excluded = new Set<number>();
  /** The messages in the log that exclude the member, by id. */
  readonly #skipped = new Set<string>();
  /** Whether it was told where it begins. */
  isGreeted = false;
  readonly promise: Promise<boolean>;
  readonly #wanted: Wanted;
  #resolve!: (isUpToDate: boolean) => void;
  #reject!: (error: unknown) => void;

  constructor(member: Member, wanted: Wanted) {
    this.member = member;
    this.#wanted = wanted;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The app need not await it. An unhandled rejection would end the process.
    this.promise.catch(() => {});
  }

  /** Returns what the member still wants. */
  get wanted(): Wanted {
    return this.sent === undefined ? this.#wanted : { since: formatPosition(this.sent), last: 0 };
  }

  /** Notes that the message of an entry excludes the member. Forgets the earliest one beyond `max`, which the log has no more. */
  skip(entry: LogEntry, max: number): void {
    this.excluded.delete(entry.sequence);
    this.#skipped.add(formatPosition(entry));
    if (this.#skipped.size <= max) return;
    const [earliest] = this.#skipped;
    this.#skipped.delete(earliest as string);
  }

  /** Returns whether the message of an entry excludes the member. */
  skips(entry: LogEntry): boolean {
    return this.#skipped.delete(formatPosition(entry)) || this.excluded.delete(entry.sequence);
  }

  settle(isUpToDate: boolean): void {
    this.#resolve(isUpToDate);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}
