import { connect, type ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { ACCEPT } from './handshake.js';

/** As many websockets as a browser has open on one session, at most. */
const STREAMS_OF_A_SESSION = 10;

let current: { readonly session: ClientHttp2Session; streams: number } | undefined;

/**
 * Opens a websocket as a stream of HTTP/2 (RFC 8441). `receive` gets the response as HTTP/1.1 would send it, and then the bytes
 * of the websocket.
 */
export function openStream(url: string, path: string, receive: (chunk: Buffer) => void): Duplex {
  if (current === undefined || current.streams === STREAMS_OF_A_SESSION || current.session.closed) {
    current = { session: connect(url), streams: 0 };
    // A stream reports the loss of its session.
    current.session.on('error', () => undefined);
  }
  current.streams++;
  const { session } = current;
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':authority': 'localhost',
    ':path': path,
    'sec-websocket-version': '13',
  });
  stream.on('response', ({ ':status': status }) => {
    const line = status === 200 ? '101 Switching Protocols' : String(status);
    receive(Buffer.from(`HTTP/1.1 ${line}\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`));
  });
  stream.on('data', receive);
  return stream;
}
