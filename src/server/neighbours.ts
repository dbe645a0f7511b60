import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { DetachedConnection } from './detached-connection.js';
import type { Server } from './server-state.js';

/** After how long without an answer an upgrade request is reported, in milliseconds. */
const PATIENCE = 1_000;

/** A server whose upgrade requests are left to other listeners. */
export interface SharedServer {
  readonly server: Server;
  /** Whether routes of ours are known to be behind it: then a request that is left to others may be ours. */
  readonly isOurs: boolean;
  /** Milliseconds that the other listeners have to answer. */
  readonly handshakeTimeout: number;
}

/**
 * Watches an upgrade request that is left to the other 'upgrade' listeners of a server. Must be called before they are.
 *
 * Calls `giveUp` when nobody has answered in time; on a server that is not known to be ours, only where nobody listens to
 * the socket either. A neighbour may take its time there.
 *
 * Warns once for each server. On one that is ours it warns at once. Elsewhere it warns when a request gets no answer or is
 * turned away: what a neighbour accepts is its own, and no reason for a warning.
 */
export function watchLeftRequest(
  { server, isOurs, handshakeTimeout }: SharedServer,
  req: IncomingMessage,
  duplex: Duplex,
  giveUp: (connection: DetachedConnection) => void,
): void {
  debug('%s: left to the other upgrade listeners of this server', req.url);
  if (isOurs) warnAboutNeighbours(server, req);
  const socket = duplex as Socket;
  const { bytesRead, bytesWritten } = duplex as Partial<Socket>;
  const listeners = countListeners(socket);
  const patience = Math.min(PATIENCE, handshakeTimeout);

  const nobodyListens = (): boolean => countListeners(socket) <= listeners;
  const isUnanswered = (): boolean =>
    // Not every stream counts its bytes: that of a request with a body does not (Node 26).
    bytesWritten === undefined ? nobodyListens() : socket.bytesWritten === bytesWritten;
  const warnIfUnanswered = (): void => {
    if (isUnanswered()) warnAboutNeighbours(server, req);
    timer = setTimeout(giveUpIfUnanswered, handshakeTimeout - patience).unref();
  };
  const giveUpIfUnanswered = (): void => {
    stop();
    if (!socket.writable || !isUnanswered()) return;
    if (isOurs || nobodyListens()) giveUp(new DetachedConnection(server, socket));
  };
  const warnIfTurnedAway = (): void => {
    stop();
    // The client of a connection that was accepted says something, or leaves first.
    const isSilent = bytesRead !== undefined && socket.bytesRead === bytesRead;
    if (isSilent && !socket.readableEnded && !socket.errored) warnAboutNeighbours(server, req);
  };
  const stop = (): void => {
    clearTimeout(timer);
    socket.removeListener('error', ignore);
    socket.removeListener('finish', warnIfTurnedAway);
    socket.removeListener('close', warnIfTurnedAway);
  };

  let timer = setTimeout(warnIfUnanswered, patience).unref();
  // Until a neighbour listens itself, a client that resets the connection would end the process.
  socket.on('error', ignore);
  socket.on('finish', warnIfTurnedAway);
  socket.on('close', warnIfTurnedAway);
}

/** Without those of 'error': Vite listens to it on the sockets of others, so that none of them ends the process. */
function countListeners(socket: Socket): number {
  const events = socket.eventNames().filter((event) => event !== 'error');
  return events.reduce((count, event) => count + socket.listenerCount(event), 0);
}

function warnAboutNeighbours(server: Server, req: IncomingMessage): void {
  // The line must not name the path of this request: it may be the other library's own.
  warnOnce(
    server,
    'WEBSOCKET_SHARED_SERVER',
    `another library listens to 'upgrade' on this server, so the request for ${pathOf(req)} was left to it. ` +
      'Say which requests enter your app:\n' +
      "  attachWebsocket(server, { owns: (req) => req.url.startsWith('/your/path') })\n" +
      'Beside a development server, leave it its own:\n' +
      "  Next.js: owns: (req) => !req.url.includes('/_next/')\n" +
      "  Vite, Astro, SvelteKit: owns: (req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-')\n" +
      "  webpack-dev-server: owns: (req) => req.url !== '/ws'\n" +
      'Where this server has no routes of dwebsocket: owns: () => false',
  );
}

function ignore(): void {
  // 'close' follows.
}
