import type { Duplex } from 'node:stream';
import { nextTick } from './real-timers.js';

const METHODS = ['write', 'end', 'destroy'] as const;
const EVENTS = ['error', 'finish', 'close', 'data', 'end', 'readable', 'drain', 'timeout'] as const;

/**
 * Keeps the other 'upgrade' listeners of a server away from a socket that is ours, while they are called with it.
 *
 * Node gives one socket to all listeners, and several libraries answer at once what is not for them: `ws` with a
 * `path` writes a 400. So for the length of the event the socket has no hands, and what was hung on it meanwhile is
 * taken off. One that looks later, whether anybody has answered (socket.io does after a second, and ends the socket),
 * finds that somebody has, however long our middleware takes.
 */
export function shieldSocket(socket: Duplex, whenCalled: () => void): void {
  const before = EVENTS.map((event) => socket.rawListeners(event));
  for (const method of METHODS) {
    const value = method === 'write' ? () => true : () => socket;
    Object.defineProperty(socket, method, { value, configurable: true });
  }
  nextTick(() => {
    for (const method of METHODS) Reflect.deleteProperty(socket, method);
    EVENTS.forEach((event, i) => {
      for (const listener of socket.rawListeners(event)) {
        if (!before[i]?.includes(listener)) socket.removeListener(event, listener as () => void);
      }
    });
    Object.defineProperty(socket, 'bytesWritten', { get: countBytesWritten, configurable: true });
    // As Node left it for the upgrade: nobody reads yet.
    if (socket.readableFlowing !== null) Object.assign(socket, { readableFlowing: null });
    whenCalled();
  });
}

/** Never 0, which others take for "nobody has answered". */
function countBytesWritten(this: Duplex): number {
  return (
    (Reflect.get(Object.getPrototypeOf(this) as object, 'bytesWritten', this) as number | undefined) || 1
  );
}
