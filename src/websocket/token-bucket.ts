import { now } from '../shared/real-timers.js';

/**
 * Allows `count` units within `per` milliseconds on average, and as many at once after a pause (a token bucket). It fills
 * evenly, and does not wait for the end of a period.
 */
export class TokenBucket {
  readonly #size: number;
  readonly #tokensPerMs: number;
  #tokens: number;
  #filledAt = now();

  constructor(count: number, per: number) {
    this.#size = count;
    this.#tokensPerMs = count / per;
    this.#tokens = count;
  }

  /** Takes a token and returns 0, or returns the milliseconds until there is one. */
  take(): number {
    const time = now();
    const filled = this.#tokens + (time - this.#filledAt) * this.#tokensPerMs;
    this.#filledAt = time;
    this.#tokens = Math.min(this.#size, filled);
    if (this.#tokens < 1) return Math.ceil((1 - this.#tokens) / this.#tokensPerMs);
    this.#tokens--;
    return 0;
  }
}
