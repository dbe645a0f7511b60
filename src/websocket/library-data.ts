import { isArrayBuffer } from '../shared/bytes.js';
import { asBytes, type Data } from './frame.js';
import { addPiece } from './pieces.js';

const NOTHING = Buffer.alloc(0);

/**
 * Converts what a library gives to `send` of a `WebSocket` of `ws`: also numbers, arrays of bytes, and nothing.
 *
 * @throws {TypeError} `data` cannot be sent.
 */
export function toData(data: unknown): Data | Blob {
  if (typeof data === 'string') return data;
  if (typeof data === 'number') return String(data);
  if (ArrayBuffer.isView(data) || isArrayBuffer(data) || data instanceof Blob) return data as Data | Blob;
  return data ? Buffer.from(data as number[]) : NOTHING;
}

/**
 * Joins the parts of a message that a library sends with `fin: false`. The message goes out in one piece, because messages
 * of a group must not land between its parts (RFC 6455, 5.4).
 */
export class Fragments {
  /** The number of bytes so far. */
  size = 0;
  readonly binary: boolean;
  readonly #parts: Buffer[] = [];

  constructor(binary: boolean) {
    this.binary = binary;
  }

  add(data: Data): void {
    // A copy, because the library may reuse its buffer.
    const part = copyOf(data);
    if (part.length > 0) addPiece(this.#parts, part);
    this.size += part.length;
  }

  join(): Buffer {
    return Buffer.concat(this.#parts, this.size);
  }
}

/** Returns the bytes of a message in memory of their own. */
export function copyOf(data: Data): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : Buffer.from(asBytes(data));
}
