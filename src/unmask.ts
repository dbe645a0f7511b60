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
  /** The key of this frame as a word; 0: its payload stays as it is. */
  #key = 0;
  /** Which byte of the key is next. */
  #phase = 0;
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
    this.#phase = 0;
  }

  #passPayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(at + this.#left, chunk.length);
    this.#left -= end - at;
    if (this.#key !== 0) {
      unmask(chunk, at, end, this.#key, this.#phase);
      this.#phase = (this.#phase + end - at) % KEY;
    }
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

/** Unmasks `bytes` from `from` up to `to`; `phase` is the byte of the key that is for the first of them. */
function unmask(bytes: Uint8Array, from: number, to: number, key: number, phase: number): void {
  keyWord[0] = key;
  // One by one up to where the memory that they lie in begins a word; a short rest of a payload all the way.
  const aligned = to - from < WORTHWHILE ? to : from + (-(bytes.byteOffset + from) & 3);
  unmaskEach(bytes, from, aligned, phase);
  if (aligned === to) return;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (to - aligned) >> 2);
  const next = phase + aligned - from;
  const word = turnedKey(next);
  for (let index = 0; index < words.length; index++) words[index] = (words[index] as number) ^ word;
  unmaskEach(bytes, aligned + words.byteLength, to, next);
}

function unmaskEach(bytes: Uint8Array, from: number, to: number, phase: number): void {
  for (let at = from; at < to; at++) {
    bytes[at] = (bytes[at] as number) ^ (keyBytes[(phase + at - from) & 3] as number);
  }
}

/** The key in `keyBytes` as a word that begins with another of its bytes. */
function turnedKey(phase: number): number {
  for (let index = 0; index < KEY; index++) {
    turnedBytes[index] = keyBytes[(phase + index) & 3] as number;
  }
  return turnedWord[0] as number;
}
