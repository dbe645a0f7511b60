import type { IncomingMessage } from 'node:http';
import type { Message } from '../options/options.js';
import type { SchemaIssue } from '../shared/standard-schema.js';
import type { Websocket } from './websocket.js';

/**
 * Maps the name of each `diagnostics_channel` channel to the type of its messages. The package creates messages only for
 * channels that have subscribers.
 */
export interface Diagnostics {
  /** Published when the 101 is sent, before the handler runs. */
  'dwebsocket.open': { websocket: Websocket; request: IncomingMessage };
  /** Published when the package, and not the app, answers a handshake with an error status. */
  'dwebsocket.refused': { request: IncomingMessage; status: number; reason: string };
  /** Published when a message arrives, before the handler reads it. */
  'dwebsocket.receive': { websocket: Websocket; message: Message; bytes: number };
  /** Published when a message that does not fit the option `messages` is read. `text` is the message as it came. */
  'dwebsocket.invalid': { websocket: Websocket; issues: readonly SchemaIssue[]; text: string };
  /** Published when a message is sent. */
  'dwebsocket.send': { websocket: Websocket; bytes: number };
  /** Published when the websocket has ended. Code and reason come from the side that closed first. */
  'dwebsocket.close': { websocket: Websocket; code: number; reason: string; wasClean: boolean };
  /** Published when a handler has failed. */
  'dwebsocket.error': { websocket: Websocket; error: unknown };
  /**
   * Published when a message to a group arrives from the backplane, before the members in this process get it. `lag` is the time since
   * `send` in milliseconds, by the clocks of both processes; at least 0. It is `undefined` if the channel has no subscriber in the
   * process that sent the message.
   */
  'dwebsocket.group.receive': { group: string; bytes: number; lag: number | undefined };
}
