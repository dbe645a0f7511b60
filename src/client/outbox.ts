import type { Settings } from './options.js';
import type { Bytes, Socket } from './socket.js';

type Resolve = (wasSent: boolean) => void;

/** Passes messages to the open connection, and keeps them while there is none. */
export function createOutbox({ maxBuffered }: Settings) {
  /** The memory of a message in addition to its bytes. So the limit also works for small messages. */
  const OVERHEAD = 100;
  /** With more buffered bytes, `send` waits. */
  const HIGH_WATER_MARK = 65_536;
  /** How often to look whether the connection has sent what is buffered, in milliseconds. Browsers have no event for it. */
  const DRAIN_INTERVAL = 50;

  /** The value of `readyState`. */
  const OPEN = 1;

  let socket: Socket | undefined;
  const kept: (readonly [data: string | Bytes, resolve: Resolve])[] = [];
  /** What the kept messages count. */
  let size = 0;
  /** Resolve the sends that wait until the connection has sent enough. */
  const draining: Resolve[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const pass = (data: string | Bytes, resolve: Resolve): void => {
    (socket as Socket).send(data);
    draining.push(resolve);
    drain();
  };

  const drain = (): void => {
    clearTimeout(timer);
    // What a lost connection has taken counts as sent.
    if (socket && socket.bufferedAmount > HIGH_WATER_MARK) timer = setTimeout(drain, DRAIN_INTERVAL);
    else for (const resolve of draining.splice(0)) resolve(true);
  };

  return {
    send: (data: string | Bytes): Promise<boolean> =>
      new Promise((resolve) => {
        const total = size + data.length + OVERHEAD;
        // A connection that is closing takes a message, and drops it.
        if (socket?.readyState === OPEN) pass(data, resolve);
        else if (size > 0 && total > maxBuffered) setTimeout(resolve, 0, false);
        else {
          size = total;
          kept.push([data, resolve]);
        }
      }),

    /** Sends what was kept. `undefined`: the connection is lost. */
    use(next: Socket | undefined): void {
      socket = next;
      drain();
      if (socket) {
        size = 0;
        for (const [data, resolve] of kept.splice(0)) pass(data, resolve);
      }
    },

    /** Drops what was kept. No message is sent after that. */
    stop(): void {
      size = Infinity;
      for (const [, resolve] of kept.splice(0)) resolve(false);
    },
  };
}
