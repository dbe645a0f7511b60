/**
 * Connects to a websocket, and reconnects. Runs in browsers, Node, Bun and Deno.
 *
 * @module dwebsocket/client
 */

export { connect } from './connect.js';
export type {
  ClientData,
  ClientMessageFormat,
  ClientMessageKinds,
  ClientOptions,
  ClientState,
  ClientUrl,
  CloseInfo,
  HistoryStart,
  ReceivedByClient,
  ReconnectingWebsocket,
  SentByClient,
  WebSocketClass,
} from './types.js';
export type { SchemaIssue, SchemaResult, StandardSchema } from '../shared/standard-schema.js';
