/**
 * Defines what processes and their hub send each other:
 *
 * ```
 * bytes of the rest (4)  kind (1)  body
 * ```
 *
 * A hub passes the frame of a message on unchanged.
 */
export const Kind = {
  /** Begins each direction. The body is {@link GREETING}. */
  HELLO: 1,
  /** A message. The body is the length of the channel's name (4 bytes), the name and the data. */
  MESSAGE: 2,
  /** The body is the name of a channel. */
  SUBSCRIBE: 3,
  UNSUBSCRIBE: 4,
  /** The hub answers with a PONG after everything before. */
  PING: 5,
  PONG: 6,
  /** The hub has passed on this many messages (4 bytes). */
  ACK: 7,
  /** The hub closes. Each process sends MOVED when it is subscribed at another hub. */
  LEAVING: 8,
  MOVED: 9,
} as const;

/** Another version of this format needs another greeting. Then both refuse each other. */
export const GREETING = 'dwebsocket groups 1';

const HEADER_BYTES = 5;
const NAME_BYTES = 4;
/** Bytes of the longest name of a channel. */
export const MAX_NAME_BYTES = 2 ** 16;
/** Bytes of the longest frame before the greeting is complete. */
export const MAX_GREETING_FRAME = 64;

/** Returns the length of the longest frame, for messages of this size. */
export function maxFrameFor(maxPayload: number): number {
  return NAME_BYTES + MAX_NAME_BYTES + maxPayload + 1;
}

export function writeFrame(kind: number, body: Uint8Array | string = ''): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  frame.writeUInt32BE(1 + bytes.length);
  frame[4] = kind;
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

export function writeMessage(channel: string, data: Uint8Array): Buffer {
  const nameBytes = Buffer.byteLength(channel);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + NAME_BYTES + nameBytes + data.length);
  frame.writeUInt32BE(frame.length - 4);
  frame[4] = Kind.MESSAGE;
  frame.writeUInt32BE(nameBytes, HEADER_BYTES);
  frame.write(channel, HEADER_BYTES + NAME_BYTES);
  frame.set(data, HEADER_BYTES + NAME_BYTES + nameBytes);
  return frame;
}

export function writeAck(count: number): Buffer {
  const body = Buffer.allocUnsafe(4);
  body.writeUInt32BE(count);
  return writeFrame(Kind.ACK, body);
}

export interface Frame {
  readonly kind: number;
  readonly body: Buffer;
  /** The whole frame, as it came. */
  readonly bytes: Buffer;
}

/** Returns the name of the channel and the data of a message, or `undefined` if the body is not valid. */
export function readMessage(body: Buffer): { name: Buffer; data: Buffer } | undefined {
  if (body.length < NAME_BYTES) return undefined;
  const end = NAME_BYTES + body.readUInt32BE();
  if (end > body.length) return undefined;
  return { name: body.subarray(NAME_BYTES, end), data: body.subarray(end) };
}

/** Splits a stream of bytes into frames. Keeps no more than one incomplete frame. */
export class FrameReader {
  #maxFrame: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #needed = HEADER_BYTES;

  constructor(maxFrame: number) {
    this.#maxFrame = maxFrame;
  }

  set maxFrame(maxFrame: number) {
    this.#maxFrame = maxFrame;
  }

  /** Reads frames until the bytes end. Stops, and returns `false`, at a frame that is too large or when `take` returns `false`. */
  read(chunk: Buffer, take: (frame: Frame) => boolean): boolean {
    let bytes = chunk;
    if (this.#bytes > 0) {
      this.#parts.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes < this.#needed) return true;
      bytes = Buffer.concat(this.#parts, this.#bytes);
    }
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length < 1 || length > this.#maxFrame) return false;
      const end = at + 4 + length;
      if (end > bytes.length) {
        this.#needed = end - at;
        break;
      }
      const frame = {
        kind: bytes[at + 4] as number,
        body: bytes.subarray(at + HEADER_BYTES, end),
        bytes: bytes.subarray(at, end),
      };
      at = end;
      if (!take(frame)) return false;
    }
    this.#keep(bytes.subarray(at));
    return true;
  }

  /** Keeps the beginning of a frame, in memory of its own. */
  #keep(rest: Buffer): void {
    this.#parts = rest.length > 0 ? [Buffer.from(rest)] : [];
    this.#bytes = rest.length;
  }
}
