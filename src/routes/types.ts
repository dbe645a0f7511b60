import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message, MessageFormat } from '../options/options.js';
import type { IsAny } from '../shared/is-any.js';
import type { StandardSchema } from '../shared/standard-schema.js';
import type { Data } from '../websocket/frame.js';
import type { Websocket } from '../websocket/websocket.js';
import type { ReceivedMessage, SendableMessage } from './websocket-options.js';

// Uses Express's types if the app has them. If not (Connect, a bare server), TypeScript does not find the module, and
// resolves these types to `any`. Then Node's types take their place.

/** @ts-ignore: `@types/express` is an optional peer */
type ExpressRequest<Params, Query> = import('express').Request<Params, any, any, Query>;
/** @ts-ignore: `@types/express` is an optional peer */
type ExpressResponse = import('express').Response;

/** Stands for the parameters of a route's path, as strings. */
export type RouteParams = Record<string, string>;

/** Stands for the query of a request. Its form depends on the query parser. */
export type RouteQuery = Record<string, any>;

/** Stands for Express's request, or for Node's request if Express's types are not installed. */
export type BaseRequest<Params, Query> =
  IsAny<ExpressRequest<Params, Query>> extends true
    ? IncomingMessage & { params: Params; query: Query }
    : ExpressRequest<Params, Query>;

/** Stands for a request whose parameters and query may have any type, so that an app may declare its own. */
export type AnyRequest = BaseRequest<any, any>;

/** Stands for Express's response, or for Node's response if Express's types are not installed. */
export type BaseResponse = IsAny<ExpressResponse> extends true ? ServerResponse : ExpressResponse;

/** Continues with the next handler, or with the error handlers if it gets an error, as in Express and Connect. */
export type Next = (error?: any) => void;

/** Describes the properties that `acceptWebsocket` and `websocketMiddleware` add to a request. */
export interface MaybeWebsocket<M = Message, Out = Data> {
  /**
   * Returns `true` for a WebSocket request, and `false` for plain HTTP. It is a method, as in Python's dwebsocket. If it
   * returns `true`, TypeScript knows that `req.websocket` is not `null`.
   */
  // The guard names `WithWebsocket`: without `strictNullChecks` every request matches `{ websocket: Websocket }`, and the
  // other branch would be `never`.
  isWebsocket(): this is WithWebsocket<M, Out>;
  /** The websocket, or `null` if {@link isWebsocket} returns `false`. */
  readonly websocket: Websocket<M, Out> | null;
}

/** Describes the properties that `requireWebsocket` adds to a request. */
export interface WithWebsocket<M = Message, Out = Data> {
  /** Returns `true`. */
  isWebsocket(): true;
  /** The websocket. */
  readonly websocket: Websocket<M, Out>;
}

// Our types come first: with `import 'dwebsocket/express'` Express's request has `websocket`, too, but with messages of any
// kind.

/** Describes the request that a handler of `acceptWebsocket` receives. */
export type AcceptWebsocketRequest<
  Params = RouteParams,
  M = Message,
  Query = RouteQuery,
  Out = Data,
> = MaybeWebsocket<M, Out> & BaseRequest<Params, Query>;

/** Describes the request that a handler of `requireWebsocket` receives. */
export type RequireWebsocketRequest<
  Params = RouteParams,
  M = Message,
  Query = RouteQuery,
  Out = Data,
> = WithWebsocket<M, Out> & BaseRequest<Params, Query>;

/**
 * Handles both WebSocket and plain HTTP requests. When it returns, or its promise resolves, the websocket closes with 1000.
 * When it throws or rejects, the websocket closes with 1011, and the app's error handlers get the error.
 */
export type AcceptWebsocketHandler<
  Params = RouteParams,
  Format extends MessageFormat = 'both',
  Query = RouteQuery,
  Sends extends StandardSchema = StandardSchema,
> = (
  req: AcceptWebsocketRequest<Params, ReceivedMessage<Format>, Query, SendableMessage<Format, Sends>>,
  res: BaseResponse,
  next: Next,
) => unknown;

/** Handles WebSocket requests only. It ends like an {@link AcceptWebsocketHandler}. */
export type RequireWebsocketHandler<
  Params = RouteParams,
  Format extends MessageFormat = 'both',
  Query = RouteQuery,
  Sends extends StandardSchema = StandardSchema,
> = (
  req: RequireWebsocketRequest<Params, ReceivedMessage<Format>, Query, SendableMessage<Format, Sends>>,
  res: BaseResponse,
  next: Next,
) => unknown;

/**
 * Stands for the functions that the wrappers return. Use one as a route handler or middleware of Express and Connect, or as
 * a listener of `http.createServer`.
 */
export type WebsocketRoute = (req: IncomingMessage, res: ServerResponse, next?: Next) => void;
