import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Message, MessageKind, MessageKinds } from '../options/options.js';
import type { Websocket } from '../websocket/websocket.js';

// Express's types are used where the app has them. Where it has not (Connect, a bare server), TypeScript does not find
// the module, takes `any` for it, and Node's own types stand in.

/** @ts-ignore: `@types/express` is an optional peer */
type ExpressRequest<Params, Query> = import('express').Request<Params, any, any, Query>;
/** @ts-ignore: `@types/express` is an optional peer */
type ExpressResponse = import('express').Response;

// In a tuple: what is not found is more than `any`, and would make anything of a condition that looks at it directly.
type IsAny<T> = [0] extends [1 & T] ? true : false;

/** The parameters of a route's path, as strings. */
export type RouteParams = Record<string, string>;

/** The query of a request; its shape is the query parser's. */
export type RouteQuery = Record<string, any>;

/** Express's request, or Node's where Express's types are not installed. */
export type BaseRequest<Params, Query> =
  IsAny<ExpressRequest<Params, Query>> extends true
    ? IncomingMessage & { params: Params; query: Query }
    : ExpressRequest<Params, Query>;

/** Express's response, or Node's where Express's types are not installed. */
export type BaseResponse = IsAny<ExpressResponse> extends true ? ServerResponse : ExpressResponse;

/** What continues with the next handler, as in Express and Connect. */
export type Next = (error?: any) => void;

/** What `acceptWebsocket` and `websocketMiddleware` add to a request. */
export interface MaybeWebsocket<M extends Message = Message> {
  /**
   * Whether this request is a WebSocket: `true` for one, `false` for plain HTTP. A method, as in dwebsocket; after it
   * TypeScript knows that `req.websocket` is not `null`.
   */
  // Without `strictNullChecks` every request matches `{ websocket: Websocket }`, and the other branch would be `never`.
  isWebsocket(): this is WithWebsocket<M>;
  /** The websocket, or `null` where {@link isWebsocket} is `false`. */
  readonly websocket: Websocket<M> | null;
}

/** What `requireWebsocket` adds to a request. */
export interface WithWebsocket<M extends Message = Message> {
  /** Always `true` here. */
  isWebsocket(): true;
  /** The websocket. */
  readonly websocket: Websocket<M>;
}

// Ours come first: with `import 'dwebsocket/express'` Express's request has a websocket, too, one of any messages.

/** The request that a handler of `acceptWebsocket` gets. */
export type AcceptWebsocketRequest<
  Params = RouteParams,
  M extends Message = Message,
  Query = RouteQuery,
> = MaybeWebsocket<M> & BaseRequest<Params, Query>;

/** The request that a handler of `requireWebsocket` gets. */
export type RequireWebsocketRequest<
  Params = RouteParams,
  M extends Message = Message,
  Query = RouteQuery,
> = WithWebsocket<M> & BaseRequest<Params, Query>;

/**
 * A handler for both protocols. When it returns, or its promise resolves, the websocket closes with 1000; when it throws
 * or rejects, with 1011, and the error goes to the app's error handlers.
 */
export type AcceptWebsocketHandler<
  Params = RouteParams,
  Kind extends MessageKind = 'both',
  Query = RouteQuery,
> = (
  req: AcceptWebsocketRequest<Params, MessageKinds[Kind], Query>,
  res: BaseResponse,
  next: Next,
) => unknown;

/** A handler for WebSockets only; see {@link AcceptWebsocketHandler} for how it ends. */
export type RequireWebsocketHandler<
  Params = RouteParams,
  Kind extends MessageKind = 'both',
  Query = RouteQuery,
> = (
  req: RequireWebsocketRequest<Params, MessageKinds[Kind], Query>,
  res: BaseResponse,
  next: Next,
) => unknown;

/**
 * What the wrappers return: a route handler for Express and Connect, a middleware, and a listener for
 * `http.createServer`.
 */
export type WebsocketRoute = (req: IncomingMessage, res: ServerResponse, next?: Next) => void;
