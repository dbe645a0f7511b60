import { Fifo } from './fifo.js';

/** Runs at most `max` tasks at a time. The others wait in order. */
export class Limiter {
  readonly #max: number;
  readonly #waiting = new Fifo<() => void>();
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
