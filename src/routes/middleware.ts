import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWebsocketUpgrade, refusal, type Refusal } from '../handshake/handshake.js';
import { checkBoolean, checkObject } from '../options/checks.js';
import type { MessageFormat } from '../options/options.js';
import { resolveOptions, type Policy } from '../options/policy.js';
import { judgeWithoutUpgrade } from '../server/missed-upgrade.js';
import { upgradeOf } from '../server/upgrade.js';
import { noteRoute, watchServers } from '../server/watch-servers.js';
import { debug } from '../shared/notices.js';
import { openEndedWebsocket } from '../websocket/open-websocket.js';
import type { Websocket } from '../websocket/websocket.js';
import { Acceptor } from './accept.js';
import { Exchange } from './exchange.js';
import { markRequest, markRequestLazily } from './request.js';
import { asNext, warnOfFailure } from './serve-http.js';
import type { Next, WebsocketRoute } from './types.js';
import type { WebsocketOptions } from './websocket-options.js';

/** Lists the options of {@link websocketMiddleware}: those of the wrappers, and `acceptAll`. */
export interface WebsocketMiddlewareOptions extends WebsocketOptions<MessageFormat> {
  /**
   * Allows all later routes to use the websocket, wrapped or not, like `WEBSOCKET_ACCEPT_ALL` of Python's
   * dwebsocket.
   *
   * @default false
   */
  acceptAll?: boolean | undefined;
}

/**
 * Adds `req.isWebsocket()` and `req.websocket` to every request, like the middleware of Python's dwebsocket.
 *
 * Without `acceptAll` only wrapped routes have a websocket. In other routes `req.isWebsocket()` says whether the client asks
 * for a websocket, and `req.websocket` is `null`.
 *
 * With `acceptAll` all later routes may use the websocket. The package sends the 101 when a route first reads
 * `req.websocket`. A route that never reads it answers over plain HTTP. If the handshake is refused, the route gets a closed
 * websocket. The websocket stays open until the route ends the response, the route fails, or the peer leaves. `res.end()`
 * closes it with 1000; for a status of 400 to 499 other than 404 with 1008; from 500 on with 1011. A route that fails closes
 * it with 1011. Text that the route writes to the response is discarded.
 *
 * Such a route is not wrapped, so only the framework can handle its promise. Express 4 and Connect ignore it: there an async
 * route that rejects ends the process. An endless loop around `wait()` rejects when the client leaves. End the loop when
 * `wait()` returns `null`, or wrap the route.
 *
 * @throws {WebsocketOptionError} An option is wrong or unknown.
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

/** Creates the middleware, with other defaults for its options if they are given. */
export function createMiddleware(options: WebsocketMiddlewareOptions, defaults?: Policy): WebsocketRoute {
  checkObject(options);
  const { acceptAll = false, ...rest } = options;
  checkBoolean(acceptAll, 'acceptAll');
  const acceptor = new Acceptor(resolveOptions(rest, defaults));
  watchServers();
  return (req, res, next) => {
    noteRoute(req);
    if (!isWebsocketUpgrade(req)) {
      markRequest(req, null);
    } else if (upgradeOf(req) === undefined) {
      // Also attaches an unknown server, for later requests.
      const { text } = judgeWithoutUpgrade(req);
      debug('%s: handled as plain HTTP, %s', req.url, text);
      markRequest(req, null);
    } else if (upgradeOf(req)?.websocket === undefined) {
      markRequestLazily(req, () => (acceptAll ? open(acceptor, req, res, asNext(next)) : logNull(req)));
    }
    asNext(next)?.();
  };
}

function logNull(req: IncomingMessage): null {
  debug(
    '%s: req.websocket is null, because the route is not wrapped with acceptWebsocket or requireWebsocket',
    req.url,
  );
  return null;
}

/**
 * Opens the websocket of a request when a route first reads it. If the request is refused or its client has disconnected,
 * returns a websocket that has ended, and discards the response.
 *
 * Never throws and never returns `null`. An error or a `null` could make an async route reject. Express 4 and Connect do not
 * handle rejections, so a client could end the process.
 */
function open(
  acceptor: Acceptor,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): Websocket {
  if (upgradeOf(req)?.state !== 'pending') return setEndedWebsocket(acceptor, req);
  const opened = openExchange(acceptor, req, res);
  const exchange = opened ?? new Exchange(res, setEndedWebsocket(acceptor, req));
  exchange.passOn(next);
  if (opened === undefined) exchange.websocketEnded();
  return exchange.websocket;
}

function openExchange(acceptor: Acceptor, req: IncomingMessage, res: ServerResponse): Exchange | undefined {
  try {
    return Exchange.open(acceptor, req, res, refuseOnSocket);
  } catch (error) {
    // A function among the options has failed.
    warnOfFailure(acceptor, error);
    refuseOnSocket(req, res, refusal(500, 'Internal Server Error'));
    return undefined;
  }
}

function setEndedWebsocket({ policy }: Acceptor, req: IncomingMessage): Websocket {
  const websocket = openEndedWebsocket(req, policy);
  markRequest(req, websocket);
  return websocket;
}

/** Refuses a request on its socket, so that the route can still use the response. */
function refuseOnSocket(req: IncomingMessage, res: ServerResponse, verdict: Refusal): void {
  res.statusCode = verdict.status;
  upgradeOf(req)?.refuse(verdict);
}
