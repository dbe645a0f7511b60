import { randomBytes } from 'node:crypto';

/** A frame as a client should not send it (RFC 6455, 5.2); what is left out is as it should be. */
export interface RawFrame {
  /**
   * What it carries.
   *
   * @default '' (nothing)
   */
  payload?: string | Uint8Array | undefined;
  /**
   * 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
   *
   * @default 1 for a string, 2 for bytes
   */
  opcode?: number | undefined;
  /**
   * Whether it is the last of its message.
   *
   * @default true
   */
  fin?: boolean | undefined;
  /**
   * The reserved bits as a number: 4 is RSV1, 2 is RSV2, 1 is RSV3.
   *
   * @default 0
   */
  rsv?: number | undefined;
  /**
   * Whether it is masked, as a client must.
   *
   * @default true
   */
  masked?: boolean | undefined;
  /**
   * The length in its header, to announce more than is sent.
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
