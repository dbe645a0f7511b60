import type { AnyOptions, MessageFormat } from '../options/options.js';
import { resolveOptions } from '../options/policy.js';
import type { StandardSchema } from '../shared/standard-schema.js';
import { createMiddleware, type WebsocketMiddlewareOptions } from './middleware.js';
import type { AnyHandler } from './serve-http.js';
import type { WebsocketRoute } from './types.js';
import type { WebsocketOptions } from './websocket-options.js';
import { wrapAccepting, wrapRequiring, type AcceptWebsocket, type RequireWebsocket } from './wrappers.js';

/** Describes the functions that {@link withDefaults} returns. */
export interface WebsocketWrappers<
  Default extends MessageFormat = 'both',
  DefaultSends extends StandardSchema = StandardSchema,
> {
  acceptWebsocket: AcceptWebsocket<Default, DefaultSends>;
  requireWebsocket: RequireWebsocket<Default, DefaultSends>;
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
export function withDefaults<
  Format extends MessageFormat = 'both',
  Sends extends StandardSchema = StandardSchema,
>(options: WebsocketOptions<Format, Sends>): WebsocketWrappers<Format, Sends> {
  const defaults = resolveOptions(options);
  return {
    acceptWebsocket: (handler: AnyHandler, own?: AnyOptions) => wrapAccepting(handler, own, defaults),
    requireWebsocket: (handler: AnyHandler, own?: AnyOptions) => wrapRequiring(handler, own, defaults),
    websocketMiddleware: (own = {}) => createMiddleware(own, defaults),
  };
}
