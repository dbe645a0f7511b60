import { randomBytes } from 'node:crypto';

/** Describes a frame that may break the protocol (RFC 6455, 5.2). Each missing field gets its correct value. */
export interface RawFrame {
  /**
   * Sets the payload.
   *
   * @default '' (nothing)
   */
  payload?: string | Uint8Array | undefined;
  /**
   * Sets the opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
   *
   * @default 1 for a string, 2 for bytes
   */
  opcode?: number | undefined;
  /**
   * Marks the last frame of a message.
   *
   * @default true
   */
  fin?: boolean | undefined;
  /**
   * Sets the reserved bits as a number: 4 is RSV1, 2 is RSV2, 1 is RSV3.
   *
   * @default 0
   */
  rsv?: number | undefined;
  /**
   * Masks the payload, as a client must.
   *
   * @default true
   */
  masked?: boolean | undefined;
  /**
   * Sets the length in the header, for example a larger one than the payload has.
   *
   * @default that of the payload
   */
  length?: number | bigint | undefined;
}

const MASKED = 0x80;

export function encodeRawFrame(frame: RawFrame): Buffer {
  const { payload = '', opcode = typeof payload === 'string' ? 1 : 2 } = frame;
  const { fin = true, rsv = 0, masked = true } = frame;
  const bytes = Buffer.from(payload as string);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const header = Buffer.concat([Buffer.of(first), encodeLength(BigInt(frame.length ?? bytes.length))]);
  if (!masked) return Buffer.concat([header, bytes]);
  (header[1] as number) |= MASKED;
  const mask = randomBytes(4);
  return Buffer.concat([header, mask, bytes.map((byte, i) => byte ^ (mask[i % 4] as number))]);
}

function encodeLength(length: bigint): Buffer {
  if (length < 126) return Buffer.of(Number(length));
  const long = length >= 65_536;
  const field = Buffer.alloc(long ? 9 : 3);
  field[0] = long ? 127 : 126;
  if (long) field.writeBigUInt64BE(length, 1);
  else field.writeUInt16BE(Number(length), 1);
  return field;
}
