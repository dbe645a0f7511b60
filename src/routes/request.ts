import type { IncomingMessage } from 'node:http';
import type { Websocket } from '../websocket/websocket.js';

// The two functions for req.isWebsocket(), shared by all requests.
const yes = (): boolean => true;
const no = (): boolean => false;

/** Describes a request to which the wrappers or the middleware have added their properties. */
export interface Marked extends IncomingMessage {
  isWebsocket?: () => boolean;
  websocket?: Websocket | null;
}

/** Adds `req.isWebsocket()` and `req.websocket` to a request. */
export function markRequest(req: Marked, websocket: Websocket | null): void {
  req.isWebsocket = websocket === null ? no : yes;
  req.websocket = websocket;
}

/** Adds the same properties, but calls `open` for each read of `req.websocket` until {@link markRequest} sets a value. */
export function markRequestLazily(req: Marked, open: () => Websocket | null): void {
  req.isWebsocket = yes;
  Object.defineProperty(req, 'websocket', {
    get: open,
    set(value: unknown) {
      Object.defineProperty(req, 'websocket', {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    },
    configurable: true,
    // Code that copies a request, such as a logger, must not accept the websocket.
    enumerable: false,
  });
}
