import { setImmediate } from './real-timers.js';

/** Resolves on a later turn of the event loop, when others have been served. */
export function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => {
    setImmediate(resolve, value);
  });
}

/** The same, made only for those who await it. */
export function laterIfAwaited<T>(value: T): PromiseLike<T> {
  return { then: (resolve, reject) => later(value).then(resolve, reject) };
}

/** Rejects on a later turn of the event loop, when others have been served. */
export function rejectLater(error: Error): Promise<never> {
  return new Promise((_resolve, reject) => {
    setImmediate(reject, error);
  });
}

/** Resolves with `false` on a later turn; one promise for all who ask in this turn. */
export const falseLater = sharedLater(false);

/** The same with `true`. */
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
