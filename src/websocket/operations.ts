import { WebsocketError } from '../shared/errors.js';
import type { Data } from './frame.js';

/** Learns when the connection of a websocket has ended. */
export interface EndListener {
  websocketEnded(): void;
}

/**
 * What this package does with a websocket, and its users cannot: each needs the private fields of the copy of the package
 * that made the websocket.
 */
export interface Operations<W = object> {
  /** Returns whether `value` is a websocket of the copy that has these operations. */
  isOwn(value: object): boolean;
  /** Sends a frame that was encoded once for many websockets; `data` and `binary` are what it holds. */
  sendFrame(websocket: W, frame: Buffer, data: Data, binary: boolean | undefined): PromiseLike<boolean>;
  /** Closes as `close` does; the peer has `timeout` milliseconds to answer, and not the route's `closeTimeout`. */
  closeWithin(websocket: W, timeout: number, code: number, reason: string): PromiseLike<void>;
  /** Cuts the connection, without a closing handshake. */
  terminate(websocket: W): void;
  /** Returns the listener for the end of a websocket. */
  endListenerOf(websocket: W): EndListener | undefined;
  /** Returns the signal of a websocket, if anybody has asked for it. */
  existingSignal(websocket: W): AbortSignal | undefined;
}

// On the prototype, and under a name that another installed copy of the package knows, too: a websocket of that copy
// brings the operations that can reach into its private fields. A change that the other copy would not understand
// needs a new number, here and at the state of a server.
const OPERATIONS = Symbol.for('dwebsocket.websocket.1');

/** Puts the operations on the websockets of this copy, and lets `instanceof` know those of other copies. */
export function provideOperations<W extends object>(
  Class: { readonly prototype: W },
  operations: Operations<W>,
): void {
  Object.defineProperty(Class.prototype, OPERATIONS, { value: operations });
  Object.defineProperty(Class, Symbol.hasInstance, {
    value: (value: unknown) => existingOperationsOf(value)?.isOwn(value as object) === true,
  });
}

function existingOperationsOf(value: unknown): Operations | undefined {
  return (value as { [OPERATIONS]?: Operations } | null | undefined)?.[OPERATIONS];
}

/** @throws {WebsocketError} It is no websocket of a copy that this one knows. */
function operationsOf(websocket: object): Operations {
  const operations = existingOperationsOf(websocket);
  if (operations !== undefined) return operations;
  throw new WebsocketError(
    'ERR_WEBSOCKET_COPY',
    'this websocket belongs to another version of dwebsocket, or to another package; ' +
      '"npm ls dwebsocket" lists the installed versions; install a single one',
  );
}

export const sendFrame: Operations['sendFrame'] = (websocket, ...rest) =>
  operationsOf(websocket).sendFrame(websocket, ...rest);

export const closeWithin: Operations['closeWithin'] = (websocket, ...rest) =>
  operationsOf(websocket).closeWithin(websocket, ...rest);

export const terminateWebsocket: Operations['terminate'] = (websocket) => {
  operationsOf(websocket).terminate(websocket);
};

export const endListenerOf: Operations['endListenerOf'] = (websocket) =>
  operationsOf(websocket).endListenerOf(websocket);

export const existingSignal: Operations['existingSignal'] = (websocket) =>
  operationsOf(websocket).existingSignal(websocket);
