import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { argumentError, describe } from './errors.js';
import type { Websocket } from './websocket.js';

/** A server of Node, http or https. */
export type Server = HttpServer | HttpsServer;

/** An upgrade request that is on its way through the app. */
export interface Undecided {
  /** Ends it with 503, if it is still undecided. */
  abandon(text: string): void;
  /** Resolves when it has been decided. */
  settled(): Promise<void>;
}

/** What we know of one server. */
export interface ServerState {
  /** The open websockets. */
  readonly open: Set<Websocket>;
  /** Upgrade requests on their way through the app. */
  readonly pending: Set<Undecided>;
  /** How many calls of `closeWebsockets` are under way. */
  draining: number;
  /** Whether `close()` has been called since the server last began to listen. */
  closeCalled: boolean;
  /** What has been put on the server; stays when it is detached, so that it is not attached again by itself. */
  attachment: { detach(): void } | undefined;
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
    draining: 0,
    closeCalled: false,
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
