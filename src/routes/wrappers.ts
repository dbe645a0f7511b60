import type { IncomingMessage, ServerResponse } from 'node:http';
import { isWebsocketUpgrade } from '../handshake/handshake.js';
import { answer, connectionWithUpgrade } from '../handshake/answer.js';
import { checkHandler } from '../options/checks.js';
import type { MessageKind, WebsocketOptions } from '../options/options.js';
import { resolveOptions, type Policy } from '../options/policy.js';
import { noteRoute, watchServers } from '../server/watch-servers.js';
import { Acceptor } from './accept.js';
import { Exchange, exchangeOf } from './exchange.js';
import { markRequest } from './request.js';
import { asNext, failAlone, serveHttp, type AnyHandler } from './serve-http.js';
import type {
  AcceptWebsocketHandler,
  Next,
  RequireWebsocketHandler,
  RouteParams,
  RouteQuery,
  WebsocketRoute,
} from './types.js';

// TypeScript infers all type parameters of a call or none. So calls that name only the parameters of the path have
// signatures of their own: `requireWebsocket<{ room: string }>(handler, { messages: 'text' })`. The last one is for a value
// of `messages` that is known only when it runs, or differs from the default of `withDefaults`.

/** The type of {@link acceptWebsocket}. */
export interface AcceptWebsocket<Default extends MessageKind = 'both'> {
  <Params = RouteParams>(
    handler: AcceptWebsocketHandler<Params, 'text'>,
    options: WebsocketOptions<'text'> & { messages: 'text' },
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: AcceptWebsocketHandler<Params, 'binary'>,
    options: WebsocketOptions<'binary'> & { messages: 'binary' },
  ): WebsocketRoute;
  <Params = RouteParams, Kind extends MessageKind = Default, Query = RouteQuery>(
    handler: AcceptWebsocketHandler<Params, Kind, Query>,
    options?: WebsocketOptions<Kind>,
  ): WebsocketRoute;
  <Params = RouteParams>(handler: AcceptWebsocketHandler<Params>, options?: WebsocketOptions): WebsocketRoute;
}

/** The type of {@link requireWebsocket}. */
export interface RequireWebsocket<Default extends MessageKind = 'both'> {
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params, 'text'>,
    options: WebsocketOptions<'text'> & { messages: 'text' },
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params, 'binary'>,
    options: WebsocketOptions<'binary'> & { messages: 'binary' },
  ): WebsocketRoute;
  <Params = RouteParams, Kind extends MessageKind = Default, Query = RouteQuery>(
    handler: RequireWebsocketHandler<Params, Kind, Query>,
    options?: WebsocketOptions<Kind>,
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params>,
    options?: WebsocketOptions,
  ): WebsocketRoute;
}

/**
 * Wraps a handler for a route that serves both plain HTTP and WebSocket: dwebsocket's `accept_websocket`.
 *
 * The handler gets both; `req.isWebsocket()` tells them apart. For a WebSocket the handshake is complete when the
 * handler runs; to refuse with a status, refuse in a middleware before it. When the handler returns (or its promise
 * resolves) the websocket closes with 1000. When it throws or rejects it closes with 1011, and then the error goes to
 * the app's error handlers; on plain HTTP it goes there at once, on Express 4 and Connect, too.
 *
 * With `next()` a handler passes the websocket on, to another wrapped handler or to a route that answers. That answer
 * closes the websocket when the handler has ended: with 1000; for a status of 400 to 499 other than 404 with 1008; from
 * 500 on with 1011.
 *
 * When a handler has failed, the error handlers answer as on any route. `headersSent` is `false` for them, and nothing
 * goes over the wire. After 5 seconds without an answer the response ends.
 *
 * A handler must not end the response itself: `res.end()` closes the websocket with these codes (1008 for 404, too), and
 * the process gets one warning for each route. Methods that set headers throw.
 *
 * Works in Express 4 and 5, in Connect and with `http.createServer`; nothing has to be set up.
 *
 * @throws {TypeError} `handler` is no function.
 * @throws {WebsocketOptionError} An option that cannot be.
 * @example
 * app.get('/echo', acceptWebsocket(async (req, res) => {
 *   if (!req.isWebsocket()) return res.send(req.query.message);
 *   for await (const message of req.websocket) req.websocket.send(message);
 * }));
 */
export const acceptWebsocket: AcceptWebsocket = (handler: AnyHandler, options?: WebsocketOptions) =>
  wrapAccepting(handler, options);

/**
 * Wraps a handler for a route that serves WebSockets only: dwebsocket's `require_websocket`.
 *
 * Like {@link acceptWebsocket}, but plain HTTP gets 400 with `Upgrade: websocket` and never reaches the handler.
 *
 * @throws {TypeError} `handler` is no function.
 * @throws {WebsocketOptionError} An option that cannot be.
 * @example
 * app.get('/once', requireWebsocket(async (req) => {
 *   const message = await req.websocket.wait();
 *   if (message !== null) req.websocket.send(message);
 * }));
 */
export const requireWebsocket: RequireWebsocket = (handler: AnyHandler, options?: WebsocketOptions) =>
  wrapRequiring(handler, options);

export function wrapAccepting(
  handler: AnyHandler,
  options?: WebsocketOptions,
  defaults?: Policy,
): WebsocketRoute {
  checkHandler(handler, 'acceptWebsocket');
  return wrap(handler, resolveOptions(options, defaults), (req, res, next) => {
    markRequest(req, null);
    void serveHttp(handler, req, res, next);
  });
}

export function wrapRequiring(
  handler: AnyHandler,
  options?: WebsocketOptions,
  defaults?: Policy,
): WebsocketRoute {
  checkHandler(handler, 'requireWebsocket');
  return wrap(handler, resolveOptions(options, defaults), demandWebsocket);
}

type HttpBranch = (req: IncomingMessage, res: ServerResponse, next: Next | undefined) => void;

function wrap(handler: AnyHandler, policy: Policy, onHttp: HttpBranch): WebsocketRoute {
  watchServers();
  const acceptor = new Acceptor(policy);
  return (req, res, next) => {
    noteRoute(req);
    if (isWebsocketUpgrade(req)) serveWebsocket(handler, acceptor, req, res, asNext(next));
    else onHttp(req, res, asNext(next));
  };
}

function serveWebsocket(
  handler: AnyHandler,
  acceptor: Acceptor,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): void {
  let exchange: Exchange | undefined;
  try {
    // A wrapped handler inside or behind another: the websocket closes when both have ended.
    exchange = exchangeOf(req) ?? Exchange.open(acceptor, req, res);
  } catch (error) {
    // A function among the options has failed, or the websocket belongs to a version that this one does not know.
    if (next === undefined) failAlone(handler, error, res);
    else next(error);
    return;
  }
  exchange?.run(handler, next);
}

function demandWebsocket(req: IncomingMessage, res: ServerResponse): void {
  const { upgrade, 'sec-websocket-key': key } = req.headers;
  // The key stays where a proxy leaves out the headers that make it an upgrade, as nginx does unless told otherwise.
  const isBroken = req.method === 'GET' && (key !== undefined || upgrade?.toLowerCase() === 'websocket');
  answer(
    res,
    400,
    'this address speaks WebSocket only: connect with a WebSocket client' +
      (isBroken ? '; a proxy on the way must forward both headers, Upgrade and Connection' : ''),
    // HTTP/2 has no such headers (RFC 9113, 8.2.2).
    req.httpVersionMajor > 1 ? {} : { Upgrade: 'websocket', Connection: connectionWithUpgrade(res) },
  );
}
