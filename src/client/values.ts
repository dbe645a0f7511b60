import { isForValues, type Settings } from './options.js';
import type { Bytes } from './socket.js';

/**
 * Encodes a message. Copies bytes, so that the caller may change them.
 *
 * @throws {TypeError} It is not a message.
 */
export function encode(data: unknown, { messages }: Settings): string | Bytes {
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
  if (ArrayBuffer.isView(bytes))
    return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength).slice();
  const text = isForValues(messages) ? JSON.stringify(data) : data;
  if (typeof text === 'string') return text;
  throw new TypeError('send a string or bytes, or use messages: "json"');
}
