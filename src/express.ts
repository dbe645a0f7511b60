/**
 * `import 'dwebsocket/express'`: plain routes behind `websocketMiddleware` know `req.isWebsocket()` and `req.websocket`.
 *
 * Types only, and only where they are asked for: wrapped handlers have theirs anyway, and on other routes of an app
 * without the middleware there is no such thing.
 *
 * @module dwebsocket/express
 */
import type { MaybeWebsocket } from './routes/types.js';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- it is Express's, which exists to be added to
  namespace Express {
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- all of it is inherited
    interface Request extends MaybeWebsocket {}
  }
}
