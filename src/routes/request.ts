import type { IncomingMessage } from 'node:http';
import type { Websocket } from '../websocket/websocket.js';

// Shared by all requests: these are the two answers of req.isWebsocket().
const yes = (): boolean => true;
const no = (): boolean => false;

/** What is put on a request. */
export interface Marked extends IncomingMessage {
  isWebsocket?: () => boolean;
  websocket?: Websocket | null;
}

/** Puts `req.isWebsocket()` and `req.websocket` on a request. */
export function markRequest(req: Marked, websocket: Websocket | null): void {
  req.isWebsocket = websocket === null ? no : yes;
  req.websocket = websocket;
}

/** The same for a websocket that is looked for when it is touched; {@link markRequest} takes its place. */
export function markRequestLazily(req: Marked, touch: () => Websocket | null): void {
  req.isWebsocket = yes;
  Object.defineProperty(req, 'websocket', {
    get: touch,
    set(value: unknown) {
      Object.defineProperty(req, 'websocket', {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    },
    configurable: true,
    // Who copies a request, as loggers do, must not accept its websocket.
    enumerable: false,
  });
}
