import { setTimeout as sleep } from 'node:timers/promises';

/** Something that has happened: which, when (milliseconds since 1970), and what there is to say about it. */
export interface Happening {
  id: number;
  at: number;
  text: string;
}

/** The clock of the comparison, finer than Date.now(). */
export const now = () => performance.timeOrigin + performance.now();

/**
 * Events that happen `rate` times a second, by the clock: one in each period, now sooner, now later. So everybody who
 * asks for the same rate hears of the same events, however they are told.
 */
export class EventStream {
  readonly #period: number;

  constructor(rate: number) {
    this.#period = 1000 / (rate >= 0.1 && rate <= 50 ? rate : 1);
  }

  /** What has happened after event `id`, the newest hundred at most. */
  since(id: number): Happening[] {
    const { newest } = this;
    const first = Math.max(id + 1, newest - 99);
    return Array.from({ length: Math.max(0, newest - first + 1) }, (_, index) => this.#event(first + index));
  }

  /** The same, but waits until there is something; nothing when the signal comes first. */
  async next(id: number, signal: AbortSignal): Promise<Happening[]> {
    const last = Math.min(id, this.newest);
    return (await this.#happens(last + 1, signal)) ? this.since(last) : [];
  }

  /** Each event from now on, until the signal. */
  async *live(signal: AbortSignal): AsyncGenerator<Happening, void> {
    for (let id = this.newest + 1; await this.#happens(id, signal); id++) yield this.#event(id);
  }

  #event(id: number): Happening {
    return { id, at: this.#timeOf(id), text: 'something happened' };
  }

  /** The golden section spreads the events over their periods; whole seconds would favour whole polling intervals. */
  #timeOf(id: number): number {
    return Math.round((id + 0.9 * ((id * 0.618034) % 1)) * this.#period);
  }

  /** The id of the newest event. */
  get newest(): number {
    const id = Math.floor(now() / this.#period);
    return this.#timeOf(id) <= now() ? id : id - 1;
  }

  /** True as soon as event `id` has happened, false when the signal comes first. */
  async #happens(id: number, signal: AbortSignal): Promise<boolean> {
    for (let rest; !signal.aborted && (rest = this.#timeOf(id) - now()) > 0;) {
      await sleep(Math.ceil(rest), undefined, { signal }).catch(() => {});
    }
    return !signal.aborted;
  }
}
