import type { IncomingMessage } from 'node:http';
import type { Message } from '../options/options.js';
import type { Websocket } from './websocket.js';

/**
 * What an operator can subscribe to with `diagnostics_channel`: the name of each channel and its message. Nothing is
 * made for a channel that nobody listens to.
 */
export interface Diagnostics {
  /** The 101 has gone out, the handler is about to run. */
  'dwebsocket.open': { websocket: Websocket; request: IncomingMessage };
  /** A handshake was answered with a status of ours. */
  'dwebsocket.refused': { request: IncomingMessage; status: number; reason: string };
  /** A message has been received, before the handler reads it. */
  'dwebsocket.receive': { websocket: Websocket; message: Message; bytes: number };
  /** A message has been handed to the socket. */
  'dwebsocket.send': { websocket: Websocket; bytes: number };
  /** The websocket has ended; code and reason are of whoever closed first. */
  'dwebsocket.close': { websocket: Websocket; code: number; reason: string; wasClean: boolean };
  /** A handler has failed. */
  'dwebsocket.error': { websocket: Websocket; error: unknown };
}
