/** The example of RFC 6455, section 1.3: the key may be the same for all, it proves nothing about the client. */
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
 * The bytes behind the response's head, or `undefined` while that is not complete.
 *
 * @throws {Error} The response is not the 101 that was asked for.
 */
export function afterHandshake(received: Buffer): Buffer | undefined {
  const end = received.indexOf(END);
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end);
  if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(ACCEPT)) throw new Error(`refused: ${head}`);
  return received.subarray(end + END.length);
}
