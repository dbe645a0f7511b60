import { setTimeout as sleep } from 'node:timers/promises';

/** An event: its id, its time in milliseconds since 1970, and a text. */
export interface StreamEvent {
  id: number;
  at: number;
  text: string;
}

/** Returns the time of the comparison's clock, which is finer than Date.now(). */
export const now = () => performance.timeOrigin + performance.now();

/**
 * Events that happen `rate` times a second, one in each period, at different times within it. The clock determines
 * them, so all clients with the same rate get the same events, whichever way they use.
 */
export class EventStream {
  readonly #period: number;

  constructor(rate: number) {
    this.#period = 1000 / (rate >= 0.1 && rate <= 50 ? rate : 1);
  }

  /** Returns the events after event `id`, at most the newest hundred. */
  since(id: number): StreamEvent[] {
    const { newest } = this;
    const first = Math.max(id + 1, newest - 99);
    return Array.from({ length: Math.max(0, newest - first + 1) }, (_, index) => this.#event(first + index));
  }

  /** Waits until there are events after event `id`, and resolves with them; with none if the signal aborts first. */
  async next(id: number, signal: AbortSignal): Promise<StreamEvent[]> {
    const last = Math.min(id, this.newest);
    return (await this.#happens(last + 1, signal)) ? this.since(last) : [];
  }

  /** Yields each event from now on, until the signal aborts. */
  async *live(signal: AbortSignal): AsyncGenerator<StreamEvent, void> {
    for (let id = this.newest + 1; await this.#happens(id, signal); id++) yield this.#event(id);
  }

  #event(id: number): StreamEvent {
    return { id, at: this.#timeOf(id), text: 'something happened' };
  }

  // The golden ratio spreads the events over their periods. Events at whole seconds would favour polling at whole seconds.
  #timeOf(id: number): number {
    return Math.round((id + 0.9 * ((id * 0.618034) % 1)) * this.#period);
  }

  /** The id of the newest event. */
  get newest(): number {
    const id = Math.floor(now() / this.#period);
    return this.#timeOf(id) <= now() ? id : id - 1;
  }

  /** Resolves with true as soon as event `id` has happened, and with false if the signal aborts first. */
  async #happens(id: number, signal: AbortSignal): Promise<boolean> {
    for (let rest; !signal.aborted && (rest = this.#timeOf(id) - now()) > 0;) {
      await sleep(Math.ceil(rest), undefined, { signal }).catch(() => {});
    }
    return !signal.aborted;
  }
}
