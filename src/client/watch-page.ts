import { page } from './page.js';

/** Returns whether the browser knows that there is no network. */
export const isOffline = (): boolean => page.navigator?.onLine === false;

/**
 * Calls back until `signal` aborts. Where there is no page, it only notices that the computer has slept.
 */
export function watchPage(signal: AbortSignal, onLost: (reason: string) => void, onAwake: () => void): void {
  /** How often to look at the clock, in milliseconds. Browsers run the timers of a hidden page once a minute. */
  const TICK = 30_000;
  /** A longer time between two looks means that the computer has slept. */
  const SLEEP = 120_000;

  let lastTick = Date.now();
  const tick = (): void => {
    const now = Date.now();
    if (now - lastTick > SLEEP) {
      onLost('sleep');
      onAwake();
    }
    lastTick = now;
  };
  const timer = setInterval(tick, TICK);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
  });
  // 'visibilitychange' bubbles from the document to the window.
  for (const each of ['online', 'offline', 'visibilitychange', 'pageshow'])
    page.addEventListener?.(
      each,
      ({ type, persisted }) => {
        tick();
        // A page that returns from the back/forward cache has lost its connection, but gets 'close' only later.
        if (type === 'offline' || persisted) onLost(type);
        if (type === 'online' || !page.document?.hidden) onAwake();
      },
      { signal },
    );
}
