import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { argumentError, describe } from '../shared/errors.js';
import type { Websocket } from '../websocket/websocket.js';

/** A server of Node, http or https. */
export type Server = HttpServer | HttpsServer;

/** A connection that Node has handed over with 'upgrade' and that speaks HTTP. */
export interface Detached {
  readonly socket: Duplex;
  /** Whether no response is under way. */
  readonly isIdle: boolean;
}

/** An upgrade request that is on its way through the app. */
export interface Undecided {
  /** Stops waiting: answers 503 where no answer has begun, and leaves to the app an answer that has. */
  abandon(text: string): void;
  /** Resolves when a route has accepted it, an answer has begun, or the client has left. */
  settled(): Promise<void>;
}

/** What we know of one server. */
export interface ServerState {
  /** The open websockets. */
  readonly open: Set<Websocket>;
  /** Upgrade requests on their way through the app. */
  readonly pending: Set<Undecided>;
  /** All sockets that Node no longer has on its list and that are not websockets: pending, answered or ending. */
  readonly detached: Set<Detached>;
  /** How many calls of `closeWebsockets` are under way. */
  draining: number;
  /** Whether `close()` has been called since the server last began to listen. */
  closeCalled: boolean;
  /** Whether a request that came through this server has reached a route or middleware of ours. */
  servesRoutes: boolean;
  /** What has been put on the server; stays when it is detached, so that it is not attached again by itself. */
  attachment: { readonly isActive: boolean } | undefined;
}

// On the server itself and under a name that another copy of the package knows, too: an app that loads the package
// twice, or a test runner that loads it anew for each file, has one state for each server.
const KEY = Symbol.for('dwebsocket.server.1');

export function stateOf(server: object): ServerState {
  const holder = server as { [KEY]?: ServerState };
  const existing = holder[KEY];
  if (existing !== undefined) return existing;
  const state: ServerState = {
    open: new Set(),
    pending: new Set(),
    detached: new Set(),
    draining: 0,
    closeCalled: false,
    servesRoutes: false,
    attachment: undefined,
  };
  Object.defineProperty(server, KEY, { value: state });
  return state;
}

/** Whether new websockets are refused with 503. */
export function isShuttingDown(server: { listening: boolean }): boolean {
  const state = stateOf(server);
  return state.draining > 0 || (state.closeCalled && !server.listening);
}

/** @throws {TypeError} It is no server. */
export function checkServer(server: unknown, name: string): void {
  const methods = server as { on?: unknown; emit?: unknown; close?: unknown } | undefined | null;
  if (typeof methods?.close === 'function' && typeof methods.on === 'function') return;
  const app = typeof server === 'function' ? ' (an Express app is no server: app.listen() returns one)' : '';
  throw argumentError(
    TypeError,
    `${name} takes an http.Server or https.Server; got ${describe(server)}${app}`,
  );
}
