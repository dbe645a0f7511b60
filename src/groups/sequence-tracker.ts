import type { EnvelopeHeader } from './envelope.js';

/** Remembers the last message of at most this many processes. */
const MAX_ORIGINS = 1_024;

/** Says that the message arrived before. */
export const DUPLICATE = -1;
/** Says that an unknown number of messages before this one is lost. */
export const UNKNOWN_COUNT = Infinity;

interface LastMessage {
  sequence: number;
  number: number;
  /** How often `expectGaps` had been called when the message arrived. */
  period: number;
}

/** Tracks the messages that arrive on a channel, to detect duplicates and losses. */
export class SequenceTracker {
  readonly #last = new Map<string, LastMessage>();
  #period = 0;

  /**
   * Records a message. Returns how many messages of its sender are lost just before it, `UNKNOWN_COUNT`, or `DUPLICATE`.
   *
   * Requires that the messages of one process arrive in the order of their sequences.
   */
  track({ origin, sequence, number }: EnvelopeHeader): number {
    const last = this.#last.get(origin);
    if (last === undefined) {
      this.#makeRoom();
      this.#last.set(origin, { sequence, number, period: this.#period });
      return 0;
    }
    if (sequence <= last.sequence) return DUPLICATE;
    const lost = last.period === this.#period ? countLost(last.number, number) : 0;
    last.sequence = sequence;
    last.number = number;
    last.period = this.#period;
    // Moves the process to the end. So the first one has been silent for the longest time.
    this.#last.delete(origin);
    this.#last.set(origin, last);
    return lost;
  }

  /** Returns whether a message was tracked, or a later one of the same process. */
  has({ origin, sequence }: EnvelopeHeader): boolean {
    const last = this.#last.get(origin);
    return last !== undefined && sequence <= last.sequence;
  }

  /** Notes that the messages of another tracker have been there, too. */
  learn(other: SequenceTracker): void {
    for (const [origin, { sequence, number }] of other.#last) {
      const known = this.#last.get(origin);
      if (known === undefined ? this.#last.size >= MAX_ORIGINS : known.sequence >= sequence) continue;
      this.#last.set(origin, { sequence, number, period: this.#period });
    }
  }

  /** Ignores the next gap of each process: the messages are reported as lost already, or were not for us. */
  expectGaps(): void {
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
  // A process counts from 1 again after it has collected its group object.
  if (number === 1) return 0;
  return number > last ? number - last - 1 : UNKNOWN_COUNT;
}
