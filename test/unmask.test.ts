import { describe, expect, test } from 'vitest';
import { Unmasker } from '../src/unmask.js';
import { Random } from './hostile/fuzz/random.js';
import { binary, FrameReader, more, ping, text } from './support/raw-frames.js';

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const NO_KEY = Buffer.alloc(4);

/** What is passed on, when the bytes arrive in these chunks. */
function passed(chunks: readonly Uint8Array[]): Buffer {
  const unmasker = new Unmasker();
  return Buffer.concat(
    chunks.map((chunk) => {
      // A memory of its own, as the chunks of a socket have.
      const own = Buffer.from(chunk);
      unmasker.pass(own);
      return own;
    }),
  );
}

function cutInto(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function payloadsOf(bytes: Buffer): string[] {
  const reader = new FrameReader();
  const payloads = reader.push(bytes).map(({ payload }) => payload.toString('latin1'));
  expect(reader.rest).toHaveLength(0);
  return payloads;
}

/** Bytes that tell their place, so that one that moves or is masked by another byte of the key is seen. */
function numbered(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

describe('a frame in one chunk', () => {
  test.for([128, 129, 130, 131, 1024, 65_535, 65_536, 100_003])(
    'of %d bytes is unmasked, and its key is zero, which masks nothing (RFC 6455, 5.3)',
    (length) => {
      const payload = numbered(length);
      expect(passed([binary(payload)]).equals(binary(payload, { mask: NO_KEY }))).toBe(true);
    },
  );

  test.for([0, 1, 2, 3])('may begin anywhere in a word of the memory (%d)', (offset) => {
    const frame = binary(numbered(1000));
    const memory = Buffer.from(new ArrayBuffer(frame.length + offset));
    const chunk = memory.subarray(offset);
    frame.copy(chunk);
    new Unmasker().pass(chunk);
    expect(chunk.equals(binary(numbered(1000), { mask: NO_KEY }))).toBe(true);
    expect(memory.subarray(0, offset).equals(Buffer.alloc(offset))).toBe(true);
  });

  test.for([0, 1, 125, 126, 127])('of %d bytes is left to ws', (length) => {
    const frame = binary(numbered(length));
    expect(passed([frame])).toEqual(frame);
  });

  test('without a mask, which no client may send, is left to ws to refuse', () => {
    const frame = binary(numbered(1000), { mask: false });
    expect(passed([frame])).toEqual(frame);
  });

  test('whose key is zero stays as it is', () => {
    const frame = binary(numbered(1000), { mask: NO_KEY });
    expect(passed([frame])).toEqual(frame);
  });

  test.for([16, 64] as const)('may write its length in more bits than it needs (%d)', (lengthBits) => {
    const frames = [binary(numbered(200), { lengthBits }), binary(numbered(5), { lengthBits })];
    const expected = [
      binary(numbered(200), { lengthBits, mask: NO_KEY }),
      binary(numbered(5), { lengthBits }),
    ];
    expect(passed([Buffer.concat(frames)])).toEqual(Buffer.concat(expected));
  });

  test.for([2n ** 31n, 2n ** 32n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n])(
    'may claim a length of %d bytes',
    (claimedLength) => {
      const options = { lengthBits: 64, claimedLength } as const;
      const bytes = passed([binary(numbered(300), options), Buffer.alloc(8)]);
      const expected = binary(Buffer.concat([numbered(300), Buffer.from(KEY), Buffer.from(KEY)]), {
        ...options,
        mask: NO_KEY,
      });
      // What follows belongs to it, and is unmasked by the same key.
      expect(bytes).toEqual(expected);
    },
  );
});

describe('frames in many chunks', () => {
  const payloads = [numbered(300), numbered(0), numbered(10), numbered(70_000), numbered(1), numbered(200)];
  const stream = Buffer.concat([
    text(payloads[0] as Buffer, { fin: false }),
    more(payloads[1] as Buffer, { fin: false }),
    ping(payloads[2]),
    more(payloads[3] as Buffer),
    binary(payloads[4] as Buffer),
    binary(payloads[5] as Buffer, { mask: Buffer.from([0, 0xff, 0, 1]) }),
  ]);
  const expected = payloads.map((payload) => payload.toString('latin1'));

  test.for([1, 2, 3, 4, 5, 7, 13, 14, 15, 131, 1000, 1021, 4096, 65_536, 1_000_000])(
    'of %d bytes carry what they carried',
    (size) => {
      expect(payloadsOf(passed(cutInto(stream, size)))).toEqual(expected);
    },
  );

  test('a header is cut anywhere: its payload is left to ws, and the next frame is unmasked again', () => {
    const [first, second] = [binary(numbered(66_000)), binary(numbered(400))];
    const both = Buffer.concat([first, second]);
    for (let cut = 1; cut < 14; cut++) {
      const bytes = passed([both.subarray(0, cut), both.subarray(cut)]);
      expect(bytes.subarray(0, first.length).equals(first)).toBe(true);
      expect(bytes.subarray(first.length)).toEqual(binary(numbered(400), { mask: NO_KEY }));
    }
  });

  test('a payload is cut anywhere', () => {
    const frame = binary(numbered(600));
    const unmasked = binary(numbered(600), { mask: NO_KEY });
    for (let cut = 8; cut < frame.length; cut++) {
      expect(passed([frame.subarray(0, cut), frame.subarray(cut)]).equals(unmasked)).toBe(true);
    }
  });

  test('the frames of two connections do not mix', () => {
    const other = binary(numbered(500), { mask: Buffer.from([9, 8, 7, 6]) });
    const frame = binary(numbered(500));
    const unmaskers = [new Unmasker(), new Unmasker()];
    const chunks = [frame, other].map((bytes) => cutInto(Buffer.from(bytes), 100));
    for (let index = 0; index < 6; index++) {
      unmaskers.forEach((unmasker, side) => {
        const chunk = chunks[side]?.[index];
        if (chunk !== undefined) unmasker.pass(chunk);
      });
    }
    for (const side of chunks) {
      expect(Buffer.concat(side)).toEqual(binary(numbered(500), { mask: NO_KEY }));
    }
  });

  test('whatever they are, and wherever they are cut, they carry what they carried', () => {
    const random = new Random(1);
    const size = (): number => random.between(0, random.pick([125, 300, 3000, 70_000]));
    const carried = Array.from({ length: 500 }, () => numbered(size()));
    const bytes = Buffer.concat(carried.map((payload) => binary(payload, { mask: random.bytes(4) })));
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += chunks.at(-1)?.length ?? 0) {
      chunks.push(bytes.subarray(at, at + random.between(1, random.pick([20, 2000, 65_536]))));
    }
    expect(payloadsOf(passed(chunks))).toEqual(carried.map((payload) => payload.toString('latin1')));
  });
});
