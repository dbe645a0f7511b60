import type { IncomingMessage, ServerResponse } from 'node:http';
import { answer, connectionWithUpgrade } from '../handshake/answer.js';
import { isWebsocketUpgrade } from '../handshake/handshake.js';
import { checkHandler } from '../options/checks.js';
import type { AnyOptions, MessageFormat, MessageKind } from '../options/options.js';
import { resolveOptions, type Policy } from '../options/policy.js';
import { noteRoute, watchServers } from '../server/watch-servers.js';
import type { StandardSchema } from '../shared/standard-schema.js';
import type { ValueFormat } from '../values/codec.js';
import { Acceptor } from './accept.js';
import { Exchange, exchangeOf } from './exchange.js';
import { markRequest } from './request.js';
import { answerFailure, asNext, serveHttp, type AnyHandler } from './serve-http.js';
import type {
  AcceptWebsocketHandler,
  Next,
  RequireWebsocketHandler,
  RouteParams,
  RouteQuery,
  WebsocketRoute,
} from './types.js';
import type { WebsocketOptions } from './websocket-options.js';

// TypeScript infers either all type parameters of a call or none. So a call that names only the path parameters needs its own
// signature: `requireWebsocket<{ room: string }>(handler, { messages: 'text' })`. The third signature is for values: with a
// schema, such a call knows the types of the messages only if it names the schemas, too. The last signature is for a value of
// `messages` that is known only at run time, or that differs from the default of `withDefaults`.

/** Describes the function {@link acceptWebsocket}. */
export interface AcceptWebsocket<
  Default extends MessageFormat = 'both',
  DefaultSends extends StandardSchema = StandardSchema,
> {
  <Params = RouteParams>(
    handler: AcceptWebsocketHandler<Params, 'text'>,
    options: WebsocketOptions<'text'> & { messages: 'text' },
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: AcceptWebsocketHandler<Params, 'binary'>,
    options: WebsocketOptions<'binary'> & { messages: 'binary' },
  ): WebsocketRoute;
  <
    Params = RouteParams,
    Format extends ValueFormat = ValueFormat,
    Sends extends StandardSchema = DefaultSends,
    Query = RouteQuery,
  >(
    handler: AcceptWebsocketHandler<Params, Format, Query, Sends>,
    options: WebsocketOptions<Format, Sends> & { messages: Format },
  ): WebsocketRoute;
  <
    Params = RouteParams,
    Format extends MessageKind | Default = Default,
    Query = RouteQuery,
    Sends extends StandardSchema = DefaultSends,
  >(
    handler: AcceptWebsocketHandler<Params, Format, Query, Sends>,
    options?: WebsocketOptions<Format, Sends>,
  ): WebsocketRoute;
  <Params = RouteParams>(handler: AcceptWebsocketHandler<Params>, options?: WebsocketOptions): WebsocketRoute;
}

/** Describes the function {@link requireWebsocket}. */
export interface RequireWebsocket<
  Default extends MessageFormat = 'both',
  DefaultSends extends StandardSchema = StandardSchema,
> {
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params, 'text'>,
    options: WebsocketOptions<'text'> & { messages: 'text' },
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params, 'binary'>,
    options: WebsocketOptions<'binary'> & { messages: 'binary' },
  ): WebsocketRoute;
  <
    Params = RouteParams,
    Format extends ValueFormat = ValueFormat,
    Sends extends StandardSchema = DefaultSends,
    Query = RouteQuery,
  >(
    handler: RequireWebsocketHandler<Params, Format, Query, Sends>,
    options: WebsocketOptions<Format, Sends> & { messages: Format },
  ): WebsocketRoute;
  <
    Params = RouteParams,
    Format extends MessageKind | Default = Default,
    Query = RouteQuery,
    Sends extends StandardSchema = DefaultSends,
  >(
    handler: RequireWebsocketHandler<Params, Format, Query, Sends>,
    options?: WebsocketOptions<Format, Sends>,
  ): WebsocketRoute;
  <Params = RouteParams>(
    handler: RequireWebsocketHandler<Params>,
    options?: WebsocketOptions,
  ): WebsocketRoute;
}

