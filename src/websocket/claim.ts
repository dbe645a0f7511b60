import type { IncomingMessage } from 'node:http';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { WebsocketClosedError } from '../shared/errors.js';
import type { CloseInfo } from './close-info.js';
import type { Connection } from './connection.js';
import type { Data } from './frame.js';
import type { MessageQueue } from './message-queue.js';

/** A stream has no loop that could be left. Libraries log this error. */
const NO_ADVICE = '';

/** Sends on a websocket that was handed over, and closes it. */
export interface Line {
  readonly connection: Connection;
  readonly request: IncomingMessage;
  /** How the websocket had ended before it was handed over. */
  readonly end: CloseInfo | undefined;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<CloseInfo>;
  readonly highWaterMark: number;
  readonly maxBuffered: number;
  /** Returns the number of bytes that are not written yet. */
  buffered(): number;
  /**
   * Sends a message as it is. Resolves with `true` when the next one may be sent, and with `false` when the websocket has
   * closed.
   */
  send(data: Data, binary?: boolean): PromiseLike<boolean>;
  /** Starts the closing handshake. 1005 sends no code. Does nothing if either side has begun to close. */
  close(code: number, reason: string): void;
  /** Ends the connection at once. */
  terminate(): void;
  /** Handles an error of the library as one of the handler: closes with 1011, and calls the app's error handlers. */
  fail(error: unknown): void;
}

/** What a library, a stream or a relay gets of a websocket that was handed over. */
export interface Claim extends Line {
  /** All unread and all future messages. */
  readonly messages: MessageQueue<Message>;
  /** Returns whether messages came after this side had begun to close. */
  hasDropped(): boolean;
}

/**
 * Returns why a stream over a websocket is not whole, or `undefined`. A stream ends in order only with 1000 or without a code.
 * A browser that leaves the page in the middle of an upload closes in order, too, with 1001.
 */
export function lossOf(info: CloseInfo): WebsocketClosedError | undefined {
  const { code, wasClean } = info;
  const isWhole = wasClean && (code === CloseCode.normal || code === CloseCode.noStatus);
  return isWhole ? undefined : closedError(info);
}

export function closedError({ code, reason }: CloseInfo): WebsocketClosedError {
  return new WebsocketClosedError(code, reason, NO_ADVICE);
}

/** Returns why what was read is not whole, or `undefined`. Messages may come after this side has closed. */
export function readLossOf(claim: Claim, info: CloseInfo): WebsocketClosedError | undefined {
  return claim.hasDropped() ? closedError(info) : lossOf(info);
}

/** Returns the error for a message that could not be sent because the websocket had closed. */
export async function closedErrorOf({ closed }: Line): Promise<WebsocketClosedError> {
  return closedError(await closed);
}
