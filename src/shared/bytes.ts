/** Stands for the binary types that Node and browsers have. */
type Bytes = NodeJS.TypedArray | DataView | ArrayBuffer;

export function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || isArrayBuffer(value);
}

// Checks the tag, because instanceof fails for the second ArrayBuffer of a test runner's sandbox.
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

/** Returns the start of a text that has at most `max` bytes in UTF-8. A cut text ends with `…`. */
export function cutText(text: string, max: number): string {
  const bytes = Buffer.alloc(max);
  const { read, written } = encoder.encodeInto(text, bytes);
  if (read === text.length) return bytes.toString('utf8', 0, written);
  const start = encoder.encodeInto(text, bytes.subarray(0, max - ELLIPSIS_BYTES));
  return `${bytes.toString('utf8', 0, start.written)}…`;
}

const ELLIPSIS_BYTES = 3;

// It encodes whole characters only, and replaces half of a surrogate pair.
const encoder = new TextEncoder();
