/** Returns whether a value is a promise, or an object that works like one. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch {
    // The getter throws, so a promise for this value rejects.
    return true;
  }
}
