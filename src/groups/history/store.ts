import { clearTimeout, setTimeout } from '../../shared/real-timers.js';

/** The history of one group, as far as the store needs to know it. */
export interface StoredHistory {
  /** Returns the memory that it takes, in bytes. */
  readonly bytes: number;
  /** Drops messages that are too old. Returns whether it is of no more use. */
  expire(): boolean;
  /** Drops some of its oldest messages. Returns whether it is of no more use. */
  shrink(): boolean;
}

const SHORTEST_SWEEP = 50;
const LONGEST_SWEEP = 60_000;

/** Limits the work for each message. */
const MAX_TURNS = 100;

/**
 * Limits the memory of all histories in this process.
 *
 * It refers to them, so that a group without members keeps its messages.
 */
export class HistoryStore {
  readonly #maxBytes: number;
  readonly #pause: number;
  readonly #stored = new Set<StoredHistory>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The next histories that shrink. All take turns, so a group with many messages loses more of them. */
  #turns: Iterator<StoredHistory> = this.#stored.values();

  /** @param age How long messages are kept, in milliseconds. */
  constructor(maxBytes: number, age: number) {
    this.#maxBytes = maxBytes;
    this.#pause = Math.min(Math.max(age / 4, SHORTEST_SWEEP), LONGEST_SWEEP);
  }

  /** Adds a history, unless it is stored already. */
  add(history: StoredHistory): void {
    if (this.#stored.has(history)) return;
    this.#stored.add(history);
    this.#bytes += history.bytes;
    this.#timer ??= this.#startTimer();
    this.#keepLimit();
  }

  /** Calls `change`, which changes the memory of a stored history, and keeps to the limit. */
  update<T>(history: StoredHistory, change: () => T): T {
    const before = history.bytes;
    const result = change();
    if (this.#stored.has(history)) this.#bytes += history.bytes - before;
    this.#keepLimit();
    return result;
  }

  delete(history: StoredHistory): void {
    if (!this.#stored.delete(history)) return;
    this.#bytes -= history.bytes;
    if (this.#stored.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  clear(): void {
    for (const history of this.#stored) this.delete(history);
  }

  #startTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      for (const history of this.#stored) {
        const before = history.bytes;
        const isUseless = history.expire();
        this.#bytes += history.bytes - before;
        if (isUseless) this.delete(history);
      }
      if (this.#stored.size > 0) this.#timer ??= this.#startTimer();
    }, this.#pause).unref();
  }

  #keepLimit(): void {
    for (let count = 0; this.#bytes > this.#maxBytes && count < MAX_TURNS; count++) {
      let turn = this.#turns.next();
      if (turn.done === true) {
        this.#turns = this.#stored.values();
        turn = this.#turns.next();
        if (turn.done === true) return;
      }
      const history = turn.value;
      const before = history.bytes;
      const isUseless = history.shrink();
      this.#bytes += history.bytes - before;
      if (isUseless) this.delete(history);
    }
  }
}
