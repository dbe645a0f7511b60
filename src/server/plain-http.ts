import { Server as HttpServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { debug } from '../shared/notices.js';
import type { DetachedConnection } from './detached-connection.js';
import type { Server } from './server-state.js';

/** The number of headers that Node keeps of a request if `server.maxHeadersCount` is not set. */
const DEFAULT_MAX_HEADERS = 1_000;

/**
 * Returns whether Node has kept all headers of a request.
 *
 * Node's parser obeys all headers, but the request object has only the first `server.maxHeadersCount`. So a request at that
 * limit may have an `Origin`, `Content-Length` or `Transfer-Encoding` header that is not visible. With an unknown length,
 * its body could be parsed as the next request.
 */
export function hasAllHeaders(server: Server, req: IncomingMessage): boolean {
  const max = server.maxHeadersCount ?? DEFAULT_MAX_HEADERS;
  return max <= 0 || req.rawHeaders.length < max * 2;
}

/**
 * Handles an upgrade request as plain HTTP if it asks for another protocol (h2c), or for a websocket with a body. All its
 * headers must be known.
 *
 * If a server has an 'upgrade' listener, Node removes its parser from *every* request with an `Upgrade` header. So this
 * function puts the request back into the socket, without the upgrade. Then Node's 'connection' listener parses it again.
 * Keep-alive still works.
 *
 * Newer versions of Node do not need this, see `shouldUpgradeCallback` in attachment.ts.
 */
export function replayAsPlainHttp(
  server: Server,
  req: IncomingMessage,
  connection: DetachedConnection,
  head: Buffer,
): void {
  debug('%s: "Upgrade: %s" is handled as plain HTTP', req.url, req.headers.upgrade);
  const socket = connection.release();
  if (head.length > 0) socket.unshift(head);
  socket.unshift(Buffer.from(formatHead(server, req), 'latin1'));
  // Node's own listener is the same function for http and https. All other listeners have seen this connection.
  serveConnection ??= new HttpServer().listeners('connection')[0] as ConnectionListener;
  serveConnection.call(server, socket);
}

type ConnectionListener = (this: Server, socket: Socket) => void;

let serveConnection: ConnectionListener | undefined;

function formatHead(server: Server, req: IncomingMessage): string {
  const lines = [`${req.method ?? 'GET'} ${req.url ?? '/'} HTTP/${req.httpVersion}`];
  const { rawHeaders } = req;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = withoutUpgrade(name.toLowerCase(), rawHeaders[i + 1] as string);
    // No space after the colon, so that the headers never grow beyond `server.maxHeaderSize`.
    if (value !== undefined) lines.push(`${name}:${value}`);
  }
  // Node restarts its count for this connection, so the limit would not apply. Close after this request.
  if ((server.maxRequestsPerSocket ?? 0) > 0) lines.push('Connection:close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Returns a header's value without the parts of the upgrade, or `undefined` if nothing remains. */
function withoutUpgrade(name: string, value: string): string | undefined {
  if (name === 'upgrade' || name === 'http2-settings') return undefined;
  if (name !== 'connection') return value;
  const rest = value.split(',').filter((option) => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option));
  return rest.length > 0 ? rest.join(',') : undefined;
}