/**
 * Wraps a handler for a route that serves both plain HTTP and WebSocket, like `accept_websocket` of Python's
 * dwebsocket.
 *
 * The handler receives both kinds of request; `req.isWebsocket()` distinguishes them. The handshake is complete when the
 * handler runs. To refuse a websocket with a status, answer in a middleware before it. When the handler returns, or its
 * promise resolves, the websocket closes with 1000. When it throws or rejects, the websocket closes with 1011, and then the
 * app's error handlers get the error. On plain HTTP they get it at once, also on Express 4 and Connect.
 *
 * With `next()` a handler passes the websocket on to another wrapped handler, or to a route that answers. The status of that
 * answer chooses the code with which the websocket closes when the handler has ended: 1000; 1008 for a status of 400 to 499
 * other than 404; 1011 from 500 on.
 *
 * When a handler has failed, the error handlers answer as on any route. They see `headersSent` as `false`, and nothing is
 * sent to the client. After 5 seconds without an answer the response ends.
 *
 * A handler must not end the response itself: `res.end()` closes the websocket with these codes (1008 for 404, too), and
 * causes one process warning for each route. Methods that set headers throw.
 *
 * Works in Express 4 and 5, in Connect and with `http.createServer`, without any set-up.
 *
 * @throws {TypeError} `handler` is not a function.
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @example
 * app.get('/echo', acceptWebsocket(async (req, res) => {
 *   if (!req.isWebsocket()) return res.send(req.query.message);
 *   for await (const message of req.websocket) req.websocket.send(message);
 * }));
 */
export const acceptWebsocket: AcceptWebsocket = (handler: AnyHandler, options?: AnyOptions) =>
  wrapAccepting(handler, options);

/**
 * Wraps a handler for a route that serves WebSockets only, like `require_websocket` of Python's dwebsocket.
 *
 * It works like {@link acceptWebsocket}, but plain HTTP gets 400 with `Upgrade: websocket` and never reaches the handler.
 *
 * @throws {TypeError} `handler` is not a function.
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @example
 * app.get('/once', requireWebsocket(async (req) => {
 *   const message = await req.websocket.wait();
 *   if (message !== null) req.websocket.send(message);
 * }));
 */
export const requireWebsocket: RequireWebsocket = (handler: AnyHandler, options?: AnyOptions) =>
  wrapRequiring(handler, options);

/** Wraps a handler as {@link acceptWebsocket} does, with other defaults for its options if they are given. */
export function wrapAccepting(handler: AnyHandler, options?: AnyOptions, defaults?: Policy): WebsocketRoute {
  checkHandler(handler, 'acceptWebsocket');
  return wrap(handler, resolveOptions(options, defaults), (req, res, next) => {
    markRequest(req, null);
    void serveHttp(handler, req, res, next);
  });
}

/** Wraps a handler as {@link requireWebsocket} does, with other defaults for its options if they are given. */
export function wrapRequiring(handler: AnyHandler, options?: AnyOptions, defaults?: Policy): WebsocketRoute {
  checkHandler(handler, 'requireWebsocket');
  return wrap(handler, resolveOptions(options, defaults), refusePlainHttp);
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
    // A request that has an exchange comes from another wrapped handler. The websocket closes when both have ended.
    exchange = exchangeOf(req) ?? Exchange.open(acceptor, req, res);
  } catch (error) {
    // A function among the options has failed, or an incompatible version of the package created the websocket.
    if (next === undefined) answerFailure(handler, error, res);
    else next(error);
    return;
  }
  exchange?.run(handler, next);
}

/** Answers a request that is no websocket, on a route that serves only websockets. */
export function refusePlainHttp(req: IncomingMessage, res: ServerResponse): void {
  const { upgrade, 'sec-websocket-key': key } = req.headers;
  // A proxy such as nginx drops the headers Upgrade and Connection by default, but forwards the key.
  const isBroken = req.method === 'GET' && (key !== undefined || upgrade?.toLowerCase() === 'websocket');
  answer(
    res,
    400,
    'this route accepts only WebSocket requests; connect with a WebSocket client' +
      (isBroken ? ', and make each proxy forward both headers, Upgrade and Connection' : ''),
    // HTTP/2 forbids these headers (RFC 9113, 8.2.2).
    req.httpVersionMajor > 1 ? {} : { Upgrade: 'websocket', Connection: connectionWithUpgrade(res) },
  );
}
