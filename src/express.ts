/**
 * Adds the types of `req.isWebsocket()` and `req.websocket` to plain routes behind `websocketMiddleware`. To use them, write
 * `import 'dwebsocket/express'`.
 *
 * It contains only types, and the package does not load it itself. Wrapped handlers have these types already, and without
 * the middleware plain routes do not have these properties.
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
