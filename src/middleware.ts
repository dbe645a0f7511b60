import type { IncomingMessage, ServerResponse } from 'node:http';
import { Acceptor } from './accept.js';
import { watchServers } from './attach.js';
import { CloseCode } from './close-codes.js';
import { defineKind, optionError, WebsocketError } from './errors.js';
import { isWebsocketUpgrade, type Refusal } from './handshake.js';
import { debug } from './notices.js';
import { checkObject, resolveOptions, type Policy, type WebsocketOptions } from './options.js';
import { markRequest, markRequestLazily } from './request.js';
import { giveSink, tellRefusal } from './response.js';
import type { WebsocketRoute } from './types.js';
import { closeRequest, upgradeOf } from './upgrade.js';
import type { Websocket } from './websocket.js';

/** Options of {@link websocketMiddleware}: those of the wrappers, and one more. */
export interface WebsocketMiddlewareOptions extends WebsocketOptions {
  /**
   * dwebsocket's `WEBSOCKET_ACCEPT_ALL`: whether any later route may talk, wrapped or not.
   *
   * @default false
   */
  acceptAll?: boolean | undefined;
}

/** `req.websocket` was touched, and the handshake is refused; Express answers with `status`. */
export class WebsocketRefusedError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_REFUSED';
  /** The HTTP status of the refusal. */
  readonly status: number;
  /** The headers of the refusal. */
  readonly headers: Readonly<Record<string, string>>;
  /** The text is for the client, too: what error handlers of the kind of `http-errors` look at. */
  readonly expose = true;

  constructor({ status, text, headers }: Refusal) {
    super('ERR_WEBSOCKET_REFUSED', text);
    this.status = status;
    this.headers = headers;
  }
}
defineKind(WebsocketRefusedError, 'ERR_WEBSOCKET_REFUSED');

/**
 * dwebsocket's middleware: puts `req.isWebsocket()` and `req.websocket` on every request.
 *
 * Without `acceptAll` only wrapped routes talk; elsewhere `req.isWebsocket()` tells what the client wants, and
 * `req.websocket` is `null`. With `acceptAll` any later route may: the 101 goes out when it first touches
 * `req.websocket`, and the websocket lives until the route ends the response (`res.end()`, 1000), fails (1011), or the
 * peer leaves. A route that never touches it answers plain HTTP.
 *
 * @throws {WebsocketOptionError} An option that cannot be.
 * @example
 * app.use(websocketMiddleware({ acceptAll: true }));
 * app.get('/time', async (req, res) => {
 *   if (!req.isWebsocket()) return res.send(new Date());
 *   while (await req.websocket.sleep(1_000)) req.websocket.send(new Date().toISOString());
 *   res.end();
 * });
 */
export function websocketMiddleware(options: WebsocketMiddlewareOptions = {}): WebsocketRoute {
  return createMiddleware(options);
}

export function createMiddleware(options: WebsocketMiddlewareOptions, defaults?: Policy): WebsocketRoute {
  checkObject(options);
  const { acceptAll = false, ...rest } = options;
  if (typeof acceptAll !== 'boolean') throw optionError(TypeError, 'acceptAll', 'true or false', acceptAll);
  const acceptor = new Acceptor(resolveOptions(rest, defaults));
  watchServers();
  return (req, res, next) => {
    if (!isWebsocketUpgrade(req) || upgradeOf(req) === undefined) {
      markRequest(req, null);
    } else {
      markRequestLazily(req, () => (acceptAll ? open(acceptor, req, res) : leaveClosed(req)));
    }
    next?.();
  };
}

function leaveClosed(req: IncomingMessage): null {
  debug(
    '%s: req.websocket is null, for its route is not wrapped with acceptWebsocket or requireWebsocket',
    req.url,
  );
  return null;
}

function open(acceptor: Acceptor, req: IncomingMessage, res: ServerResponse): Websocket | null {
  const verdict = acceptor.judge(req);
  if (verdict.refused) {
    tellRefusal(req, verdict.status, verdict.text);
    throw new WebsocketRefusedError(verdict);
  }
  const websocket = acceptor.open(req, res, {
    websocketEnded() {
      if (!res.writableEnded) res.end();
      closeRequest(req);
    },
  });
  if (websocket === undefined) {
    markRequest(req, null);
    return null;
  }
  giveSink(res);
  res.once('finish', () => {
    void websocket.close();
  });
  const { socket } = req;
  // Where a route fails, Express's last error handler destroys `req.socket`: that is how we learn of it, and the peer
  // is told with a close code instead.
  const stand = Object.create(socket, {
    destroy: {
      value: () => {
        void websocket.close(CloseCode.internalError);
        return stand as unknown;
      },
    },
  }) as typeof socket;
  Object.defineProperty(req, 'socket', { value: stand, configurable: true, writable: true });
  return websocket;
}
