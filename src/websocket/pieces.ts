/** Small buffers are joined up to this size, because each buffer takes about 350 bytes in addition to its content. */
const MAX_JOINED = 4_096;

/**
 * Returns a buffer that retains at most twice its own bytes of memory. Copies the bytes if they use less than half of
 * the memory that they retain.
 *
 * A socket delivers views of chunks of up to 64 KiB. Without a copy, one stored byte would retain its whole chunk.
 */
export function compact(bytes: Buffer): Buffer {
  return retainsExcess(bytes) ? copyOf(bytes) : bytes;
}

/** Returns whether a buffer uses less than half of the memory that it retains. */
export function retainsExcess(bytes: Buffer): boolean {
  return bytes.length * 2 < bytes.buffer.byteLength;
}

/**
 * Adds a buffer to a list of stored buffers, and joins small ones. So the list takes little more memory than its bytes.
 */
export function addPiece(pieces: Buffer[], piece: Buffer): void {
  pieces.push(compact(piece));
  joinLast(pieces);
}

/**
 * Joins the last buffer with the one before it, as long as that one is not larger, as a binary counter carries. So each byte
 * is copied at most a dozen times, even if the pieces are small.
 */
function joinLast(pieces: Buffer[]): void {
  for (let last = pieces.length - 1; last > 0; last--) {
    const one = pieces[last - 1] as Buffer;
    const other = pieces[last] as Buffer;
    if (one.length > other.length || one.length + other.length > MAX_JOINED) return;
    // Allocates separate memory: a part of Node's pool would retain the whole pool.
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
