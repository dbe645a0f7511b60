interface Timer {
  readonly callback: () => void;
  readonly interval: number | undefined;
  /** In milliseconds since 1970. */
  due: number;
}

/**
 * Replaces the timers, `Date.now()` and `performance` until `restore()`. The fake timers of Vitest look at all timers before each
 * one. This clock does not, so it is quick enough for 10,000 clients.
 */
export class FakeClock {
  #now = Date.now();
  /** By the time when they are due. */
  readonly #timers = new Map<number, Set<Timer>>();
  readonly restore: () => void;

  constructor() {
    const { setTimeout, setInterval, clearTimeout, clearInterval, performance } = globalThis;
    const { now } = Date;
    const clear = (timer?: Timer): void => {
      if (timer !== undefined) this.#timers.get(timer.due)?.delete(timer);
    };
    this.restore = () => {
      Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval, performance });
      Date.now = now;
    };
    Object.assign(globalThis, {
      setTimeout: (callback: () => void, delay = 0) =>
        this.#add({ callback, interval: undefined, due: 0 }, delay),
      setInterval: (callback: () => void, delay: number) =>
        this.#add({ callback, interval: delay, due: 0 }, delay),
      clearTimeout: clear,
      clearInterval: clear,
      performance: { now: () => this.#now },
    });
    Date.now = () => this.#now;
  }

  /** Lets milliseconds pass one by one, and calls what is due. */
  advance(milliseconds: number): void {
    for (const end = this.#now + milliseconds; this.#now < end;) {
      const timers = this.#timers.get(++this.#now) ?? new Set();
      for (const timer of timers) {
        timer.callback();
        const wasCleared = !timers.has(timer);
        if (timer.interval !== undefined && !wasCleared) this.#add(timer, timer.interval);
      }
      this.#timers.delete(this.#now);
    }
  }

  #add(timer: Timer, delay: number): Timer {
    timer.due = this.#now + Math.max(1, Math.ceil(delay));
    let timers = this.#timers.get(timer.due);
    if (timers === undefined) this.#timers.set(timer.due, (timers = new Set()));
    timers.add(timer);
    return timer;
  }
}
