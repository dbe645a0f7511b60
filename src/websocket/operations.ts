import { WebsocketError } from '../shared/errors.js';
import type { Claim } from './claim.js';
import type { Data } from './frame.js';

/** Listens for the end of a websocket's connection, and for errors of what it was handed over to. */
export interface EndListener {
  websocketEnded(): void;
  websocketFailed(error: unknown): void;
}

/**
 * Internal operations on a websocket. Each needs private fields, which only the copy of the package that created the
 * websocket can access.
 */
export interface Operations<W = object> {
  /** Returns whether the copy that owns these operations created the websocket `value`. */
  isOwn(value: object): boolean;
  /**
   * Sends a frame that was encoded once for many websockets. It contains `data`, as binary or text. `latest` is the option of the
   * same name.
   */
  sendFrame(
    websocket: W,
    frame: Buffer,
    data: Data,
    binary: boolean | undefined,
    latest?: string,
  ): PromiseLike<boolean>;
  /** Sends what the option `latest` holds back while the peer is behind. */
  sendHeld(websocket: W): void;
  /** Closes like `close`, but `timeout` (milliseconds) replaces the `closeTimeout` of the route. */
  closeWithin(websocket: W, timeout: number, code: number, reason: string): PromiseLike<void>;
  /** Ends the connection without a closing handshake. */
  terminate(websocket: W): void;
  /** Returns the listener for the end of a websocket. */
  endListenerOf(websocket: W): EndListener | undefined;
  /** Returns the signal of a websocket, if it was created. */
  existingSignal(websocket: W): AbortSignal | undefined;
  /** Hands a websocket over. */
  claim(websocket: W): Claim;
  /** Returns what identifies the route of a websocket, so that each warning appears once for it: its options. */
  routeOf(websocket: W): object;
  /** Returns the code with which a websocket has closed or is closing. */
  closeCodeOf(websocket: W): number;
  /** Returns whether a websocket was handed over, so that it stays open when its handler has ended. */
  isHandedOver(websocket: W): boolean;
}

// The symbol is global and the operations are on the prototype. So a websocket of another installed copy brings the
// operations that can access its private fields. An incompatible change needs a new number, here and in the state of
// a server.
const OPERATIONS = Symbol.for('dwebsocket.websocket.1');

/** Adds the operations to the websockets of this copy. Makes `instanceof` also recognize websockets of other copies. */
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

/** @throws {WebsocketError} No compatible copy of the package created the websocket. */
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

export const sendHeld: Operations['sendHeld'] = (websocket) => {
  operationsOf(websocket).sendHeld(websocket);
};

export const closeWithin: Operations['closeWithin'] = (websocket, ...rest) =>
  operationsOf(websocket).closeWithin(websocket, ...rest);

export const terminateWebsocket: Operations['terminate'] = (websocket) => {
  operationsOf(websocket).terminate(websocket);
};

export const endListenerOf: Operations['endListenerOf'] = (websocket) =>
  operationsOf(websocket).endListenerOf(websocket);

export const existingSignal: Operations['existingSignal'] = (websocket) =>
  operationsOf(websocket).existingSignal(websocket);

export const claimWebsocket: Operations['claim'] = (websocket) => operationsOf(websocket).claim(websocket);

export const isHandedOver: Operations['isHandedOver'] = (websocket) =>
  operationsOf(websocket).isHandedOver(websocket);

export const routeOf: Operations['routeOf'] = (websocket) => operationsOf(websocket).routeOf(websocket);

export const closeCodeOf: Operations['closeCodeOf'] = (websocket) =>
  operationsOf(websocket).closeCodeOf(websocket);
