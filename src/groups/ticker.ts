import { clearTimeout, setImmediate, setTimeout } from '../shared/real-timers.js';

/**
 * Calls a function regularly, and does not keep the process alive.
 *
 * Each call comes after the process has read what its sockets have. So answers that arrived while the event loop was
 * blocked do not look late.
 *
 * @returns A function that stops the calls.
 */
export function tickEvery(ms: number, tick: () => void): () => void {
  let isStopped = false;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    timer = setTimeout(() => {
      setImmediate(() => {
        if (isStopped) return;
        tick();
        wait();
      });
    }, ms).unref();
  };
  wait();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
