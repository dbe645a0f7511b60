/**
 * The longest delay of a timer in milliseconds. A timer does not count while the machine sleeps, and somebody may set the
 * clock. So the time is compared with the clock at least this often. Node also has no timer beyond 2 ** 31 ms.
 */
const LONGEST_DELAY = 60_000;

interface Closable {
  readonly closed: Promise<unknown>;
}

// Not a field, because few websockets close at a set time.
const closeTimers = new WeakMap<Closable, CloseTimer>();

/**
 * Sets when a websocket closes, in milliseconds since 1970. Replaces the time of an earlier call; `null` removes it. Calls
 * `close` at once if the time has passed.
 */
export function setCloseTime(websocket: Closable, time: number | null, close: () => void): void {
  const existing = closeTimers.get(websocket);
  existing?.stop();
  if (time === null) return;
  const timer = existing ?? new CloseTimer();
  if (existing === undefined) {
    closeTimers.set(websocket, timer);
    void websocket.closed.then(() => {
      timer.stop();
    });
  }
  timer.start(time, close);
}

class CloseTimer {
  #timer: NodeJS.Timeout | undefined;

  start(time: number, close: () => void): void {
    const left = time - Date.now();
    if (left <= 0) {
      close();
      return;
    }
    // Uses the global timer and clock, so that the time follows the fake clock of a test.
    this.#timer = setTimeout(
      () => {
        this.start(time, close);
      },
      Math.min(Math.ceil(left), LONGEST_DELAY),
    );
    // The timers of a fake clock may lack this method.
    (this.#timer as Partial<NodeJS.Timeout>).unref?.();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
