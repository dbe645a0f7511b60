import type { Duplex } from 'node:stream';

/** Shorter payloads are left to `ws`: to begin costs as much as it saves. */
const WORTHWHILE = 128;

/** Two bytes, eight for a long length, four for the key (RFC 6455, 5.2). */
const LONGEST_HEADER = 14;
const KEY = 4;

// A key as its four bytes and, in the same memory, as one word: so it is right on machines of either byte order.
const keyBytes = new Uint8Array(KEY);
const keyWord = new Int32Array(keyBytes.buffer);
const turnedBytes = new Uint8Array(KEY);
const turnedWord = new Int32Array(turnedBytes.buffer);

/**
 * Unmasks what a client sends before `ws` sees it: four bytes at a time, where `ws` takes one after the other, which was
 * two thirds of all that an echo of 64 KiB cost.
 *
 * The payload changes in place, as it does with `ws`, and the key becomes zero, which masks nothing (RFC 6455, 5.3). So
 * `ws` still gets the whole stream of frames, and is the one who judges it.
 *
 * To be called when `ws` listens already: to listen before would start the flow too early.
 */
export function unmaskAhead(socket: Duplex): void {
  const unmasker = new Unmasker();
  socket.prependListener('data', (chunk: Uint8Array) => {
    unmasker.pass(chunk);
  });
}

/** Follows the frames of one connection through the chunks in which they arrive. */
export class Unmasker {
  /** How many bytes of this frame's payload are still to come. */
  #left = 0;
  /** The key for them, as a word that begins with the byte for the first; 0: they stay as they are. */
  #key = 0;
  /** The beginning of a header that the end of a chunk has cut. */
  #cut: Uint8Array | undefined;

  /** Unmasks a chunk in place. */
  pass(chunk: Uint8Array): void {
    let at = this.#cut === undefined ? 0 : this.#passRestOfHeader(chunk, this.#cut);
    while (at < chunk.length) {
      at = this.#left === 0 ? this.#passHeader(chunk, at) : this.#passPayload(chunk, at);
    }
  }

  #passHeader(chunk: Uint8Array, at: number): number {
    const end = at + headerLength(chunk, at);
    if (end > chunk.length) {
      this.#cut = Uint8Array.from(chunk.subarray(at));
      return chunk.length;
    }
    this.#left = payloadLength(chunk, at);
    this.#key = 0;
    if (this.#left >= WORTHWHILE && isMasked(chunk, at)) this.#takeKey(chunk, end - KEY);
    return end;
  }

  /** `ws` may have a part of the key, so this payload is left to it. */
  #passRestOfHeader(chunk: Uint8Array, cut: Uint8Array): number {
    const header = Buffer.concat([cut, chunk.subarray(0, LONGEST_HEADER - cut.length)]);
    const end = headerLength(header, 0);
    if (end > header.length) {
      this.#cut = header;
      return chunk.length;
    }
    this.#cut = undefined;
    this.#left = payloadLength(header, 0);
    this.#key = 0;
    return end - cut.length;
  }

  #takeKey(chunk: Uint8Array, at: number): void {
    keyBytes.set(chunk.subarray(at, at + KEY));
    chunk.fill(0, at, at + KEY);
    this.#key = keyWord[0] as number;
  }

  #passPayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, chunk.length);
    this.#left -= end - at;
    if (this.#key !== 0) this.#key = unmask(chunk, at, end, this.#key);
    return end;
  }
}

function isMasked(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + 1] as number) & 0x80) !== 0;
}

/** Longer than what there is when not even the second byte has come. */
function headerLength(bytes: Uint8Array, at: number): number {
  const short = (bytes[at + 1] as number) & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (isMasked(bytes, at) ? KEY : 0);
}

function payloadLength(bytes: Uint8Array, at: number): number {
  const short = (bytes[at + 1] as number) & 0x7f;
  if (short < 126) return short;
  let length = 0;
  for (let next = at + 2; next < at + (short === 126 ? 4 : 10); next++)
    length = length * 256 + (bytes[next] as number);
  return length;
}

/** Unmasks `bytes` from `from` up to `to`; returns the key as it is for the byte behind them. */
function unmask(bytes: Uint8Array, from: number, to: number, key: number): number {
  if (to - from < WORTHWHILE) return unmaskEach(bytes, from, to, key);
  // One by one up to where the memory that they lie in begins a word.
  const aligned = from + (-(bytes.byteOffset + from) & 3);
  const word = unmaskEach(bytes, from, aligned, key);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (to - aligned) >> 2);
  for (let index = 0; index < words.length; index++) words[index] = (words[index] as number) ^ word;
  return unmaskEach(bytes, aligned + words.byteLength, to, word);
}

/** The same, one byte after the other. */
function unmaskEach(bytes: Uint8Array, from: number, to: number, key: number): number {
  keyWord[0] = key;
  for (let at = from; at < to; at++) {
    bytes[at] = (bytes[at] as number) ^ (keyBytes[(at - from) & 3] as number);
  }
  for (let index = 0; index < KEY; index++) {
    turnedBytes[index] = keyBytes[(index + to - from) & 3] as number;
  }
  return turnedWord[0] as number;
}
