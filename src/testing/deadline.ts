import { clearTimeout, setTimeout } from '../shared/real-timers.js';

/** How long a test waits when it does not say: longer than an app should need, shorter than any runner's patience. */
export const DEFAULT_DEADLINE = 1_000;

const STEPS = 10;

/**
 * Calls back when `ms` milliseconds have passed in which this process could work.
 *
 * In steps, so that a process that was busy for a second (loading modules, on a machine that runs other tests, too)
 * counts it as one step. Never on a test's fake clock, and it keeps the process alive: otherwise one that has nothing
 * else to do would end before the test has failed.
 *
 * @returns What stops it.
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

/** The promise, or the error of `explain` when it takes longer than `ms`. */
export function within<T>(promise: PromiseLike<T>, ms: number, explain: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = startDeadline(ms, () => {
      reject(explain());
    });
    void Promise.resolve(promise).finally(stop).then(resolve, reject);
  });
}

/** A promise that is made when somebody asks for its value: only then begins the deadline in it. */
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
