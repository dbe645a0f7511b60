import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWebsocketUpgrade, refusal, type Refusal } from '../handshake/handshake.js';
import { checkBoolean, checkObject } from '../options/checks.js';
import type { WebsocketOptions } from '../options/options.js';
import { resolveOptions, type Policy } from '../options/policy.js';
import { judgeWithoutUpgrade } from '../server/missed-upgrade.js';
import { noteRoute, watchServers } from '../server/watch-servers.js';
import { upgradeOf } from '../server/upgrade.js';
import { debug } from '../shared/notices.js';
import { createEndedWebsocket, type Websocket } from '../websocket/websocket.js';
import { Acceptor } from './accept.js';
import { Exchange } from './exchange.js';
import { markRequest, markRequestLazily } from './request.js';
import { asNext, warnOfFailure } from './serve-http.js';
import type { WebsocketRoute } from './types.js';

/** Options of {@link websocketMiddleware}: those of the wrappers, and one more. */
export interface WebsocketMiddlewareOptions extends WebsocketOptions {
  /**
   * dwebsocket's `WEBSOCKET_ACCEPT_ALL`: whether any later route may talk, wrapped or not.
   *
   * @default false
   */
  acceptAll?: boolean | undefined;
}

/**
 * dwebsocket's middleware: puts `req.isWebsocket()` and `req.websocket` on every request.
 *
 * Without `acceptAll` only wrapped routes talk; elsewhere `req.isWebsocket()` tells what the client wants, and
 * `req.websocket` is `null`. With `acceptAll` any later route may: the 101 goes out when it first touches
 * `req.websocket`. The websocket lives until the route ends the response, the route fails (1011), or the peer leaves.
 * `res.end()` closes with 1000; for a status of 400 to 499 other than 404 with 1008; from 500 on with 1011. What is
 * written to the response goes nowhere. A route that never touches `req.websocket` answers plain HTTP; one whose
 * handshake is refused sees a websocket that has closed at once.
 *
 * Such a route is not wrapped, and nobody but the framework looks at its promise. Express 4 and Connect do not: an async
 * route that rejects ends the process there, and so does an endless loop around `wait()` when the client leaves. Leave
 * the loop when `wait()` gives `null`, or wrap the route.
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
  checkBoolean(acceptAll, 'acceptAll');
  const acceptor = new Acceptor(resolveOptions(rest, defaults));
  watchServers();
  return (req, res, next) => {
    noteRoute(req);
    if (!isWebsocketUpgrade(req)) {
      markRequest(req, null);
    } else if (upgradeOf(req) === undefined) {
      const { text } = judgeWithoutUpgrade(req);
      debug('%s: handled as plain HTTP, %s', req.url, text);
      markRequest(req, null);
    } else if (upgradeOf(req)?.websocket === undefined) {
      markRequestLazily(req, () => (acceptAll ? open(acceptor, req, res) : leaveClosed(req)));
    }
    asNext(next)?.();
  };
}

function leaveClosed(req: IncomingMessage): null {
  debug(
    '%s: req.websocket is null, for its route is not wrapped with acceptWebsocket or requireWebsocket',
    req.url,
  );
  return null;
}

/**
 * The websocket of a request, when a route first touches it. Never throws and never is `null`: in an async route of
 * Express 4 or Connect, where nobody looks at its promise, a client could end the process with that. One that is refused, or
 * has left, gets a websocket that has ended, and its response is one that nobody will read.
 */
function open(acceptor: Acceptor, req: IncomingMessage, res: ServerResponse): Websocket {
  if (upgradeOf(req)?.state !== 'pending') return leaveEnded(acceptor, req);
  const opened = openExchange(acceptor, req, res);
  const exchange = opened ?? new Exchange(req, res, acceptor.policy, leaveEnded(acceptor, req));
  exchange.leaveToApp();
  if (opened === undefined) exchange.websocketEnded();
  return exchange.websocket;
}

function openExchange(acceptor: Acceptor, req: IncomingMessage, res: ServerResponse): Exchange | undefined {
  try {
    return Exchange.open(acceptor, req, res, refusePast);
  } catch (error) {
    // A function among the options has failed.
    warnOfFailure(acceptor, error);
    refusePast(req, res, refusal(500, 'Internal Server Error'));
    return undefined;
  }
}

function leaveEnded({ policy }: Acceptor, req: IncomingMessage): Websocket {
  const websocket = createEndedWebsocket(req, policy);
  markRequest(req, websocket);
  return websocket;
}

function refusePast(req: IncomingMessage, res: ServerResponse, verdict: Refusal): void {
  res.statusCode = verdict.status;
  upgradeOf(req)?.refuse(verdict);
}
