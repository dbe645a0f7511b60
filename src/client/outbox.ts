import type { Settings } from './options.js';
import { OPEN, sizeOf, type Bytes, type Socket } from './socket.js';

type Resolve = (wasSent: boolean | Promise<boolean>) => void;

/** How often to look whether the connection has sent what is buffered, in milliseconds. Browsers have no event for it. */
const DRAIN_INTERVAL = 50;

/** Passes messages to the open connection, and keeps them while there is none. */
export function createOutbox({ maxBuffered, highWaterMark }: Settings) {
  let socket: Socket | undefined;
  const kept: { readonly data: string | Bytes; readonly resolve: Resolve }[] = [];
  /** What the kept messages count. */
  let size = 0;
  let isStopped = false;
  /** Resolve the sends that wait until the connection has sent enough. */
  const draining: Resolve[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;

  const endDraining = (): void => {
    clearInterval(timer);
    timer = undefined;
    for (const resolve of draining.splice(0)) resolve(true);
  };

  const pass = (to: Socket, data: string | Bytes, resolve: Resolve): void => {
    to.send(data);
    if (to.bufferedAmount <= highWaterMark) {
      resolve(true);
      return;
    }
    draining.push(resolve);
    timer ??= setInterval(() => {
      if (to.bufferedAmount <= highWaterMark) endDraining();
    }, DRAIN_INTERVAL);
  };

  return {
    send: (data: string | Bytes): Promise<boolean> =>
      new Promise((resolve) => {
        const total = size + sizeOf(data);
        // A connection that is closing takes a message, and drops it.
        if (socket?.readyState === OPEN) pass(socket, data, resolve);
        else if (isStopped || (size > 0 && total > maxBuffered)) setTimeout(resolve, 0, false);
        else {
          size = total;
          kept.push({ data, resolve });
        }
      }),

    /** Sends what was kept. */
    open(opened: Socket): void {
      socket = opened;
      size = 0;
      for (const { data, resolve } of kept.splice(0)) pass(opened, data, resolve);
    },

    /** The connection is lost. */
    lose(): void {
      socket = undefined;
      endDraining();
    },

    /** Drops what was kept. No message is sent after that. */
    stop(): void {
      isStopped = true;
      for (const { resolve } of kept.splice(0)) resolve(false);
    },
  };
}
