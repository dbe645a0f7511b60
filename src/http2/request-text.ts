import type { IncomingHttpHeaders } from 'node:http2';

// Any 16 bytes: HTTP/2 has no key, and the answer to it is not sent (RFC 8441, 5).
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';

/** Returns whether a request asks for a websocket by the extended CONNECT of RFC 8441. */
export function asksForWebsocket(headers: IncomingHttpHeaders): boolean {
  return headers[':method'] === 'CONNECT' && headers[':protocol'] === 'websocket';
}

/** Describes the body of a request: none, one with a `Content-Length`, or one whose length is unknown. */
export type RequestBody = 'none' | 'counted' | 'chunked';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TARGET = /^[^\0-\x20\x7f]+$/;
const UNSAFE = /[\0\r\n]/;

/** The headers that this package writes itself, or that have no meaning in HTTP/1.1. */
const REPLACED =
  /^(?::.*|host|connection|te|upgrade|keep-alive|proxy-connection|http2-settings|transfer-encoding)$/;
const NOT_OF_A_HANDSHAKE = /^(?:content-length|expect|sec-websocket-key)$/;

/**
 * Writes the head of an HTTP/2 request as one of HTTP/1.1. Returns `undefined` if it cannot be written safely.
 *
 * nghttp2 checks all fields before (RFC 9113, 8.2.1). They are checked once more, because a line break in one of them would
 * begin another header, or another request.
 */
export function writeRequestHead(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  body: RequestBody,
): string | undefined {
  const isWebsocket = asksForWebsocket(headers);
  const method = isWebsocket ? 'GET' : (headers[':method'] ?? '');
  const target = headers[':path'] ?? '';
  if (!TOKEN.test(method) || !TARGET.test(target)) return undefined;
  const lines = [`${method} ${target} HTTP/1.1`];
  const host = headers[':authority'] ?? headers.host;
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (REPLACED.test(name) || (isWebsocket && NOT_OF_A_HANDSHAKE.test(name))) continue;
    lines.push(`${name}: ${rawHeaders[i + 1] as string}`);
  }
  if (isWebsocket) lines.push('Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${KEY}`);
  else lines.push('Connection: close');
  if (body === 'chunked') lines.push('Transfer-Encoding: chunked');
  if (lines.some((line) => UNSAFE.test(line))) return undefined;
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Writes the trailers of a request, as lines of HTTP/1.1. */
export function writeTrailers(rawTrailers: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < rawTrailers.length; i += 2) {
    const line = `${rawTrailers[i] as string}: ${rawTrailers[i + 1] as string}`;
    if (!UNSAFE.test(line)) text += `${line}\r\n`;
  }
  return text;
}
