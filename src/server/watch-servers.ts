import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as http from 'node:http';
import * as https from 'node:https';
import { serverOf } from '../internals/node.js';
import { attachmentOf } from './attachment.js';
import { stateOf, type Server } from './server-state.js';

const ACCEPTED = 'net.server.socket';
// On Node's own channel object, which outlives the modules that a test runner loads anew for each file.
const WATCHER = Symbol.for('dwebsocket.watcher.1');
let watching = false;

/**
 * Attaches every server of this process to which somebody connects, before the first byte is parsed. Called when the
 * first route is wrapped, never on import.
 */
export function watchServers(): void {
  if (watching) return;
  watching = true;
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

/** The http or https server of Node that has accepted the connection of a request. */
export function httpServerOf(req: http.IncomingMessage): Server | undefined {
  const server = serverOf(req.socket);
  return isServer(server) ? server : undefined;
}

/** Remembers that a request has reached a route or middleware of ours through its server. */
export function noteRoute(req: http.IncomingMessage): void {
  const server = httpServerOf(req);
  if (server !== undefined) stateOf(server).servesRoutes = true;
}

/** Not when it has been detached: that was asked for. */
function attachUnlessKnown(server: Server): void {
  if (stateOf(server).attachment === undefined) attachmentOf(server).attach();
}
