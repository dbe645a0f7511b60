/**
 * A WebAssembly module that unmasks 16 bytes at a time. JavaScript has no such instruction.
 *
 * Its memory is one page, into which the masked bytes are copied. `unmask(end, key)` unmasks the bytes from 0 up to `end`, a
 * multiple of 16, and returns 0 if all of them are ASCII.
 */
// prettier-ignore
const MODULE = Uint8Array.of(
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // the magic number, and the version
  0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, // a type: (end: i32, key: i32) => i32
  0x03, 0x02, 0x01, 0x00, // a function of this type
  0x05, 0x03, 0x01, 0x00, 0x01, // a memory of one page
  0x07, 0x13, 0x02, // two exports:
  0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, // "memory"
  0x06, 0x75, 0x6e, 0x6d, 0x61, 0x73, 0x6b, 0x00, 0x00, // "unmask"
  0x0a, 0x37, 0x01, 0x35, // the code of the function
  0x02, 0x01, 0x7f, 0x02, 0x7b, // locals: at: i32; bytes, union: v128
  0x03, 0x40, // loop
  0x20, 0x02, 0x20, 0x02, 0xfd, 0x00, 0x04, 0x00, //   v128.load(at)
  0x20, 0x01, 0xfd, 0x11, //   i32x4.splat(key)
  0xfd, 0x51, 0x22, 0x03, //   bytes = v128.xor
  0xfd, 0x0b, 0x04, 0x00, //   v128.store(at, bytes)
  0x20, 0x04, 0x20, 0x03, 0xfd, 0x50, 0x21, 0x04, //   union = v128.or(union, bytes)
  0x20, 0x02, 0x41, 0x10, 0x6a, 0x22, 0x02, //   at += 16
  0x20, 0x00, 0x49, 0x0d, 0x00, //   continue if at < end
  0x0b, 0x20, 0x04, 0xfd, 0x64, 0x0b, // return i8x16.bitmask(union)
);

/** The size of the memory, in bytes. */
const PAGE = 65_536;

/** The bytes that are unmasked at a time. */
export const WIDTH = 16;

interface Unmasker {
  readonly page: Uint8Array;
  readonly unmask: (end: number, key: number) => number;
}

// Node's types lack WebAssembly.
interface WithWebAssembly {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => {
      readonly exports: {
        readonly memory: { readonly buffer: ArrayBuffer };
        readonly unmask: Unmasker['unmask'];
      };
    };
  };
}

// Created at the first long message, because most apps receive none. `null`: this process has no WebAssembly, or the
// processor lacks the instructions.
let unmasker: Unmasker | null | undefined;

/**
 * Unmasks `bytes` from `from` up to `to` in place. The length is a multiple of {@link WIDTH}. `key` is the key as a
 * little-endian word.
 *
 * Returns whether all unmasked bytes are ASCII. Returns `undefined` if it cannot run here, and changes nothing.
 */
export function unmaskWide(bytes: Uint8Array, key: number, from: number, to: number): boolean | undefined {
  unmasker ??= createUnmasker();
  if (unmasker === null) return undefined;
  const { page, unmask } = unmasker;
  let isAscii = true;
  for (let at = from; at < to; at += PAGE) {
    const length = Math.min(PAGE, to - at);
    page.set(bytes.subarray(at, at + length));
    if (unmask(length, key) !== 0) isAscii = false;
    bytes.set(length === PAGE ? page : page.subarray(0, length), at);
  }
  return isAscii;
}

function createUnmasker(): Unmasker | null {
  try {
    const { Module, Instance } = (globalThis as unknown as WithWebAssembly).WebAssembly;
    const { memory, unmask } = new Instance(new Module(MODULE)).exports;
    return { page: new Uint8Array(memory.buffer), unmask };
  } catch {
    return null;
  }
}
