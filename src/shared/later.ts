import { setImmediate } from './real-timers.js';

/** Resolves on a later turn of the event loop, so that other work runs first. */
export function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    setImmediate(resolve, value);
  });
}

/** Works like `later`, but creates the promise only when somebody awaits the result. */
export function laterIfAwaited<T>(value: T): PromiseLike<T> {
  return { then: (resolve, reject) => later(value).then(resolve, reject) };
}

/** Rejects on a later turn of the event loop, so that other work runs first. */
export function rejectLater(error: Error): Promise<never> {
  return new Promise((_resolve, reject) => {
    setImmediate(reject, error);
  });
}

/** Resolves with `false` on a later turn. All callers of the same turn share one promise. */
export const falseLater = sharedLater(false);

/** Resolves with `true`, otherwise like `falseLater`. */
export const trueLater = sharedLater(true);

function sharedLater<T>(value: T): () => Promise<T> {
  let shared: Promise<T> | undefined;
  return () =>
    (shared ??= new Promise((resolve) => {
      setImmediate(() => {
        shared = undefined;
        resolve(value);
      });
    }));
}
