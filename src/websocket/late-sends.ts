import type { IncomingMessage } from 'node:http';
import { pathOf, warnOnce } from '../shared/notices.js';

/** After this many messages to a closed websocket, a handler probably runs an endless loop. */
const MAX_LATE_SENDS = 100;

/** Counts the messages that a handler sends to a closed websocket. */
export class LateSends {
  #count = 0;
  #unread = 0;

  /** Counts a message. Returns `true` once: when the number reaches the limit. */
  count(unread: number): boolean {
    if (unread !== this.#unread) {
      // The handler still answers messages that arrived before the close. So its loop will end.
      this.#unread = unread;
      this.#count = 0;
    }
    return ++this.#count === MAX_LATE_SENDS;
  }
}

/** Warns once for each `about`, which is the policy of a route. */
export function warnOfLateSends(about: object, req: IncomingMessage): void {
  warnOnce(
    about,
    'WEBSOCKET_LATE_SENDS',
    `a handler has sent ${String(MAX_LATE_SENDS)} messages to a closed websocket (${pathOf(req)}); ` +
      'end its loop with "while (!websocket.isClosed())", "while (await websocket.sleep(ms))" or ' +
      '"if (!(await websocket.send(message))) break"',
  );
}
