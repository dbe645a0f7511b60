import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLastOnConnection } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { onRefused } from '../websocket/diagnostics.js';
import type { Refusal } from './handshake.js';

/** Logs that this package refuses a handshake, and publishes it to diagnostics. */
export function reportRefusal(request: IncomingMessage, status: number, reason: string): void {
  debug('%s: refused with %d, %s', request.url, status, reason);
  if (onRefused.hasSubscribers) onRefused.publish({ request, status, reason });
}

/** Refuses a handshake with an ordinary HTTP response. The connection closes after it. */
export function refuse(req: IncomingMessage, res: ServerResponse, { status, text, headers }: Refusal): void {
  reportRefusal(req, status, text);
  res.setHeader('Connection', 'close');
  answer(res, status, text, headers);
}

/** Sends a plain-text response. */
export function answer(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  const body = `${text}\n`;
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

/**
 * Returns the header `Connection` for a response with an `Upgrade` header.
 *
 * When an app sets `Connection`, Node does not add whether the connection stays open. So this function adds it.
 */
export function connectionWithUpgrade(res: ServerResponse): string {
  const isLast =
    !res.shouldKeepAlive ||
    isLastOnConnection(res) ||
    // An earlier middleware may close the connection.
    /(?:^|,)\s*close\s*(?:,|$)/i.test(String(res.getHeader('Connection')));
  if (isLast) return 'Upgrade, close';
  // HTTP/1.0 closes the connection unless the response says keep-alive.
  return res.req.httpVersionMinor === 0 ? 'Upgrade, keep-alive' : 'Upgrade';
}
