interface Target {
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

const page = globalThis as Target & {
  document?: Target & { visibilityState: string };
  navigator?: { onLine?: boolean };
};

/** How often to look at the clock, in milliseconds. Browsers run the timers of a hidden page once a minute. */
const TICK = 30_000;

/** A longer time between two looks means that the computer has slept. */
const SLEEP = 120_000;

/** Returns whether the browser knows that there is no network. */
export const isOffline = (): boolean => page.navigator?.onLine === false;

/** Calls back until `signal` aborts. Where there is no page, it only notices that the computer has slept. */
export function watchPage(signal: AbortSignal, onLost: (reason: string) => void, onAwake: () => void): void {
  const { document } = page;
  let lastTick = Date.now();
  const tick = (): void => {
    const now = Date.now();
    if (now - lastTick > SLEEP) {
      onLost('the computer has slept');
      onAwake();
    }
    lastTick = now;
  };
  const onChange = (): void => {
    tick();
    if (document?.visibilityState !== 'hidden') onAwake();
  };
  const timer = setInterval(tick, TICK);
  const options = { signal };
  page.addEventListener?.('online', onChange, options);
  page.addEventListener?.(
    'offline',
    () => {
      onLost('offline');
    },
    options,
  );
  document?.addEventListener?.('visibilitychange', onChange, options);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
  });
}
