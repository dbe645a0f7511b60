import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as http from 'node:http';
import * as https from 'node:https';
import { isBun, watchConnections } from '../internals/bun.js';
import { serverOf } from '../internals/node.js';
import { attachmentOf } from './attachment.js';
import { stateOf, type Server } from './server-state.js';

const ACCEPTED = 'net.server.socket';
// Stored on Node's channel object, which stays the same when a test runner reloads modules for each file.
const WATCHER = Symbol.for('dwebsocket.watcher.1');
let watching = false;

/**
 * From now on, attaches this package to each server of this process when a client first connects to it, before Node parses
 * the first byte. Called when the first route is wrapped, and not on import.
 */
export function watchServers(): void {
  if (watching) return;
  watching = true;
  if (isBun) {
    const holder = http.Server as unknown as { [WATCHER]?: () => void };
    holder[WATCHER]?.();
    holder[WATCHER] = watchConnections(attachUnlessKnown);
    return;
  }
  const holder = channel(ACCEPTED) as { [WATCHER]?: (message: unknown) => void };
  if (holder[WATCHER] !== undefined) unsubscribe(ACCEPTED, holder[WATCHER]);
  holder[WATCHER] = onConnection;
  subscribe(ACCEPTED, onConnection);
}

function onConnection(message: unknown): void {
  const server = serverOf((message as { socket: object }).socket);
  if (isServer(server)) attachUnlessKnown(server);
}

function isServer(server: unknown): server is Server {
  return server instanceof http.Server || server instanceof https.Server;
}

/** Returns the server of Node that accepted the connection of a request. */
export function httpServerOf(req: http.IncomingMessage): Server | undefined {
  const server = serverOf(req.socket);
  return isServer(server) ? server : undefined;
}

/** Records that a server has routes or middleware of this package, because a request has reached one. */
export function noteRoute(req: http.IncomingMessage): void {
  const server = httpServerOf(req);
  if (server !== undefined) stateOf(server).servesRoutes = true;
}

/** Attaches a server on its first connection. A server that was detached stays detached. */
function attachUnlessKnown(server: Server): void {
  if (stateOf(server).attachment === undefined) attachmentOf(server).attach();
}
