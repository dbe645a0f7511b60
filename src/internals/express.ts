/**
 * Holds all undocumented names of Express that the package uses. No other file in `src` may use such names.
 * test/internals/express.test.ts checks that Express still has them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Returns whether an app trusts the proxy at an address. `hop` is the number of proxies in front of it. */
export type Trust = (address: string | undefined, hop: number) => boolean;

/**
 * Returns the function that Express compiles from the setting `trust proxy` of a request's app. Returns `undefined`
 * without Express.
 */
export function trustOf(req: IncomingMessage): Trust | undefined {
  const { app } = req as { app?: { get?: (setting: string) => unknown } };
  const trusts = app?.get?.('trust proxy fn');
  return typeof trusts === 'function' ? (trusts as Trust) : undefined;
}

/** Lists the properties that Express, Connect and their routers set on a request. */
interface RoutedRequest extends IncomingMessage {
  res?: unknown;
  next?: unknown;
  baseUrl?: unknown;
  originalUrl?: unknown;
  _parsedUrl?: unknown;
  route?: unknown;
  params?: unknown;
  [symbol: symbol]: unknown;
}

/**
 * Adds the properties that Express will set on a request and its response, with the value `undefined`. Express, Connect
 * and their middleware treat such a property like an absent one.
 *
 * Express changes the prototype of both objects. Each property that is added later makes V8 create a hidden class for
 * this single object. Properties that were added before share the hidden classes of all other requests. This saves 2
 * of the 10 KB that an open websocket would take.
 */
export function reserveFields(req: IncomingMessage, res: ServerResponse): void {
  const routed = req as RoutedRequest;
  routed.res = undefined;
  routed.next = undefined;
  routed.baseUrl = undefined;
  routed.originalUrl = undefined;
  routed._parsedUrl = undefined;
  routed.route = undefined;
  routed.params = undefined;
  for (const symbol of routerSymbols) routed[symbol] = undefined;
  (res as { locals?: unknown }).locals = undefined;
  res.statusCode = 200;
  (res as { statusMessage: string | undefined }).statusMessage = undefined;
}

/**
 * Discards the parsed URL of a request, which Express, Connect and their middleware cache on it. They parse it again when
 * they need it. It would take 200 bytes until the websocket ends. The property must be reserved.
 */
export function forgetParsedUrl(req: IncomingMessage): void {
  (req as RoutedRequest)._parsedUrl = undefined;
}

// The router of Express 5 stores the matched route under its own symbol.
let routerSymbols: readonly symbol[] = [];

/** Stores the symbols of the properties that the router set on a request. {@link reserveFields} uses them. */
export function learnRouterSymbols(req: IncomingMessage): void {
  if (routerSymbols.length > 0) return;
  routerSymbols = Object.getOwnPropertySymbols(req).filter((symbol) =>
    symbol.description?.startsWith('router.'),
  );
}
