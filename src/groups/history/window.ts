import { HistoryLog, type LogEntry } from './log.js';
import type { KeptPage } from './kept.js';
import {
  comparePositions,
  formatBefore,
  formatPosition,
  parsePosition,
  type Position,
  type Since,
} from './position.js';

/** Says what a client wants of the history: what came after `since`, or else the last messages. */
export interface Wanted {
  /** `undefined` if the client named no id. */
  readonly since: unknown;
  readonly last: number;
  /** The number that the next entry had when the client joined. It gets all entries from there on. */
  readonly start?: number;
  /** The last message that this process had sent before the client joined, if the group was not subscribed then. */
  readonly sent?: number | undefined;
}

/** Says where the messages for a client begin. */
export interface Start {
  /** The number of the first entry. */
  readonly from: number;
  /** Whether no message is missing between the position that the client named and the first entry. */
  readonly isComplete: boolean;
  /** Whether all that the client wants is here, so that reading more changes nothing. */
  readonly isSure: boolean;
  /** The id of the place from which on the client gets everything. */
  readonly position: string;
}

/** The last entries of a group, and what is known about the place before them. */
export class HistoryWindow {
  readonly log = new HistoryLog();
  /** The position just before the first entry, if known. */
  before: Position | undefined;
  /** Whether the group has had no entry before the first one. */
  isAtStart = false;
  /** Whether it has all entries that the history keeps. */
  isWhole = false;
  /** The number of the first entry that was delivered, and not read. */
  liveFrom = 0;
  /** Whether what came before the first delivered entry is known, so that its duplicates are dropped. */
  isChecked = false;

  /** Begins without entries, because there have been none. */
  beginEmpty(before: Position): void {
    this.before = before;
    this.isAtStart = this.isWhole = this.isChecked = true;
  }

  /** Inserts what was read of a backplane before all entries. */
  prepend(entries: readonly LogEntry[], { earlier, isStart }: KeptPage): void {
    this.log.prepend(entries);
    this.before = earlier.at(-1);
    this.isAtStart = isStart && earlier.length === 0;
    this.isWhole = true;
  }

  /** Removes entries that were sent before a time, in milliseconds since 1970. */
  dropOlderThan(time: number): void {
    const { log } = this;
    for (let first = log.at(log.first); first !== undefined && first.time < time; first = log.at(log.first))
      this.shift();
  }

  /** Begins anew without entries. */
  clear(): void {
    this.log.clear();
    this.liveFrom = this.log.end;
    this.before = undefined;
    this.isAtStart = this.isWhole = false;
  }

  /** Removes the first entry. */
  shift(): void {
    const entry = this.log.shift();
    if (entry === undefined) return;
    const { era, index, mark } = entry;
    this.before = { era, index, mark };
    this.isAtStart = false;
  }

  /**
   * Finds the first entry for a client.
   *
   * @param end The position of the last entry. Needed if there is none.
   * @param maxAge The time in milliseconds after which a history without new messages may be gone.
   */
  find({ since, last, start = Infinity, sent }: Wanted, end: Position, maxAge: number): Start {
    const { log } = this;
    if (since === undefined) {
      const isNew = Math.min(
        Math.max(start, this.liveFrom),
        sent === undefined ? log.end : log.findSent(sent),
      );
      const from = Math.max(log.first, Math.min(log.findLast(last), isNew));
      const isSure = this.isChecked && (last === 0 || this.isWhole || from > log.first);
      return { from, isComplete: true, isSure, position: this.#positionBefore(from, end) };
    }
    const at = parsePosition(since);
    const place = at === undefined ? undefined : this.#findPlace(at, end, maxAge);
    if (at === undefined || place === undefined) {
      const from = at === undefined ? log.first : this.#fromUnknown(at, end);
      return { from, isComplete: false, isSure: this.isWhole, position: this.#positionBefore(from, end) };
    }
    const { from, isGapBefore } = place;
    const isComplete = log.lastGap < from || (log.lastGap === from && !isGapBefore);
    return {
      from,
      isComplete,
      isSure: this.isChecked,
      position: isComplete ? textOf(at) : this.#positionBefore(from, end),
    };
  }

  /** Finds a known position. `isGapBefore` says whether a gap before the first entry is after the position. */
  #findPlace(at: Since, end: Position, maxAge: number): { from: number; isGapBefore: boolean } | undefined {
    const { log } = this;
    const next = log.findAfter(at);
    const here = log.at(next - 1);
    if (here !== undefined && isSame(here, at)) {
      return at.isBefore ? { from: next - 1, isGapBefore: false } : { from: next, isGapBefore: true };
    }
    if (next !== log.first || at.isBefore) return undefined;
    if (this.before !== undefined && isSame(this.before, at)) return { from: next, isGapBefore: true };
    if (log.length === 0 && isSame(end, at)) return { from: next, isGapBefore: true };
    // A position at which the group had no entries. If it was long ago, entries may have come and gone since.
    if (!this.isAtStart || at.index !== 0 || at.mark !== '') return undefined;
    const first = log.at(log.first);
    if (first === undefined ? end.index > 0 : first.index > 1) return undefined;
    const age = (first ?? end).era - at.era;
    return age >= 0 && age < maxAge ? { from: next, isGapBefore: true } : undefined;
  }

  /** An unknown position may still show which entries its client has had. */
  #fromUnknown(at: Since, end: Position): number {
    const { log } = this;
    const next = log.findAfter(at);
    const here = log.at(next - 1);
    if (here !== undefined && comparePositions(here, at) === 0) return next - 1;
    // A later era is not one of ours: the clock was set back.
    return at.era > (log.at(log.end - 1) ?? end).era ? log.first : next;
  }

  #positionBefore(from: number, end: Position): string {
    const { log } = this;
    const previous = log.at(from - 1) ?? (from === log.first ? this.before : undefined);
    if (previous !== undefined) return formatPosition(previous);
    const next = log.at(from);
    return next === undefined ? formatPosition(end) : formatBefore(next);
  }
}

function isSame(entry: Position, at: Position): boolean {
  return comparePositions(entry, at) === 0 && entry.mark === at.mark;
}

function textOf(at: Since): string {
  return at.isBefore ? formatBefore(at) : formatPosition(at);
}

/** Returns the entries from `from` on that are messages. */
export function messagesFrom(log: HistoryLog, from: number): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let number = Math.max(from, log.first); number < log.end; number++) {
    const entry = log.at(number) as LogEntry;
    if (entry.data !== undefined) entries.push(entry);
  }
  return entries;
}
