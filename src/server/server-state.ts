import type { Server as HttpServer } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { refusal } from '../handshake/handshake.js';
import { argumentError, describe } from '../shared/errors.js';
import type { Websocket } from '../websocket/websocket.js';

/** Stands for an `http.Server` or an `https.Server` of Node. Servers of `node:http2` are used in the same way. */
export type Server = HttpServer | HttpsServer;

/** Stands for any server of Node that can serve websockets. */
export type AnyServer = Server | Http2Server | Http2SecureServer;

/** Describes a connection that Node has handed over with 'upgrade' and that still uses HTTP. */
export interface Detached {
  readonly socket: Duplex;
  /** Whether no response is in progress. */
  readonly isIdle: boolean;
}

/** Describes an upgrade request that the app has not answered yet. */
export interface PendingUpgrade {
  /** Stops waiting for the app. Sends 503 if no response has begun. If one has, the app may finish it. */
  abandon(text: string): void;
  /** Resolves when a route has accepted the request, a response has begun, or the client has disconnected. */
  settled(): Promise<void>;
}

/** A response that never ends by itself, such as server-sent events. */
export interface OpenStream {
  /** Resolves when the response has ended. */
  readonly closed: PromiseLike<unknown>;
  /**
   * Ends the response. Resolves when its connection has closed, at the latest after `timeout` milliseconds; without it, the
   * response has a limit of its own. Never throws.
   */
  close(code: number, reason: string, timeout?: number): PromiseLike<unknown>;
}

/** Holds the state of one server. */
export interface ServerState {
  /** The open websockets. */
  readonly open: Set<Websocket>;
  /** The open responses that never end by themselves. */
  readonly streams: Set<OpenStream>;
  /** The upgrade requests that the app has not answered yet. */
  readonly pending: Set<PendingUpgrade>;
  /** The connections that Node has removed from its list and that are not websockets: pending, answered or ending. */
  readonly detached: Set<Detached>;
  /** The number of calls of `closeWebsockets` in progress. */
  draining: number;
  /** Whether `close()` has been called. A server that listens again accepts websockets nevertheless. */
  closeCalled: boolean;
  /** Whether a request that came through this server has reached a route or middleware of ours. */
  servesRoutes: boolean;
  /** The attachment of the server. It stays when the server is detached, which prevents automatic attachment. */
  attachment: { readonly isActive: boolean; retire?(): void } | undefined;
}

// The state is stored on the server, under a name that all copies of the package know. So each server has one state, even
// if an app loads the package twice, or a test runner reloads it for each file.
const KEY = Symbol.for('dwebsocket.server.1');

/** Returns the state of a server, and creates it on the first call. */
export function stateOf(server: object): ServerState {
  const holder = server as { [KEY]?: ServerState };
  const existing = holder[KEY];
  if (existing !== undefined) return existing;
  const state: ServerState = {
    open: new Set(),
    streams: new Set(),
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

/** Refuses a request on a server for which {@link isShuttingDown} returns `true`. */
export const SHUTTING_DOWN = refusal(503, 'the server is shutting down; try again in a moment');

/** Returns whether new websockets are refused with 503. */
export function isShuttingDown(server: { listening: boolean }): boolean {
  const state = stateOf(server);
  return state.draining > 0 || (state.closeCalled && !server.listening);
}

/**
 * Checks that a value is a server.
 *
 * @throws {TypeError} It is not a server.
 */
export function checkServer(server: unknown, name: string): asserts server is Server {
  if (isServerLike(server)) return;
  throw argumentError(
    TypeError,
    `${name} takes a server of node:http, node:https or node:http2; got ${describe(server)}${adviceFor(server)}`,
  );
}

function isServerLike(value: unknown): boolean {
  const methods = value as { on?: unknown; close?: unknown } | undefined | null;
  return typeof methods?.close === 'function' && typeof methods.on === 'function';
}

/** Returns what to pass instead of a value that often stands for a server. */
function adviceFor(value: unknown): string {
  if (typeof value === 'function') return '; for an Express app, pass what app.listen() returns';
  if (value === null)
    return '; if it is the httpServer of Vite in middleware mode, pass the server that runs Vite';
  // A development server has its server in a field: Vite in httpServer, webpack-dev-server in server.
  const fields = value as Record<string, unknown> | undefined;
  const field = ['httpServer', 'server'].find((name) => isServerLike(fields?.[name]));
  return field === undefined ? '' : `; pass its field ${field}`;
}
