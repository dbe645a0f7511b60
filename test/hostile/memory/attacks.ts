/** Clients that try to fill a server's memory, each with what API and docs promise: a bound in real memory. */
import { constants, deflateRawSync } from 'node:zlib';
import { binary, encodeFrame, more, Opcode, ping, pong, text } from '../../support/raw-frames.js';

/** The options that bound memory. */
export interface Bounds {
  maxPayload: number;
  maxQueue: number;
  maxBuffered: number;
}

export interface Attack {
  name: string;
  path: string;
  /** Whether the clients do not read. */
  isDeaf?: boolean;
  /** Sent once, before the rest. */
  first?: Buffer;
  /** Sent again and again, `bytes` of it in all. */
  block: Buffer;
  bytes: number;
  /** Where another client sends, and these only get. */
  sender?: string;
  /** What a connection may take, in bytes of real memory. */
  bound: (bounds: Bounds) => number;
}

const MiB = 2 ** 20;
const times = (count: number, frame: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => frame));

/** Fills up what a socket delivers at once, so that one small frame in it keeps 64 KiB. */
const padding = times(500, pong(Buffer.alloc(125)));
const onePadded = (frame: Buffer): Buffer => Buffer.concat([frame, padding]);

const deflate = (payload: Buffer): Buffer => deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
const compressed = (payload: Buffer, fin = true): Buffer => {
  const frame = encodeFrame({ opcode: Opcode.binary, payload, fin });
  frame[0] = (frame[0] as number) | 0x40;
  return frame;
};

const queued = ({ maxQueue, maxPayload }: Bounds): number => maxQueue + maxPayload;
const buffered = ({ maxBuffered }: Bounds): number => maxBuffered;
const assembled = ({ maxPayload }: Bounds): number => maxPayload;

const OFFER = '/compressed';

/** `scale` 1 is enough for the default options. */
export function attacksOf({ maxPayload }: Bounds, scale: number): Attack[] {
  const flood = 60 * MiB * scale;
  const bomb = compressed(deflate(Buffer.alloc(maxPayload - 100)).subarray(0, -4));
  const deaf = { isDeaf: true, bound: buffered };
  const silent = { path: '/idle', bound: queued };
  const builder = { path: '/idle', bound: assembled };
  const startOfMessage = binary('x', { fin: false });
  return [
    {
      name: 'texts of one byte, echoed to a client that does not read',
      path: '/echo',
      block: times(8192, text('x')),
      bytes: flood,
      ...deaf,
    },
    {
      name: 'binaries of one byte, echoed to a client that does not read',
      path: '/echo',
      block: times(8192, binary('x')),
      bytes: flood,
      ...deaf,
    },
    {
      name: 'texts of two Chinese characters, echoed to a client that does not read',
      path: '/echo',
      block: times(4096, text('中文')),
      bytes: flood,
      ...deaf,
    },
    {
      name: 'texts of 1,000 bytes, echoed to a client that does not read',
      path: '/echo',
      block: times(64, text('x'.repeat(1_000))),
      bytes: flood,
      ...deaf,
    },
    {
      name: 'texts of one byte, echoed with compression to a client that does not read',
      path: `${OFFER}/echo`,
      block: times(8192, text('x')),
      bytes: flood / 4,
      ...deaf,
    },
    {
      name: 'texts of one byte to members of a group that do not read',
      path: '/member',
      sender: '/sender',
      block: times(8192, text('x')),
      bytes: flood,
      ...deaf,
    },
    {
      name: 'pings to a server whose pongs are not read',
      path: '/idle',
      isDeaf: true,
      block: times(500, ping(Buffer.alloc(125))),
      bytes: flood / 4,
      bound: queued,
    },
    {
      name: 'texts of one byte that nobody reads',
      block: times(8192, text('x')),
      bytes: flood / 4,
      ...silent,
    },
    {
      name: 'texts of one byte, padded with pongs, that nobody reads',
      block: onePadded(text('x')),
      bytes: flood * 2,
      ...silent,
    },
    {
      name: 'binaries of one byte, padded with pongs, that nobody reads',
      block: onePadded(binary('x')),
      bytes: flood * 2,
      ...silent,
    },
    {
      name: 'empty binaries, padded with pongs, that nobody reads',
      block: onePadded(binary('')),
      bytes: flood * 2,
      ...silent,
    },
    {
      name: 'compressed messages that are long, and that nobody reads',
      path: `${OFFER}/idle`,
      block: times(60, bomb),
      bytes: 20 * 60 * bomb.length,
      bound: queued,
    },
    {
      name: 'a message in fragments of one byte, padded with pongs',
      first: startOfMessage,
      block: onePadded(more('x', { fin: false })),
      bytes: flood * 2,
      ...builder,
    },
    {
      name: 'a message in fragments of one byte',
      first: startOfMessage,
      block: times(8192, more('x', { fin: false })),
      bytes: 6 * maxPayload,
      ...builder,
    },
    {
      name: 'a message in fragments of 4 KiB, padded with pongs',
      first: startOfMessage,
      block: onePadded(more(Buffer.alloc(4096), { fin: false })),
      bytes: (maxPayload / 4096 - 1) * 70_000,
      ...builder,
    },
    {
      name: 'a message in compressed fragments of one byte, padded with pongs',
      path: `${OFFER}/idle`,
      first: compressed(deflate(Buffer.from('x')), false),
      block: onePadded(more(deflate(Buffer.from('x')), { fin: false })),
      bytes: flood,
      bound: assembled,
    },
    {
      name: 'the beginning of a long message',
      block: binary(Buffer.alloc(maxPayload)).subarray(0, maxPayload / 2),
      bytes: maxPayload / 2,
      ...builder,
    },
  ];
}
