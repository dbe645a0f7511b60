import type { Server } from 'node:http';

/** What a row lets each library serve, on the path `/ws` where nothing else is said. */
export interface Apps {
  /** Sends every message back. */
  echo: App;
  /** The same behind async middleware that takes 100 ms to let a client in, for plain HTTP (404), too. */
  guarded: App;
  /** Takes a message, works for 50 ms, takes the next one, and answers with both. */
  pull: App;
  /** Waits for a message for 50 ms, says `late`, and then sends the next one back. */
  patience: App;
  /** Throws when a message has come. */
  throws: App;
  /** When a message has come, closes with a reason of 100 characters that are 200 bytes. */
  longReason: App;
  /** Echo, and socket.io on the same server. */
  beside: App;
  /** Echo on `/api/ws`, in a router of the library's own framework. `null` where there are no routers. */
  router: App | null;
}

export type AppName = keyof Apps;

/**
 * Builds a server that does not listen yet, as the library's documentation says; `onError` is called from where its
 * documentation says that the errors of handlers arrive.
 */
export type App = (onError: () => void) => Running | Promise<Running>;

export interface Running {
  server: Server;
  /** As a user of the library stops it; resolves when the library says so. */
  stop: () => Promise<unknown>;
}

/** What takes its time before a client is let in; a bit longer for `/first`, behind which another request comes. */
export function decide(url = ''): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, url === '/first' ? 300 : 100));
}

export const LONG_REASON = 'é'.repeat(100);

/** The usual way to stop: `server.close()` and its callback. */
export function running(server: Server): Running {
  return { server, stop: () => new Promise((resolve) => server.close(resolve)) };
}
