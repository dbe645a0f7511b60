import type { MessageKind, WebsocketOptions } from '../options/options.js';
import { resolveOptions } from '../options/policy.js';
import { createMiddleware, type WebsocketMiddlewareOptions } from './middleware.js';
import type { AnyHandler } from './serve-http.js';
import type { WebsocketRoute } from './types.js';
import { wrapAccepting, wrapRequiring, type AcceptWebsocket, type RequireWebsocket } from './wrappers.js';

/** What {@link withDefaults} returns. */
export interface WebsocketWrappers<Default extends MessageKind = 'both'> {
  acceptWebsocket: AcceptWebsocket<Default>;
  requireWebsocket: RequireWebsocket<Default>;
  /** As the export of the same name, with the defaults. */
  websocketMiddleware: (options?: WebsocketMiddlewareOptions) => WebsocketRoute;
}

/**
 * The wrappers with other defaults, for an app that wants the same options on all its routes. What a route gives itself
 * still comes first.
 *
 * @throws {WebsocketOptionError} An option that cannot be.
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
