import { debug } from '../shared/notices.js';
import { clearTimeout, now, setTimeout } from '../shared/real-timers.js';

/**
 * Runs actions in random order, one by one, evenly spread over `ms` milliseconds. The first one runs at once. Returns a
 * function that cancels the rest. An action that throws does not stop the others.
 *
 * The order is random because neighbours in it often share a network, which would otherwise get them all back together.
 */
export function spread(actions: readonly (() => void)[], ms: number): () => void {
  const order = shuffle(actions);
  const start = now();
  const pause = ms / order.length;
  let timer: NodeJS.Timeout | undefined;
  let done = 0;
  const runDue = (): void => {
    const elapsed = now() - start;
    while (done < order.length && done * pause <= elapsed) attempt(order[done++] as () => void);
    if (done < order.length) timer = setTimeout(runDue, Math.ceil(done * pause - elapsed)).unref();
  };
  runDue();
  return () => {
    done = order.length;
    clearTimeout(timer);
  };
}

/** Runs an action. Logs its error. */
export function attempt(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    debug('a close failed: %o', error);
  }
}

/** Returns the items in random order (Fisher and Yates). */
function shuffle<T>(items: readonly T[]): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}
