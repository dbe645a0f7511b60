import { unmaskWide, WIDTH } from './unmask-wide.js';

/** Below this many bytes, a loop over bytes is faster than the creation of a view of words. */
const MIN_BYTES_FOR_WORDS = 128;

/** Below this many bytes, a loop over words is faster than the copies that wide instructions need. */
const MIN_BYTES_FOR_WIDE = 1_024;

// The key as four bytes, and as one word in the same memory. So it works with both byte orders.
const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

const NOT_ASCII = 0x80808080;

/**
 * Unmasks `bytes` from `from` up to `to` in place, with the key at `keyAt` (RFC 6455, 5.3). A second call restores them.
 *
 * Returns whether all unmasked bytes are ASCII. Unmasks 16 or 4 bytes at a time. `ws` unmasks single bytes, which takes two
 * thirds of its CPU time for an echo of 64 KiB.
 */
export function unmask(bytes: Uint8Array, keyAt: number, from: number, to: number): boolean {
  keyBytes[0] = bytes[keyAt] as number;
  keyBytes[1] = bytes[keyAt + 1] as number;
  keyBytes[2] = bytes[keyAt + 2] as number;
  keyBytes[3] = bytes[keyAt + 3] as number;
  if (to - from < MIN_BYTES_FOR_WORDS) return (unmaskEach(bytes, from, from, to) & 0x80) === 0;
  if (to - from >= MIN_BYTES_FOR_WIDE) {
    const rest = to - ((to - from) % WIDTH);
    const key = keyBytes[0] | (keyBytes[1] << 8) | (keyBytes[2] << 16) | (keyBytes[3] << 24);
    const isAscii = unmaskWide(bytes, key, from, rest);
    if (isAscii !== undefined) return (unmaskEach(bytes, from, rest, to) & 0x80) === 0 && isAscii;
  }
  // Single bytes come first, up to the next word boundary of the memory.
  const aligned = from + (-(bytes.byteOffset + from) & 3);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (to - aligned) >> 2);
  let union = unmaskEach(bytes, from, from, aligned);
  union |= unmaskEach(bytes, from, aligned + words.byteLength, to);
  rotateKey(aligned - from);
  const key = keyWord[0] as number;
  let unionOfWords = 0;
  for (let index = 0; index < words.length; index++) {
    const word = (words[index] as number) ^ key;
    words[index] = word;
    unionOfWords |= word;
  }
  return (union & 0x80) === 0 && (unionOfWords & NOT_ASCII) === 0;
}

/** Unmasks single bytes. The payload begins at `start`. Returns the bitwise OR of all unmasked bytes. */
function unmaskEach(bytes: Uint8Array, start: number, from: number, to: number): number {
  let union = 0;
  for (let at = from; at < to; at++) {
    const byte = (bytes[at] as number) ^ (keyBytes[(at - start) & 3] as number);
    bytes[at] = byte;
    union |= byte;
  }
  return union;
}

/** Rotates the key, so that it begins with its byte for the payload byte at index `by`. */
function rotateKey(by: number): void {
  const [a = 0, b = 0, c = 0, d = 0] = keyBytes;
  const bytes = [a, b, c, d];
  for (let index = 0; index < 4; index++) keyBytes[index] = bytes[(index + by) & 3] as number;
}
