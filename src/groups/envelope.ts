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
/** Added to the kind of a message that says when it was sent. The time (6 bytes, milliseconds since 1970) comes before the name. */
const TIMED = 32;
const TIME_BYTES = 6;

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
      /** When it was sent, in milliseconds since 1970, by the clock of the sender; if the sender says so. */
      readonly time: number | undefined;
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

  wrapMessage(number: number, bytes: Uint8Array, binary: boolean, latest?: string, time?: number): Buffer {
    const nameBytes = latest === undefined ? 0 : 2 + Buffer.byteLength(latest);
    const timeBytes = time === undefined ? 0 : TIME_BYTES;
    const kind = (binary ? BINARY : TEXT) + (nameBytes && NAMED) + (timeBytes && TIMED);
    const envelope = this.#allocate(number, kind, timeBytes + nameBytes + bytes.length);
    if (time !== undefined) envelope.writeUIntBE(time, HEADER_BYTES, TIME_BYTES);
    const nameAt = HEADER_BYTES + timeBytes;
    if (latest !== undefined) {
      envelope.writeUInt16BE(nameBytes - 2, nameAt);
      envelope.write(latest, nameAt + 2);
    }
    envelope.set(bytes, nameAt + nameBytes);
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
  const kind = data[3] as number;
  if (kind === CLOSE) return readClose(header, body);
  const type = kind & ~(NAMED | TIMED);
  if (type !== TEXT && type !== BINARY) return `its kind is unknown (${kind})`;
  return readMessage(header, body, kind);
}

function readMessage(header: EnvelopeHeader, body: Buffer, kind: number): Envelope | string {
  let at = 0;
  let time: number | undefined;
  if ((kind & TIMED) !== 0) {
    if (body.length < TIME_BYTES) return 'its time is cut';
    time = body.readUIntBE(0, TIME_BYTES);
    at = TIME_BYTES;
  }
  let latest: string | undefined;
  if ((kind & NAMED) !== 0) {
    const start = at + 2;
    const end = body.length < start ? Infinity : start + body.readUInt16BE(at);
    const name = body.subarray(start, end);
    if (end > body.length || !isUtf8(name)) return 'its name is cut or not UTF-8';
    latest = name.toString();
    at = end;
  }
  const bytes = body.subarray(at);
  const binary = (kind & BINARY) !== 0;
  if (!binary && !isUtf8(bytes)) return 'its text is not UTF-8';
  const { origin, sequence, number } = header;
  // `...header` would take five times as long.
  return { origin, sequence, number, kind: 'message', bytes, binary, latest, time };
}

function readClose(header: EnvelopeHeader, body: Buffer): Envelope | string {
  const code = body.length < 2 ? undefined : body.readUInt16BE();
  const reason = body.subarray(2);
  if (!isSendableCloseCode(code)) return 'its close code must not be sent';
  if (reason.length > MAX_REASON_BYTES || !isUtf8(reason)) return 'its close reason must not be sent';
  return { ...header, kind: 'close', code, reason: reason.toString() };
}
