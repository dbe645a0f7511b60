import type { Server } from 'node:http';

/** What each library serves, on `/ws` unless a comment names another path. `null`: it has nothing of the kind. */
export interface Apps {
  /** Sends every message back. */
  echo: App;
  /** The same behind async middleware that takes `DECISION` to let a client in, for plain HTTP (404), too. */
  guarded: App;
  /** Takes a message, works for 50 ms, takes the next one, and answers with both. */
  pull: App;
  /** Waits for a message for 50 ms, says `late`, and then sends the next one back. */
  patience: App;
  /**
   * Works for a second, then takes all messages; has a queue of 16 KiB where that can be set. Pings meanwhile, so that it
   * sees a broken connection. Tells at the end what `describeMessages` says.
   */
  collects: App;
  /** Sends a message each second and takes none. */
  ticks: App;
  /** The same, with permessage-deflate. */
  compressed: App | null;
  /** When a message has come, sends `PINGS` pings, and then the message. */
  pings: App;
  /** Awaits a server that does not answer, with an abort signal. Tells `asked` before and `ended` after. */
  fetches: App | null;
  /** When a message has come, closes with a reason of 100 characters that are 200 bytes. */
  longReason: App;
  /** Answers with JSON by its response, as a route for plain HTTP does. */
  answers: App | null;
  /** Throws when a message has come. */
  throws: App;
  /** Throws at once. An error handler of the app answers after 50 ms. */
  lateErrorPage: App | null;
  /** The same in a router, behind an access log that tells `log` when the response has finished. */
  accessLog: App | null;
  /** Echo on `/api/ws`, in a router of the library's own framework. */
  router: App | null;
  /** `POST /upload` answers with the length of its body. Tells the method and the path of each request. */
  uploads: App;
  /** Echo, and `USER_HEADER` on each answer: 200 on `/`, 101 on `/ws`. */
  header: App | null;
  /** Echo for pages whose origin is `file://`, by the option of the library. */
  fileOrigin: App | null;
  /** Sends `makeBroadcast()` to all its clients for each message. */
  broadcasts: App | null;
  /** Echo, and socket.io on the same server. */
  beside: App;
  /** Echo, and a listener for 'upgrade' that ends all that it does not know, after an `await`. */
  neighbour: App;
  /** Echo, and server-sent events on `/events`. */
  events: App;
}

export type AppName = keyof Apps;

/** Builds a server that does not listen yet, as the library's documentation says. */
export type App = (tell: Tell) => Running | Promise<Running>;

/** Tells the row what has happened: `error` where the documentation says that the errors of handlers arrive. */
export type Tell = (what: string) => void;

export interface Running {
  server: Server;
  /** Stops it as a user of the library does; resolves when the library says that it has stopped. */
  stop: () => Promise<unknown>;
}

/** The usual way to stop: `server.close()` and its callback. */
export function running(server: Server): Running {
  return { server, stop: () => new Promise((resolve) => server.close(resolve)) };
}

/** How long the middleware of `guarded` takes, in milliseconds. */
export const DECISION = 200;

/** Takes its time before a client is let in; longer for `/first`, behind which another request comes. */
export function decide(url = ''): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, url === '/first' ? 3 * DECISION : DECISION));
}

export const LONG_REASON = 'é'.repeat(100);
export const PINGS = 2_000;
/** A character that is one byte in Latin-1, as Node writes headers, and two in UTF-8. */
export const USER_HEADER = ['X-User', 'José'] as const;

/** A new text at each call: 3,000 times the same one would take memory for one. */
export function makeBroadcast(): string {
  return Buffer.alloc(64 * 1024, 'x').toString();
}

/** The payload of the message with this number, for `collects`. */
export function numberedPayload(number: number): Buffer {
  return Buffer.alloc(1024, number % 251);
}

export const ALL_AS_SENT = 'all messages are as they were sent';

export function describeMessages(messages: Buffer[]): string {
  const changed = messages.findIndex((message, i) => !message.equals(numberedPayload(i)));
  return changed === -1 ? ALL_AS_SENT : `message ${changed} of ${messages.length} is not what was sent`;
}
