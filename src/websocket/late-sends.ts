import type { IncomingMessage } from 'node:http';
import { pathOf, warnOnce } from '../shared/notices.js';

/** How many messages a handler may send to a closed websocket before it looks like an endless loop. */
const TOLERATED = 100;

/** Counts the messages that a handler sends to a websocket that has closed. */
export class LateSends {
  #count = 0;
  #unread = 0;

  /** Counts one more; returns `true` for the one that is too many. */
  count(unread: number): boolean {
    if (unread !== this.#unread) {
      // The handler answers messages that came before the close, and ends with them.
      this.#unread = unread;
      this.#count = 0;
    }
    return ++this.#count === TOLERATED;
  }
}

/** Warns once for each `about`, the options of a route. */
export function warnOfLateSends(about: object, req: IncomingMessage): void {
  warnOnce(
    about,
    'WEBSOCKET_LATE_SENDS',
    `a handler has sent ${String(TOLERATED)} messages to a websocket that is closed (${pathOf(req)}); ` +
      'end its loop with "while (!websocket.isClosed())", "while (await websocket.sleep(ms))" or ' +
      '"if (!(await websocket.send(message))) break"',
  );
}
