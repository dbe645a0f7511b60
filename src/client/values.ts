import type { SchemaResult } from '../shared/standard-schema.js';
import { createError } from './errors.js';
import { isForValues, type Settings } from './options.js';
import type { Bytes } from './socket.js';

/**
 * Encodes a message. Copies bytes, so that the caller may change them.
 *
 * @throws {TypeError} It is not a message.
 */
export function encode(data: unknown, { messages, sends }: Settings): string | Bytes {
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() as Bytes;
  if (data instanceof ArrayBuffer) return new Uint8Array(data).slice();
  if (!isForValues(messages)) {
    if (typeof data === 'string') return data;
    throw createError("send() takes a string or bytes; write JSON.stringify(value), or set messages: 'json'");
  }
  const result = sends?.['~standard'].validate(data);
  if (result && ('then' in result || result.issues))
    throw createError(
      'send() takes a value that fits "sends", whose schema must not be async',
      TypeError,
      'ARGUMENT',
      result,
    );
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) throw createError('send() takes a value that JSON can represent');
  return text;
}

/** Calls a function. What it throws counts as an issue, also if it comes from a schema. */
export function attempt<T>(check: () => T): T | { issues: [Error] } {
  try {
    return check();
  } catch (error) {
    return { issues: [error as Error] };
  }
}
