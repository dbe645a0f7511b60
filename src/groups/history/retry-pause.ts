import { setTimeout } from '../../shared/real-timers.js';

const FIRST = 100;
const LAST = 5_000;

/** The pause between two tries, which grows. All who wait at the same time share one. */
export class RetryPause {
  #delay = FIRST;
  #current: Promise<void> | undefined;

  wait(): Promise<void> {
    if (this.#current === undefined) {
      this.#current = new Promise((resolve) => {
        setTimeout(() => {
          this.#current = undefined;
          resolve();
        }, this.#delay).unref();
      });
      this.#delay = Math.min(this.#delay * 2, LAST);
    }
    return this.#current;
  }
}
