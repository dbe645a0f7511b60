// Node's types, also for a project whose "types" name none, as `tsc --init` writes it.
/// <reference types="node" preserve="true" />
/**
 * WebSockets in a route of Express, Connect, or a bare server.
 *
 * @module dwebsocket
 */

export { attachWebsocket, type AttachOptions, type UpgradeRequest } from './attach.js';
export type { Diagnostics } from './diagnostics-messages.js';
export {
  WebsocketArgumentError,
  WebsocketClosedError,
  WebsocketError,
  WebsocketOptionError,
} from './errors.js';
export type { PerMessageDeflateOptions } from './deflate.js';
export type { Data } from './frame.js';
export { websocketMiddleware, type WebsocketMiddlewareOptions } from './middleware.js';
export type {
  Message,
  MessageKind,
  MessageKinds,
  OriginJudge,
  ProtocolChooser,
  WebsocketOptions,
} from './options.js';
export type { Server } from './server-state.js';
export { closeWebsockets, openWebsockets, type CloseWebsocketsOptions } from './shutdown.js';
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
} from './types.js';
export { Websocket, type CloseInfo, type SendOptions } from './websocket.js';
export { withDefaults, type WebsocketWrappers } from './with-defaults.js';
export {
  acceptWebsocket,
  requireWebsocket,
  type AcceptWebsocket,
  type RequireWebsocket,
} from './wrappers.js';
