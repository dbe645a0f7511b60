import { randomFillSync } from 'node:crypto';

export const Opcode = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Encodes a frame as a server sends it, or, with `masked`, as a client must (RFC 6455, 5.2 and 5.3). */
export function encodeFrame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const length = payload.length;
  const header = [0x80 | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (length < 126) header.push(maskBit | length);
  else if (length < 65_536) header.push(maskBit | 126, length >> 8, length & 0xff);
  else
    header.push(
      maskBit | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 0xff,
      (length >> 8) & 0xff,
      length & 0xff,
    );
  if (!masked) return Buffer.concat([Buffer.from(header), payload]);
  const mask = randomFillSync(Buffer.alloc(4));
  const body = Buffer.from(payload);
  for (let index = 0; index < length; index++)
    body[index] = (body[index] as number) ^ (mask[index & 3] as number);
  return Buffer.concat([Buffer.from(header), mask, body]);
}

/** Reads a server's frames of less than 64 KiB from chunks. */
export class FrameReader {
  readonly #onFrame: (opcode: number, payload: Buffer) => void;
  #rest: Buffer | undefined;

  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  read(chunk: Buffer): void {
    let bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    while (bytes.length >= 2) {
      const short = (bytes[1] as number) & 0x7f;
      if (short === 127) throw new Error('a frame of 64 KiB or more was not expected');
      const start = short === 126 ? 4 : 2;
      if (bytes.length < start) break;
      const end = start + (short === 126 ? bytes.readUInt16BE(2) : short);
      if (bytes.length < end) break;
      this.#onFrame((bytes[0] as number) & 0x0f, bytes.subarray(start, end));
      bytes = bytes.subarray(end);
    }
    // The next chunk overwrites the memory of this one, so the rest is copied.
    if (bytes.length > 0) this.#rest = Buffer.from(bytes);
  }
}
