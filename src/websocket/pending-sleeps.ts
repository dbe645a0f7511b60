/** Holds the pending calls of `sleep()` of one websocket. */
export class PendingSleeps {
  readonly #interrupts = new Set<() => void>();

  /** Resolves with `true` after `ms` milliseconds, or with `false` when {@link end} is called before. */
  sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      // Uses the global timer, so that the delays of a handler follow the fake clock of a test.
      const timer = setTimeout(() => {
        this.#interrupts.delete(interrupt);
        resolve(true);
      }, ms);
      const interrupt = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      this.#interrupts.add(interrupt);
    });
  }

  /** Ends all pending calls. Returns whether any call was pending. */
  end(): boolean {
    for (const interrupt of this.#interrupts) interrupt();
    return this.#interrupts.size > 0;
  }
}
