/**
 * Adds the types of `req.isWebsocket()` and `req.websocket` to plain routes behind `websocketMiddleware`. To use them, write
 * `import 'dwebsocket/express'`.
 *
 * It contains only types, and is a separate import: plain routes have these properties only behind the middleware. Wrapped
 * handlers have these types without it.
 *
 * @module dwebsocket/express
 */
import type { MaybeWebsocket } from './routes/types.js';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- Express provides it for extensions
  namespace Express {
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- all members are inherited
    interface Request extends MaybeWebsocket {}
  }
}
