import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { binary, more, text } from '../support/raw-frames.js';
import type { Data } from './case.js';

const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]); // RFC 7692, 7.2.1: cut off by the sender, put back by the receiver
const COMPRESSED = 4; // RSV1

interface Compression {
  windowBits?: number;
  level?: number;
  /** What has been sent before, where the context is taken over. */
  before?: Buffer;
}

/** One message's payload, compressed as RFC 7692, section 7.2.1, says. */
export function compress(data: Data, { windowBits = 15, level = 6, before }: Compression = {}): Buffer {
  const dictionary =
    before === undefined || before.length === 0 ? {} : { dictionary: before.subarray(-32_768) };
  const bytes = deflateRawSync(Buffer.from(data), {
    windowBits,
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    ...dictionary,
  });
  return bytes.subarray(0, -TAIL.length);
}

/** The server's messages, in order; each one may refer to those before it where the context is taken over. */
export function inflater({ takeover, windowBits }: { takeover: boolean; windowBits: number }) {
  let before = Buffer.alloc(0);
  return (payload: Buffer): Buffer => {
    const data = inflateRawSync(Buffer.concat([payload, TAIL]), {
      windowBits,
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(before.length > 0 && { dictionary: before }),
    });
    if (takeover) before = Buffer.concat([before, data]).subarray(-(2 ** windowBits));
    return data;
  };
}

/** A compressed message in one frame. */
export function compressed(data: Data, compression?: Compression): Buffer {
  return (typeof data === 'string' ? text : binary)(compress(data, compression), { rsv: COMPRESSED });
}

/** Compressed messages, each of which refers to those before it. */
export function compressedInARow(messages: Data[], compression?: Compression): Buffer[] {
  let before = Buffer.alloc(0);
  return messages.map((message) => {
    const frame = compressed(message, { ...compression, before });
    before = Buffer.concat([before, Buffer.from(message)]);
    return frame;
  });
}

/** A compressed message in frames of `size` bytes; only the first carries RSV1 (RFC 7692, 6). */
export function compressedInFragments(data: Data, size: number): Buffer[] {
  const payload = compress(data);
  const start = typeof data === 'string' ? text : binary;
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += size) {
    const part = payload.subarray(at, at + size);
    const fin = at + size >= payload.length;
    frames.push(at === 0 ? start(part, { fin, rsv: COMPRESSED }) : more(part, { fin }));
  }
  return frames;
}
