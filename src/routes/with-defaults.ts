import type { MessageKind, WebsocketOptions } from '../options/options.js';
import { resolveOptions } from '../options/policy.js';
import { createMiddleware, type WebsocketMiddlewareOptions } from './middleware.js';
import type { AnyHandler } from './serve-http.js';
import type { WebsocketRoute } from './types.js';
import { wrapAccepting, wrapRequiring, type AcceptWebsocket, type RequireWebsocket } from './wrappers.js';

/** Describes the functions that {@link withDefaults} returns. */
export interface WebsocketWrappers<Default extends MessageKind = 'both'> {
  acceptWebsocket: AcceptWebsocket<Default>;
  requireWebsocket: RequireWebsocket<Default>;
  /** Works like the export of the same name, but with the defaults that were given to {@link withDefaults}. */
  websocketMiddleware: (options?: WebsocketMiddlewareOptions) => WebsocketRoute;
}

/**
 * Returns the wrappers with `options` as their defaults, for an app whose routes share options. The options of a single
 * route override these defaults.
 *
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @example const { acceptWebsocket, requireWebsocket } = withDefaults({ messages: 'text', heartbeat: 10_000 });
 */
export function withDefaults<Kind extends MessageKind = 'both'>(
  options: WebsocketOptions<Kind>,
): WebsocketWrappers<Kind> {
  const defaults = resolveOptions(options);
  return {
    acceptWebsocket: (handler: AnyHandler, own?: WebsocketOptions) => wrapAccepting(handler, own, defaults),
    requireWebsocket: (handler: AnyHandler, own?: WebsocketOptions) => wrapRequiring(handler, own, defaults),
    websocketMiddleware: (own = {}) => createMiddleware(own, defaults),
  };
}
