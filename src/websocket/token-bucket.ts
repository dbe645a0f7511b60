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

  /** Takes a token. Returns the milliseconds until the next one is there, or 0 if there is one now. */
  take(): number {
    const time = now();
    const filled = this.#tokens + (time - this.#filledAt) * this.#tokensPerMs;
    this.#filledAt = time;
    this.#tokens = Math.min(this.#size, filled) - 1;
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#tokensPerMs);
  }
}
