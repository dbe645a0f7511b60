import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { closeRequest, reopenResponse, SWITCHING_PROTOCOLS } from '../handshake/websocket-response.js';
import { isWebsocketUpgrade } from '../handshake/handshake.js';
import { markHeadersSent } from '../internals/node.js';
import { checkHandler, checkNames } from '../options/checks.js';
import type { RouteOptions } from '../options/options.js';
import { resolveOptions } from '../options/policy.js';
import { upgradeOf, type Upgrade } from '../server/upgrade.js';
import { noteRoute, watchServers } from '../server/watch-servers.js';
import { debug } from '../shared/notices.js';
import { wholeUrl } from '../shared/whole-url.js';
import { Acceptor } from './accept.js';
import {
  answerFailure,
  asError,
  asNext,
  endWebsocketResponse,
  forwardFailure,
  textOf,
} from './serve-http.js';
import type { Next, WebsocketRoute } from './types.js';
import { refusePlainHttp } from './wrappers.js';

// As a method, so that a library may declare that its socket is a `net.Socket`.
/** Gets the request, its socket, and the bytes that came with it, like a listener of 'upgrade' on a server of Node. */
export type UpgradeHandler = {
  handle(req: IncomingMessage, socket: Duplex, head: Buffer): unknown;
}['handle'];

/** Lists the options of {@link passUpgrade}. */
export type PassUpgradeOptions = Pick<RouteOptions, 'origins'>;

/**
 * Creates a route for a library that does the handshake itself, such as `wss.handleUpgrade`. The middleware before the route
 * runs as on any route, and can refuse. The origin is checked as on other routes. Then the handler gets the socket, and
 * everything else is up to the library: the answer, the limits, the heartbeat, and the end at shutdown.
 *
 * Loggers see 101, and the response ends with the socket. Headers that middleware has set are not sent. In a mounted router,
 * `req.url` is the whole path again. If the handler throws or rejects, the socket is destroyed, and the app's error handlers
 * get the error.
 *
 * Plain HTTP gets 400, as from `requireWebsocket`.
 *
 * @throws {TypeError} `handler` is not a function.
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @example
 * app.get('/ocpp/:id', passUpgrade((req, socket, head) => rpcServer.handleUpgrade(req, socket, head)));
 */
export function passUpgrade(handler: UpgradeHandler, options: PassUpgradeOptions = {}): WebsocketRoute {
  checkHandler(handler, 'passUpgrade', '(req, socket, head)');
  watchServers();
  // The library chooses the subprotocol.
  const acceptor = new Acceptor(
    resolveOptions({ ...checkNames(options, ['origins']), protocols: () => false }),
  );
  return (req, res, next) => {
    noteRoute(req);
    if (!isWebsocketUpgrade(req)) refusePlainHttp(req, res);
    else pass(handler, acceptor, req, res, asNext(next));
  };
}

function pass(
  handler: UpgradeHandler,
  acceptor: Acceptor,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): void {
  try {
    if (acceptor.admit(req, res) === undefined) return;
  } catch (error) {
    // A function among the options has failed.
    if (next === undefined) answerFailure(handler, error, res);
    else next(error);
    return;
  }
  const { socket, head } = (upgradeOf(req) as Upgrade).accept();
  res.statusCode = SWITCHING_PROTOCOLS;
  markHeadersSent(res);
  debug('%s: passed on to a library with its socket', req.url);
  let hasFailed = false;
  socket.once('close', () => {
    // After a failure, the error handlers end the response.
    if (!hasFailed) endWebsocketResponse(handler, res);
    closeRequest(req);
  });
  const { url } = req;
  const fail = (reason: unknown): void => {
    const error = asError(reason);
    debug('%s: the handler failed: %s', req.url, textOf(error));
    hasFailed = true;
    socket.destroy();
    if (url !== undefined) req.url = url;
    reopenResponse(res, SWITCHING_PROTOCOLS, noop);
    forwardFailure(handler, error, res, next);
  };
  req.url = wholeUrl(req);
  // If the library does not listen in time, a reset by the client must not end the process.
  socket.on('error', noop);
  try {
    Promise.resolve(handler(req, socket, head)).catch(fail);
  } catch (error) {
    fail(error);
  }
}

function noop(): void {
  // Nothing is left to do.
}
