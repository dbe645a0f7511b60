import { argumentError, describe } from '../shared/errors.js';

/** What can be sent: text, or bytes in any of their usual clothes. */
export type Data = string | Uint8Array | ArrayBuffer | SharedArrayBuffer | DataView | NodeJS.TypedArray;

const FIN = 0x80;
const TEXT = 0x01;
const BINARY = 0x02;

/**
 * A whole message in one unfragmented, unmasked frame, header and payload in one buffer, ready for the socket of a
 * server (RFC 6455, 5.2).
 *
 * The payload is always copied, so that a caller may refill its buffer. One buffer, written at once, costs a quarter
 * less CPU than header and payload as two.
 *
 * @throws {TypeError} `data` is no message.
 */
export function encodeFrame(data: Data, binary: boolean | undefined): Buffer {
  if (typeof data === 'string') {
    const length = Buffer.byteLength(data);
    const frame = allocate(length, binary === true ? BINARY : TEXT);
    frame.write(data, frame.length - length);
    return frame;
  }
  const bytes = asBytes(data);
  const frame = allocate(bytes.length, binary === false ? TEXT : BINARY);
  frame.set(bytes, frame.length - bytes.length);
  return frame;
}

/** Text of up to this many characters is worth a look whether it is ASCII. */
const SHORT = 4_096;

const TEXT_FRAME = String.fromCharCode(FIN | TEXT);
/** The headers of the text frames with up to 125 bytes, by length. */
const SHORT_HEADERS = Array.from({ length: 126 }, (_, length) => TEXT_FRAME + String.fromCharCode(length));

/**
 * Short ASCII text as a frame that is a string, one character for each byte, to be written as `latin1`; `undefined` for
 * other text. Nothing is copied until it is written, with what else is sent in the same turn.
 */
export function encodeText(text: string): string | undefined {
  const { length } = text;
  if (length > SHORT || Buffer.byteLength(text) !== length) return undefined;
  return length < 126
    ? (SHORT_HEADERS[length] as string) + text
    : TEXT_FRAME + String.fromCharCode(126, length >> 8, length & 0xff) + text;
}

function allocate(length: number, opcode: number): Buffer {
  let frame: Buffer;
  if (length < 126) {
    frame = Buffer.allocUnsafe(2 + length);
    frame[1] = length;
  } else if (length < 65_536) {
    frame = Buffer.allocUnsafe(4 + length);
    frame[1] = 126;
    frame[2] = length >> 8;
    frame[3] = length & 0xff;
  } else {
    frame = Buffer.allocUnsafe(10 + length);
    frame[1] = 127;
    frame.writeUIntBE(0, 2, 2);
    frame.writeUIntBE(length, 4, 6);
  }
  frame[0] = FIN | opcode;
  return frame;
}

/** The bytes of a message that is no string. */
export function asBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (isArrayBuffer(data)) return new Uint8Array(data);
  throw argumentError(
    TypeError,
    `send() takes a string, a Buffer, a typed array or an ArrayBuffer; got ${describe(data)}. ${adviseOn(data)}`,
  );
}

/** What to do with a value that is not a message. */
function adviseOn(value: unknown): string {
  if (typeof value === 'bigint') return 'To send it as text: send(String(value))';
  if (value instanceof Promise) return 'Await it first: send(await value)';
  if (value instanceof Blob) return 'To send its bytes: send(await value.arrayBuffer())';
  const cure = 'To send a value, encode it: send(JSON.stringify(value))';
  const hasText = value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
  return hasText ? cure : `${cure}. JSON has no text for undefined, functions and symbols: send null instead`;
}

// By its tag and not by instanceof: in a test runner's sandbox there is a second ArrayBuffer.
function isArrayBuffer(data: unknown): data is ArrayBuffer {
  const tag = Object.prototype.toString.call(data);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}
