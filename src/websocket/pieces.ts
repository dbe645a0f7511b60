/** Small neighbours are joined up to this size: a buffer of its own costs some 350 bytes beside its content. */
const BLOCK = 4_096;

/**
 * A buffer that keeps no more memory alive than its own bytes, or twice as much: a view of a small part is copied.
 *
 * What a socket delivers are views of chunks of up to 64 KiB; one byte that is kept would keep its whole chunk.
 */
export function withoutExcess(bytes: Buffer): Buffer {
  return keepsExcess(bytes) ? copyOf(bytes) : bytes;
}

/** Whether these bytes are the smaller part of the memory that they keep alive. */
export function keepsExcess(bytes: Buffer): boolean {
  return bytes.length * 2 < bytes.buffer.byteLength;
}

/**
 * Adds a buffer to those that wait to be used together, and joins small ones, so that all of them take little more memory
 * than their bytes.
 */
export function addPiece(pieces: Buffer[], piece: Buffer): void {
  pieces.push(withoutExcess(piece));
  joinLast(pieces);
}

/**
 * Joins the last buffer with those before it that are no larger, as digits are carried when one counts in binary: so
 * each byte is copied no more than a dozen times, however small the pieces are.
 */
function joinLast(pieces: Buffer[]): void {
  for (let last = pieces.length - 1; last > 0; last--) {
    const one = pieces[last - 1] as Buffer;
    const other = pieces[last] as Buffer;
    if (one.length > other.length || one.length + other.length > BLOCK) return;
    // A memory of its own: a part of Node's pool would keep all of the pool alive.
    const both = Buffer.allocUnsafeSlow(one.length + other.length);
    both.set(one);
    both.set(other, one.length);
    pieces.splice(last - 1, 2, both);
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
