import { describe, expect, test, vi } from 'vitest';
import { addPiece, retainsExcess, compact } from '../../src/websocket/pieces.js';
import { Random } from '../hostile/fuzz/random.js';

const KiB = 1024;

/** Returns a part of a chunk that a socket delivers. */
const viewOf = (length: number, of = 64 * KiB) => Buffer.from(new ArrayBuffer(of)).subarray(0, length);

/** Returns the bytes of memory that buffers retain. Counts shared memory once. */
function keptBy(pieces: readonly Buffer[]): number {
  return [...new Set(pieces.map(({ buffer }) => buffer))].reduce(
    (sum, { byteLength }) => sum + byteLength,
    0,
  );
}

describe('compact', () => {
  test.for([
    [0, 1],
    [1, 64 * KiB],
    [32 * KiB - 1, 64 * KiB],
  ] as const)('copies %d bytes of %d, so that the rest is let go of', ([length, of]) => {
    const view = viewOf(length, of);
    view.fill(7);
    const copy = compact(view);
    expect(retainsExcess(view)).toBe(true);
    expect(copy).toEqual(view);
    expect(copy.buffer.byteLength).toBe(length);
  });

  test.for([
    [32 * KiB, 64 * KiB],
    [64 * KiB, 64 * KiB],
  ] as const)('leaves %d bytes of %d where they are', ([length, of]) => {
    const view = viewOf(length, of);
    expect(retainsExcess(view)).toBe(false);
    expect(compact(view)).toBe(view);
  });
});

describe('addPiece', () => {
  test.for([1, 2, 3, 7, 100, 1000, 4095, 4096, 5000, 40_000, 65_536])(
    'stores pieces of %d bytes from separate chunks in at most twice their bytes and few buffers',
    (size) => {
      const pieces: Buffer[] = [];
      const length = size < 100 ? 5_000 * size : 300_000;
      const whole = Buffer.from(Array.from({ length }, (_, index) => index % 251));
      for (let at = 0; at < whole.length; at += size) {
        const piece = viewOf(Math.min(size, whole.length - at));
        piece.set(whole.subarray(at, at + size));
        addPiece(pieces, piece);
      }
      expect(Buffer.concat(pieces).equals(whole)).toBe(true);
      expect(keptBy(pieces)).toBeLessThanOrEqual(2 * whole.length);
      // Each has 2 KiB on average. Up to a dozen are still small.
      expect(pieces.length).toBeLessThanOrEqual(whole.length / (2 * KiB) + 12);
    },
  );

  test('copies each byte at most a dozen times, even if the pieces are small', () => {
    const set = vi.spyOn(Buffer.prototype, 'set');
    const pieces: Buffer[] = [];
    const count = 20_000;
    for (let i = 0; i < count; i++) addPiece(pieces, viewOf(1, 1));
    const copied = set.mock.calls.reduce((sum, [from]) => sum + (from as Buffer).length, 0);
    set.mockRestore();
    expect(Buffer.concat(pieces)).toHaveLength(count);
    expect(copied).toBeLessThanOrEqual(13 * count);
  });

  test('keeps the bytes and the order of pieces of all sizes', () => {
    const random = new Random(1);
    const parts = Array.from({ length: 3_000 }, () =>
      random.bytes(random.between(0, random.pick([3, 300, 9_000]))),
    );
    const pieces: Buffer[] = [];
    for (const part of parts) addPiece(pieces, part);
    expect(Buffer.concat(pieces).equals(Buffer.concat(parts))).toBe(true);
  });
});
