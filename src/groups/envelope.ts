import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { isSendableCloseCode, MAX_REASON_BYTES } from '../shared/close-codes.js';

/**
 * Defines the format of the bytes that groups publish over a backplane:
 *
 * ```
 * 'd' 'w'  version  kind  origin (12 bytes)  sequence (6 bytes)  number (4 bytes)  body
 * ```
 *
 * Origin and sequence identify a message. So a process recognizes its own messages and duplicates. Duplicates exist because
 * some Redis clients send a command again when the connection broke before the reply. The number counts the messages of
 * one process to one group, starting at 1. A gap in the numbers shows lost messages on every backplane.
 */
const VERSION = 1;
const ORIGIN_AT = 4;
const ORIGIN_BYTES = 12;
const SEQUENCE_AT = ORIGIN_AT + ORIGIN_BYTES;
const SEQUENCE_BYTES = 6;
const NUMBER_AT = SEQUENCE_AT + SEQUENCE_BYTES;
export const HEADER_BYTES = NUMBER_AT + 4;

const TEXT = 1;
const BINARY = 2;
const CLOSE = 3;
/** Added to the kind of a message with a name. The body begins with the length of the name (2 bytes) and the name. */
const NAMED = 16;

export interface EnvelopeHeader {
  readonly origin: string;
  readonly sequence: number;
  readonly number: number;
}

export type Envelope =
  | (EnvelopeHeader & {
      readonly kind: 'message';
      readonly bytes: Buffer;
      readonly binary: boolean;
      readonly latest: string | undefined;
    })
  | (EnvelopeHeader & { readonly kind: 'close'; readonly code: number; readonly reason: string });

/** Writes the envelopes of one process: all have one origin, and each has the next sequence. */
export class EnvelopeWriter {
  readonly #id = randomBytes(ORIGIN_BYTES);
  readonly origin = this.#id.toString('latin1');
  #sequence = 0;

  /** Returns the sequence of the last envelope. */
  get sequence(): number {
    return this.#sequence;
  }

  wrapMessage(number: number, bytes: Uint8Array, binary: boolean, latest?: string): Buffer {
    const kind = binary ? BINARY : TEXT;
    if (latest === undefined) {
      const envelope = this.#allocate(number, kind, bytes.length);
      envelope.set(bytes, HEADER_BYTES);
      return envelope;
    }
    const length = Buffer.byteLength(latest);
    const envelope = this.#allocate(number, kind + NAMED, 2 + length + bytes.length);
    envelope.writeUInt16BE(length, HEADER_BYTES);
    envelope.write(latest, HEADER_BYTES + 2);
    envelope.set(bytes, HEADER_BYTES + 2 + length);
    return envelope;
  }

  wrapClose(number: number, code: number, reason: string): Buffer {
    const envelope = this.#allocate(number, CLOSE, 2 + Buffer.byteLength(reason));
    envelope.writeUInt16BE(code, HEADER_BYTES);
    envelope.write(reason, HEADER_BYTES + 2);
    return envelope;
  }

  #allocate(number: number, kind: number, bodyBytes: number): Buffer {
    const envelope = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes);
    envelope.write('dw', 'latin1');
    envelope[2] = VERSION;
    envelope[3] = kind;
    envelope.set(this.#id, ORIGIN_AT);
    envelope.writeUIntBE(++this.#sequence, SEQUENCE_AT, SEQUENCE_BYTES);
    envelope.writeUInt32BE(number, NUMBER_AT);
    return envelope;
  }
}

/** Parses the header of an envelope, of which the body may be cut. */
export function readHeader(data: Buffer): EnvelopeHeader | undefined {
  if (data.length < HEADER_BYTES || data.toString('latin1', 0, 2) !== 'dw' || data[2] !== VERSION)
    return undefined;
  return parseHeader(data);
}

function parseHeader(data: Buffer): EnvelopeHeader {
  return {
    origin: data.toString('latin1', ORIGIN_AT, SEQUENCE_AT),
    sequence: data.readUIntBE(SEQUENCE_AT, SEQUENCE_BYTES),
    number: data.readUInt32BE(NUMBER_AT),
  };
}

/** Parses an envelope, or returns why the bytes are not a valid one. */
export function readEnvelope(data: Buffer): Envelope | string {
  if (data.length < HEADER_BYTES || data.toString('latin1', 0, 2) !== 'dw')
    return 'dwebsocket did not send it';
  const version = data[2];
  if (version !== VERSION)
    return `it has format version ${String(version)}, and this process reads ${VERSION}`;
  const header = parseHeader(data);
  const body = data.subarray(HEADER_BYTES);
  switch (data[3]) {
    case TEXT:
    case BINARY:
      return readMessage(header, body, data[3] === BINARY, undefined);
    case TEXT + NAMED:
    case BINARY + NAMED:
      return readNamed(header, body, data[3] === BINARY + NAMED);
    case CLOSE:
      return readClose(header, body);
    default:
      return `its kind is unknown (${String(data[3])})`;
  }
}

function readMessage(
  header: EnvelopeHeader,
  bytes: Buffer,
  binary: boolean,
  latest: string | undefined,
): Envelope | string {
  if (!binary && !isUtf8(bytes)) return 'its text is not UTF-8';
  return { ...header, kind: 'message', bytes, binary, latest };
}

function readNamed(header: EnvelopeHeader, body: Buffer, binary: boolean): Envelope | string {
  const end = body.length < 2 ? Infinity : 2 + body.readUInt16BE();
  const name = body.subarray(2, end);
  if (end > body.length || !isUtf8(name)) return 'its name is cut or not UTF-8';
  return readMessage(header, body.subarray(end), binary, name.toString());
}

function readClose(header: EnvelopeHeader, body: Buffer): Envelope | string {
  const code = body.length < 2 ? undefined : body.readUInt16BE();
  const reason = body.subarray(2);
  if (!isSendableCloseCode(code)) return 'its close code must not be sent';
  if (reason.length > MAX_REASON_BYTES || !isUtf8(reason)) return 'its close reason must not be sent';
  return { ...header, kind: 'close', code, reason: reason.toString() };
}
