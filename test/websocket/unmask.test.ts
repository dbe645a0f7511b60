import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** Returns bytes that show their position. So a moved byte, or a wrong byte of the key, makes the test fail. */
function numbered(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

/** Returns the key and the masked payload, at `offset` bytes in separate memory. */
function masked(payload: Buffer, offset = 0, key = KEY): Buffer {
  const memory = Buffer.from(new ArrayBuffer(offset + 4 + payload.length + 4));
  memory.fill(0xaa);
  const bytes = memory.subarray(offset, offset + 4 + payload.length);
  bytes.set(key);
  payload.forEach((byte, index) => (bytes[4 + index] = byte ^ (key[index & 3] as number)));
  return bytes;
}

/** The processes in which the package must work. `node --jitless`, for example, has no WebAssembly. */
const PROCESSES = [
  { name: 'with WebAssembly', webAssembly: Reflect.get(globalThis, 'WebAssembly') as object },
  { name: 'without WebAssembly', webAssembly: undefined },
  {
    name: 'on a processor without wide instructions',
    webAssembly: {
      Module: function () {
        throw new Error('Wasm SIMD unsupported');
      },
    },
  },
];

describe.for(PROCESSES)('unmask, $name', ({ webAssembly }) => {
  let unmask: (typeof import('../../src/websocket/unmask.js'))['unmask'];

  beforeEach(async () => {
    vi.stubGlobal('WebAssembly', webAssembly);
    vi.resetModules();
    ({ unmask } = await import('../../src/websocket/unmask.js'));
  });

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test.for([
    0, 1, 2, 3, 4, 5, 125, 126, 127, 128, 129, 130, 131, 132, 1023, 1024, 1039, 65_535, 65_536, 65_537,
    100_003, 131_072,
  ])('unmasks %d bytes at any position in memory, and changes no other bytes', (length) => {
    for (let offset = 0; offset < 4; offset++) {
      const bytes = masked(numbered(length), offset);
      const memory = Buffer.from(bytes.buffer);
      unmask(bytes, 0, 4, bytes.length);
      expect(bytes.subarray(4).equals(numbered(length))).toBe(true);
      expect(bytes.subarray(0, 4)).toEqual(KEY);
      const around = [...memory.subarray(0, offset), ...memory.subarray(offset + bytes.length)];
      expect(around.every((byte) => byte === 0xaa)).toBe(true);
      expect(around).toHaveLength(offset + 4);
    }
  });

  test('restores the bytes when it is called twice', () => {
    for (const length of [3, 127, 128, 1001, 70_001]) {
      const bytes = masked(numbered(length), 1);
      const before = Buffer.from(bytes);
      unmask(bytes, 0, 4, bytes.length);
      unmask(bytes, 0, 4, bytes.length);
      expect(bytes).toEqual(before);
    }
  });

  test.for([1, 2, 3, 4, 100, 127, 128, 129, 131, 1000, 1030])(
    'detects one byte that is not ASCII at any position of %d bytes',
    (length) => {
      const ascii = Buffer.alloc(length, 0x7f);
      const bytes = masked(ascii, 3);
      expect(unmask(bytes, 0, 4, bytes.length)).toBe(true);
      for (let at = 0; at < length; at++) {
        const other = Buffer.from(ascii);
        other[at] = 0x80;
        const each = masked(other, 3);
        expect(unmask(each, 0, 4, each.length)).toBe(false);
      }
    },
  );
});
