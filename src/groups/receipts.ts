import type { Stamp } from './envelope.js';

/** Processes come and go; of so many we know what came last. */
const MAX_ORIGINS = 1_024;

/** It came before. */
export const HAD = -1;
/** Something is lost before it, and nobody knows how much. */
export const UNKNOWN = Infinity;

interface Last {
  sequence: number;
  number: number;
  /** In which time without a known loss it came. */
  period: number;
}

/** What has come over a channel, so that nothing counts twice and a loss shows. */
export class Receipts {
  readonly #last = new Map<string, Last>();
  #period = 0;

  /**
   * Notes a message. Returns how many messages of its sender are lost just before it (0, or `UNKNOWN`), or `HAD`. What one
   * process sends comes in the order of its numbers.
   */
  accept({ origin, sequence, number }: Stamp): number {
    const last = this.#last.get(origin);
    if (last === undefined) {
      this.#makeRoom();
      this.#last.set(origin, { sequence, number, period: this.#period });
      return 0;
    }
    if (sequence <= last.sequence) return HAD;
    const lost = last.period === this.#period ? countLost(last.number, number) : 0;
    last.sequence = sequence;
    last.number = number;
    last.period = this.#period;
    // Moved to the end: the first is the one that has been silent for longest.
    this.#last.delete(origin);
    this.#last.set(origin, last);
    return lost;
  }

  /** What is lost up to now is known already, or not for us. */
  excuse(): void {
    this.#period++;
  }

  #makeRoom(): void {
    if (this.#last.size < MAX_ORIGINS) return;
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest);
      break;
    }
  }
}

function countLost(last: number, number: number): number {
  // A process that has forgotten a group counts from 1 again.
  if (number === 1) return 0;
  return number > last ? number - last - 1 : UNKNOWN;
}
