/** Frames of RFC 6455, section 5.2, as bytes: made for a client (masked, or wrong on purpose) and read from a server. */

export const Opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

export interface FrameOptions {
  opcode: number;
  payload?: Buffer | string;
  /** Default `true`. */
  fin?: boolean;
  /** RSV1, RSV2 and RSV3 as the bits 4, 2 and 1. Default 0. */
  rsv?: number;
  /** Four bytes, or `false` for a frame without a mask, which no client may send. */
  mask?: Buffer | false;
  /** How the length is written, in bits; default: the shortest that holds it. */
  lengthBits?: 7 | 16 | 64;
  /** The length that the header tells, when it is not the payload's. */
  claimedLength?: bigint;
}

const DEFAULT_MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]); // of the RFC's own example, 5.7

export function encodeFrame(options: FrameOptions): Buffer {
  const { opcode, fin = true, rsv = 0, mask = DEFAULT_MASK } = options;
  const payload = toBuffer(options.payload ?? '');
  const length = options.claimedLength ?? BigInt(payload.length);
  const bits = options.lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);

  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const marker = bits === 7 ? Number(length) : bits === 16 ? 126 : 127;
  const header = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  header[0] = first;
  header[1] = (mask === false ? 0 : 0x80) | marker;
  if (bits === 16) header.writeUInt16BE(Number(length), 2);
  if (bits === 64) header.writeBigUInt64BE(length, 2);

  if (mask === false) return Buffer.concat([header, payload]);
  return Buffer.concat([header, mask, maskPayload(payload, mask)]);
}

/** A frame as the server must write it: unmasked, its length in the shortest form. */
export function encodeServerFrame(opcode: number, payload: Buffer | string): Buffer {
  return encodeFrame({ opcode, payload, mask: false });
}

export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, toBuffer(reason)]);
}

// One frame a call, for the tables and tests to be short.
export const text = (payload: Buffer | string, options?: Partial<FrameOptions>) =>
  encodeFrame({ opcode: Opcode.text, payload, ...options });
export const binary = (payload: Buffer | string, options?: Partial<FrameOptions>) =>
  encodeFrame({ opcode: Opcode.binary, payload, ...options });
export const more = (payload: Buffer | string, options?: Partial<FrameOptions>) =>
  encodeFrame({ opcode: Opcode.continuation, payload, ...options });
export const ping = (payload: Buffer | string = '', options?: Partial<FrameOptions>) =>
  encodeFrame({ opcode: Opcode.ping, payload, ...options });
export const pong = (payload: Buffer | string = '', options?: Partial<FrameOptions>) =>
  encodeFrame({ opcode: Opcode.pong, payload, ...options });
export const close = (code?: number, reason: Buffer | string = '', options?: Partial<FrameOptions>) =>
  encodeFrame({
    opcode: Opcode.close,
    payload: code === undefined ? '' : closePayload(code, reason),
    ...options,
  });

export interface RawFrame {
  opcode: number;
  fin: boolean;
  rsv: number;
  masked: boolean;
  payload: Buffer;
  /** The whole frame as it came. */
  bytes: Buffer;
}

/** 1005 for a close frame without a code, as the RFC names it. */
export function closeCodeOf(frame: RawFrame): number {
  return frame.payload.length >= 2 ? frame.payload.readUInt16BE() : 1005;
}

/** Cuts a stream of bytes into frames and judges nothing. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #wanted = 2;

  push(chunk: Buffer): RawFrame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: RawFrame[] = [];
    while (this.#size >= this.#wanted) {
      const buffer = this.#join();
      const frame = readFrame(buffer);
      if (typeof frame === 'number') {
        this.#wanted = frame;
        continue;
      }
      frames.push(frame);
      const rest = buffer.subarray(frame.bytes.length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      this.#wanted = 2;
    }
    return frames;
  }

  /** What has come since the last whole frame. */
  get rest(): Buffer {
    return this.#join();
  }

  #join(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}

/** The first frame in `buffer`, or the number of bytes that must be there before it pays to look again. */
function readFrame(buffer: Buffer): RawFrame | number {
  const [first = 0, second = 0] = buffer;
  const marker = second & 0x7f;
  const masked = second >= 0x80;
  const lengthEnd = marker === 126 ? 4 : marker === 127 ? 10 : 2;
  if (buffer.length < lengthEnd) return lengthEnd;
  const length =
    marker === 126 ? buffer.readUInt16BE(2) : marker === 127 ? Number(buffer.readBigUInt64BE(2)) : marker;
  const start = lengthEnd + (masked ? 4 : 0);
  const end = start + length;
  if (buffer.length < end) return end;

  const payload = buffer.subarray(start, end);
  return {
    opcode: first & 0x0f,
    fin: first >= 0x80,
    rsv: (first >> 4) & 0x7,
    masked,
    payload: masked ? maskPayload(payload, buffer.subarray(lengthEnd, start)) : payload,
    bytes: buffer.subarray(0, end),
  };
}

function maskPayload(payload: Buffer, mask: Buffer): Buffer {
  const masked = Buffer.from(payload);
  for (let i = 0; i < masked.length; i++) masked[i] = (masked[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return masked;
}

function toBuffer(data: Buffer | string): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : data;
}
