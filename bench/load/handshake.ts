/** The example of RFC 6455, section 1.3. All clients may use one key, because it does not identify a client. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const END = Buffer.from('\r\n\r\n');

export function handshakeRequest(host: string, path: string): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
}

/**
 * Returns the bytes after the response's head, or `undefined` while the head is not complete.
 *
 * @throws {Error} The response is not the expected 101.
 */
export function afterHandshake(received: Buffer): Buffer | undefined {
  const end = received.indexOf(END);
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end);
  if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(ACCEPT))
    throw new Error(`the server refused the handshake: ${head}`);
  return received.subarray(end + END.length);
}
