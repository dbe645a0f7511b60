// Loads Node's types even if the project's "types" is empty, as in the configuration that `tsc --init` writes.
/// <reference types="node" preserve="true" />
/**
 * Provides WebSockets in the routes of Express, Connect, or a bare server.
 *
 * @module dwebsocket
 */

export { attachWebsocket, type AttachOptions, type UpgradeRequest } from './server/attach.js';
export type { Diagnostics } from './websocket/diagnostics-messages.js';
export {
  WebsocketArgumentError,
  WebsocketClosedError,
  WebsocketError,
  WebsocketOptionError,
} from './shared/errors.js';
export type { PerMessageDeflateOptions } from './options/deflate.js';
export type { Data } from './websocket/frame.js';
export { websocketMiddleware, type WebsocketMiddlewareOptions } from './routes/middleware.js';
export type {
  InvalidListener,
  Message,
  MessageFormat,
  MessageKind,
  MessageKinds,
  MessageRate,
  OriginJudge,
  ProtocolChooser,
  RouteOptions,
} from './options/options.js';
export type {
  SchemaInput,
  SchemaIssue,
  SchemaOutput,
  SchemaResult,
  StandardSchema,
} from './shared/standard-schema.js';
export type { ValueFormat } from './values/codec.js';
export type { Server } from './server/server-state.js';
export { closeWebsockets, openWebsockets, type CloseWebsocketsOptions } from './server/shutdown.js';
export type {
  AcceptWebsocketHandler,
  AcceptWebsocketRequest,
  MaybeWebsocket,
  Next,
  RequireWebsocketHandler,
  RequireWebsocketRequest,
  RouteParams,
  RouteQuery,
  WebsocketRoute,
  WithWebsocket,
} from './routes/types.js';
export type { CloseInfo } from './websocket/close-info.js';
export type { HandedOverWebsocket, LibraryServer, StreamOptions } from './websocket/library-types.js';
export { limitOpen, type LimitKey, type LimitKeyOf, type LimitOpenOptions } from './routes/limit-open.js';
export { relay, type RelayEnd } from './websocket/relay.js';
export type { UpstreamSocket } from './websocket/upstream.js';
export { Websocket, type SendOptions } from './websocket/websocket.js';
export { passUpgrade, type PassUpgradeOptions, type UpgradeHandler } from './routes/pass-upgrade.js';
export type { ReceivedMessage, SendableMessage, WebsocketOptions } from './routes/websocket-options.js';
export { withDefaults, type WebsocketWrappers } from './routes/with-defaults.js';
export {
  acceptWebsocket,
  requireWebsocket,
  type AcceptWebsocket,
  type RequireWebsocket,
} from './routes/wrappers.js';
