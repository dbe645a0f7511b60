import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLastOnConnection } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { onRefused } from '../websocket/diagnostics.js';
import type { Refusal } from './handshake.js';

/** Tells operators that a handshake gets a status of ours. */
export function tellRefusal(request: IncomingMessage, status: number, reason: string): void {
  debug('%s: refused with %d, %s', request.url, status, reason);
  if (onRefused.hasSubscribers) onRefused.publish({ request, status, reason });
}

/** Refuses with an ordinary HTTP response, after which the connection closes. */
export function refuse(req: IncomingMessage, res: ServerResponse, { status, text, headers }: Refusal): void {
  tellRefusal(req, status, text);
  res.setHeader('Connection', 'close');
  answer(res, status, text, headers);
}

/** Answers with a text that a person understands. */
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
 * The header `Connection` for an answer that names an upgrade. Node leaves out what it would say there itself: whether the
 * connection stays.
 */
export function connectionWithUpgrade(res: ServerResponse): string {
  const isLast =
    !res.shouldKeepAlive ||
    isLastOnConnection(res) ||
    // An earlier middleware has said so.
    /(?:^|,)\s*close\s*(?:,|$)/i.test(String(res.getHeader('Connection')));
  if (isLast) return 'Upgrade, close';
  // HTTP/1.0 closes unless the answer says otherwise.
  return res.req.httpVersionMinor === 0 ? 'Upgrade, keep-alive' : 'Upgrade';
}
