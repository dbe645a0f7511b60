import { clearTimeout, setTimeout } from '../shared/real-timers.js';

/** The default deadline: longer than an app should need, and shorter than the time limit of any test runner. */
export const DEFAULT_DEADLINE = 1_000;

const STEPS = 10;

/**
 * Calls `onPassed` after `ms` milliseconds in which this process could work.
 *
 * It waits in ten steps. If loading modules or other tests block the process for a second, only one step passes. It does
 * not follow a fake clock. It keeps the process alive; otherwise an idle process would exit before the test fails.
 *
 * @returns A function that stops the deadline.
 */
export function startDeadline(ms: number, onPassed: () => void): () => void {
  let left = STEPS;
  let timer: NodeJS.Timeout;
  const step = (): void => {
    if (left-- === 0) onPassed();
    else timer = setTimeout(step, ms / STEPS);
  };
  step();
  return () => {
    clearTimeout(timer);
  };
}

/** Settles like the promise, but rejects with the error of `explain` after `ms` milliseconds. */
export function within<T>(promise: PromiseLike<T>, ms: number, explain: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = startDeadline(ms, () => {
      reject(explain());
    });
    void Promise.resolve(promise).finally(stop).then(resolve, reject);
  });
}

/** Creates its promise only when somebody awaits it. So the deadline within the promise starts then. */
export class LazyPromise<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Promise';
  readonly #make: () => Promise<T>;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  then<A = T, B = never>(
    onResolved?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#make().then(onResolved, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#make().catch(onRejected);
  }

  finally(onSettled?: (() => void) | null): Promise<T> {
    return this.#make().finally(onSettled);
  }
}
