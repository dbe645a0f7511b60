/**
 * What we need of Express that is not documented. Nothing else in `src` may use such a name;
 * test/internals/express.test.ts looks whether they are still there.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Returns whether an app trusts the proxy at an address, `hop` proxies away. */
export type Trust = (address: string | undefined, hop: number) => boolean;

/** Returns the setting `trust proxy` of the app of a request, as Express compiles it; `undefined` without Express. */
export function trustOf(req: IncomingMessage): Trust | undefined {
  const { app } = req as { app?: { get?: (setting: string) => unknown } };
  const trusts = app?.get?.('trust proxy fn');
  return typeof trusts === 'function' ? (trusts as Trust) : undefined;
}

/** What Express, Connect and their routers put on a request. */
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
 * Adds, as `undefined`, the properties that Express is going to set on a request and its response. To Express, Connect
 * and their middleware that is the same as an absent property.
 *
 * Express changes the prototype of both. For each property that is added after that, V8 creates a hidden class for this
 * one object. Properties that were there before share theirs with all other requests, which saves 2 KB of 10 for as long
 * as a websocket is open.
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

// Express 5's router keeps the matched route under a symbol of its own.
let routerSymbols: readonly symbol[] = [];

/** Remembers the symbols under which the router has set properties on a request, for {@link reserveFields}. */
export function learnRouterSymbols(req: IncomingMessage): void {
  if (routerSymbols.length > 0) return;
  routerSymbols = Object.getOwnPropertySymbols(req).filter((symbol) =>
    symbol.description?.startsWith('router.'),
  );
}
