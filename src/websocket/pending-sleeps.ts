/** The calls of `sleep()` that are pending on one websocket. */
export class Sleepers {
  readonly #wakes = new Set<() => void>();

  /** Resolves with `true` after `ms` milliseconds, with `false` when {@link wake} is called before. */
  sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      // The global timer: the delay that a handler asks for follows the clock of a test.
      const timer = setTimeout(() => {
        this.#wakes.delete(wake);
        resolve(true);
      }, ms);
      const wake = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      this.#wakes.add(wake);
    });
  }

  /** Ends all pending calls; returns whether there were any. */
  wake(): boolean {
    for (const wake of this.#wakes) wake();
    return this.#wakes.size > 0;
  }
}
