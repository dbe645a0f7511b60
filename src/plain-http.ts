import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { debug } from './notices.js';
import type { Server } from './server-state.js';

/**
 * Handles a request that asks for an upgrade which is not ours (h2c, or a websocket with a body) as the plain HTTP
 * request that it also is.
 *
 * With an 'upgrade' listener on a server, Node hands over *every* request with an `Upgrade` header, and its parser has
 * left the socket. So the request's own bytes, without the upgrade, go back to where they came from, and the server
 * gets the connection once more: its own 'connection' listeners see the socket again. Keep-alive goes on.
 *
 * Newer versions of Node ask before they hand over (see `shouldUpgradeCallback` in attach.ts), and this is not needed.
 */
export function replayAsPlainHttp(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  debug('%s: "Upgrade: %s" is handled as plain HTTP', req.url, req.headers.upgrade);
  if (head.length > 0) socket.unshift(head);
  socket.unshift(Buffer.from(requestHead(req), 'latin1'));
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
}

function requestHead(req: IncomingMessage): string {
  const lines = [`${req.method ?? 'GET'} ${req.url ?? '/'} HTTP/${req.httpVersion}`];
  const { rawHeaders } = req;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = withoutUpgrade(name.toLowerCase(), rawHeaders[i + 1] as string);
    if (value !== undefined) lines.push(`${name}: ${value}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The header's value without what belongs to the upgrade; `undefined` when nothing is left of it. */
function withoutUpgrade(name: string, value: string): string | undefined {
  if (name === 'upgrade' || name === 'http2-settings') return undefined;
  if (name !== 'connection') return value;
  const rest = value.split(',').filter((option) => !/^\s*(?:upgrade|http2-settings)\s*$/i.test(option));
  return rest.length > 0 ? rest.join(',') : undefined;
}
