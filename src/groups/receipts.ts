import type { Stamp } from './envelope.js';

/** Processes come and go; of so many we know what came last. */
const MAX_ORIGINS = 1_024;

/** What has come over a channel, so that nothing counts twice. */
export class Receipts {
  readonly #last = new Map<string, number>();

  /** Whether it is new; if so it is noted. What one process sends comes in the order of its numbers. */
  accept({ origin, sequence }: Stamp): boolean {
    const last = this.#last.get(origin);
    if (last !== undefined) {
      if (sequence <= last) return false;
      // Moved to the end: the first is the one that has been silent for longest.
      this.#last.delete(origin);
    } else if (this.#last.size >= MAX_ORIGINS) {
      for (const oldest of this.#last.keys()) {
        this.#last.delete(oldest);
        break;
      }
    }
    this.#last.set(origin, sequence);
    return true;
  }
}
