import { clearTimeout, setTimeout } from '../../shared/real-timers.js';

/** The history of one group, as far as the store needs to know it. */
export interface StoredHistory {
  /** Returns the memory that it takes, in bytes: 0 if {@link shrink} can free nothing. */
  readonly bytes: number;
  /** Drops messages that are too old. */
  expire(): void;
  /** Drops its oldest message. Without messages, forgets the rest. */
  shrink(): void;
}

const SHORTEST_SWEEP = 50;
const LONGEST_SWEEP = 60_000;

/**
 * Limits the memory of all histories in this process.
 *
 * It refers to them, so that a group without members keeps its messages.
 */
export class HistoryStore {
  readonly #maxBytes: number;
  readonly #pause: number;
  /** The bytes that each history had when it was last counted. So a later count corrects an earlier one. */
  readonly #counted = new Map<StoredHistory, number>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The next histories that shrink. All take turns, so a group with many messages loses more of them. */
  #turns: Iterator<StoredHistory, undefined> = this.#counted.keys();

  /** @param age How long messages are kept, in milliseconds. */
  constructor(maxBytes: number, age: number) {
    this.#maxBytes = maxBytes;
    this.#pause = Math.min(Math.max(age / 4, SHORTEST_SWEEP), LONGEST_SWEEP);
  }

  /** Returns the memory of all histories, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a history anew, and keeps to the limit. Call it after each change of its memory. */
  update(history: StoredHistory): void {
    this.#count(history);
    this.#keepLimit();
  }

  clear(): void {
    this.#counted.clear();
    this.#bytes = 0;
    this.#stopTimer();
  }

  #count(history: StoredHistory): void {
    const { bytes } = history;
    this.#bytes += bytes - (this.#counted.get(history) ?? 0);
    if (bytes > 0) {
      this.#counted.set(history, bytes);
      this.#timer ??= this.#startTimer();
    } else if (this.#counted.delete(history) && this.#counted.size === 0) {
      this.#stopTimer();
    }
  }

  #startTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      for (const history of this.#counted.keys()) {
        history.expire();
        this.#count(history);
      }
      if (this.#counted.size > 0) this.#timer ??= this.#startTimer();
    }, this.#pause).unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Each turn frees memory, because a history without memory is not counted. So the loop ends. */
  #keepLimit(): void {
    while (this.#bytes > this.#maxBytes) {
      const { value: history } = this.#turns.next();
      if (history === undefined) {
        this.#turns = this.#counted.keys();
        continue;
      }
      history.shrink();
      this.#count(history);
    }
  }
}
