import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isNativeWebsocket, LISTENERS_AFTER_UPGRADE } from '../internals/bun.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import type { Server } from './server-state.js';

/** Milliseconds without a response after which a warning reports an upgrade request. */
const WARNING_DELAY = 1_000;

/** Describes a server whose upgrade requests other listeners handle. */
export interface SharedServer {
  readonly server: Server;
  /** Whether the server is known to have routes of this package. If so, the request may be for one of them. */
  readonly isOurs: boolean;
  /** Milliseconds in which the other listeners must answer. */
  readonly handshakeTimeout: number;
}

/**
 * Watches an upgrade request that the other 'upgrade' listeners of a server handle. Call it before them.
 *
 * Calls `onUnanswered` if no listener answers within `handshakeTimeout`. On a server that is not known to be ours, it does
 * so only if no other code listens to the socket. If other code listens, that library may take longer.
 *
 * Warns once for each server. If the server is ours, it warns at once. If not, it warns when a request is refused or gets no
 * response. A request that another library accepts was meant for that library, and causes no warning.
 */
export function watchForeignRequest(
  { server, isOurs, handshakeTimeout }: SharedServer,
  req: IncomingMessage,
  duplex: Duplex,
  onUnanswered: () => void,
): void {
  debug('%s: left to the other upgrade listeners of this server', req.url);
  if (isOurs) warnAboutOthers(server, req);
  const socket = duplex as Socket;
  const { bytesRead, bytesWritten } = duplex as Partial<Socket>;
  const listeners = countListeners(socket) + LISTENERS_AFTER_UPGRADE;
  const warningDelay = Math.min(WARNING_DELAY, handshakeTimeout);

  const hasNoListener = (): boolean => countListeners(socket) <= listeners;
  const isUnanswered = (): boolean =>
    // Not every stream counts its bytes: the stream of a request with a body does not (Node 26).
    bytesWritten === undefined ? hasNoListener() : socket.bytesWritten === bytesWritten;
  const warnIfUnanswered = (): void => {
    if (isUnanswered()) warnAboutOthers(server, req);
    timer = setTimeout(takeOverIfUnanswered, handshakeTimeout - warningDelay).unref();
  };
  const takeOverIfUnanswered = (): void => {
    stop();
    if (!socket.writable || !isUnanswered()) return;
    if (isOurs || hasNoListener()) onUnanswered();
  };
  const warnIfRefused = (): void => {
    stop();
    // The server has ended the connection, and the client has sent nothing: that is a refusal. After an accepted handshake,
    // the client sends something, or disconnects before the server does.
    const isSilent = bytesRead !== undefined && socket.bytesRead === bytesRead;
    if (isSilent && !isNativeWebsocket(socket) && !socket.readableEnded && !socket.errored)
      warnAboutOthers(server, req);
  };
  const stop = (): void => {
    clearTimeout(timer);
    socket.removeListener('error', ignore);
    socket.removeListener('finish', warnIfRefused);
    socket.removeListener('close', warnIfRefused);
  };

  let timer = setTimeout(warnIfUnanswered, warningDelay).unref();
  // Without a listener, a client that resets the connection would end the process.
  socket.on('error', ignore);
  socket.on('finish', warnIfRefused);
  socket.on('close', warnIfRefused);
}

/** Counts the listeners on a socket, except those of 'error': Vite also listens to 'error' on sockets that it ignores. */
function countListeners(socket: Socket): number {
  const events = socket.eventNames().filter((event) => event !== 'error');
  return events.reduce((count, event) => count + socket.listenerCount(event), 0);
}

function warnAboutOthers(server: Server, req: IncomingMessage): void {
  // The suggested code must not contain the path of this request, because it may belong to the other library.
  warnOnce(
    server,
    'WEBSOCKET_SHARED_SERVER',
    `another library listens to 'upgrade' on this server, so this app did not handle the request for ${pathOf(req)}. ` +
      'Name the upgrade requests of your app:\n' +
      "  attachWebsocket(server, { owns: (req) => req.url.startsWith('/your/path') })\n" +
      'With a development server on the same port, exclude its requests:\n' +
      "  Next.js: owns: (req) => !req.url.includes('/_next/')\n" +
      "  Vite, Astro, SvelteKit: owns: (req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-')\n" +
      "  webpack-dev-server: owns: (req) => req.url !== '/ws'\n" +
      'docs/nextjs.md, docs/vite.md and docs/frameworks.md of this package show the whole set-up.\n' +
      'If this server has no routes of dwebsocket: owns: () => false',
  );
}

function ignore(): void {
  // 'close' follows.
}
