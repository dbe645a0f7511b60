import { Fifo } from './fifo.js';

const FIRST_CHUNK = 128;
const LAST_CHUNK = 2 ** 16;
const HEADER_BYTES = 4;
/** Bytes of memory for a chunk without its content: a Buffer and its ArrayBuffer. */
const CHUNK_BYTES = 250;

interface Chunk {
  readonly buffer: Buffer;
  start: number;
  end: number;
}

/** Queues messages in a few large buffers, so that a small message takes little more than its bytes. */
export class PackedQueue {
  readonly #chunks = new Fifo<Chunk>();
  #last: Chunk | undefined;
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that the queue takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns by how much `bytes` grows when a message of this length is pushed. */
  growthFor(length: number): number {
    return this.#hasRoom(length) ? 0 : this.#nextSize(length) + CHUNK_BYTES;
  }

  push(data: Buffer): void {
    let chunk = this.#last;
    if (chunk === undefined || !this.#hasRoom(data.length)) {
      this.#bytes += this.growthFor(data.length);
      chunk = { buffer: Buffer.allocUnsafeSlow(this.#nextSize(data.length)), start: 0, end: 0 };
      this.#chunks.push(chunk);
      this.#last = chunk;
    }
    chunk.buffer.writeUInt32LE(data.length, chunk.end);
    chunk.buffer.set(data, chunk.end + HEADER_BYTES);
    chunk.end += HEADER_BYTES + data.length;
    this.#length++;
  }

  /** Removes the oldest message, and returns a view of it. */
  shift(): Buffer | undefined {
    const chunk = this.#chunks.first;
    if (chunk === undefined) return undefined;
    const start = chunk.start + HEADER_BYTES;
    const end = start + chunk.buffer.readUInt32LE(chunk.start);
    chunk.start = end;
    this.#length--;
    if (end === chunk.end) this.#drop(chunk);
    return chunk.buffer.subarray(start, end);
  }

  #drop(chunk: Chunk): void {
    this.#chunks.shift();
    this.#bytes -= chunk.buffer.length + CHUNK_BYTES;
    if (chunk === this.#last) this.#last = undefined;
  }

  #hasRoom(length: number): boolean {
    return this.#last !== undefined && this.#last.end + HEADER_BYTES + length <= this.#last.buffer.length;
  }

  #nextSize(length: number): number {
    const size = this.#last === undefined ? FIRST_CHUNK : this.#last.buffer.length * 2;
    return Math.max(Math.min(size, LAST_CHUNK), HEADER_BYTES + length);
  }
}
