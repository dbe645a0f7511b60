import { Server as HttpServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { debug } from '../shared/notices.js';
import type { DetachedConnection } from './detached-connection.js';
import type { Server } from './server-state.js';

/** How many headers Node keeps of a request when `server.maxHeadersCount` is not set. */
const DEFAULT_MAX_HEADERS = 1_000;

/**
 * Whether Node has kept all headers of a request.
 *
 * Beyond `server.maxHeadersCount` Node drops headers, but its parser obeys them. So a request at that limit may have an
 * `Origin`, a `Content-Length` or a `Transfer-Encoding` that nobody can see. With its length unknown, its body could be
 * taken for the next request.
 */
export function hasAllHeaders(server: Server, req: IncomingMessage): boolean {
  const max = server.maxHeadersCount ?? DEFAULT_MAX_HEADERS;
  return max <= 0 || req.rawHeaders.length < max * 2;
}

/**
 * Handles a request that asks for an upgrade which is not ours (h2c, or a websocket with a body) as the plain HTTP
 * request that it also is. All its headers must be known.
 *
 * With an 'upgrade' listener on a server, Node hands over *every* request with an `Upgrade` header, and its parser has
 * left the socket. So the request's own bytes, without the upgrade, go back to where they came from, and Node's own
 * listener gets the connection once more. Keep-alive goes on.
 *
 * Newer versions of Node ask before they hand over (see `shouldUpgradeCallback` in attach.ts), and this is not needed.
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
  // Only Node's own listener, which is the same function on http and https: the others have seen this connection.
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
    // Without a space, so that no head grows beyond `server.maxHeaderSize`.
    if (value !== undefined) lines.push(`${name}:${value}`);
  }
  // Node counts the requests of a connection anew.
  if ((server.maxRequestsPerSocket ?? 0) > 0) lines.push('Connection:close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The header's value without what belongs to the upgrade; `undefined` when nothing is left of it. */
function withoutUpgrade(name: string, value: string): string | undefined {
  if (name === 'upgrade' || name === 'http2-settings') return undefined;
  if (name !== 'connection') return value;
  const rest = value.split(',').filter((option) => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option));
  return rest.length > 0 ? rest.join(',') : undefined;
}
