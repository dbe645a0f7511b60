/** Random streams of frames, honest and broken, and random ways to cut them into chunks. */
import { deflateRawSync, constants } from 'node:zlib';
import { mutatedFrame } from '../hostile/fuzz/mutate.js';
import type { Random } from '../hostile/fuzz/random.js';
import { binary, close, encodeFrame, more, Opcode, ping, pong, text } from './raw-frames.js';

/** A stream of a few dozen frames; one in three has something in it that breaks the protocol. */
export function randomStream(random: Random, deflate: boolean): Buffer {
  const frames: Buffer[] = [];
  const isHonest = random.chance(0.66);
  for (let count = random.between(1, 30); count > 0; count--) {
    if (isHonest || random.chance(0.9)) frames.push(...honestFrames(random, deflate));
    else frames.push(mutatedFrame(random));
  }
  if (random.chance(0.3)) frames.push(close(random.pick([undefined, 1000, 4000]), 'bye'), ping('behind'));
  return Buffer.concat(frames);
}

/** A whole message, in one frame or in many, or a control frame. */
function honestFrames(random: Random, deflate: boolean): Buffer[] {
  const mask = random.chance(0.9) ? random.bytes(4) : Buffer.alloc(4);
  switch (random.between(0, 9)) {
    case 0:
      return [ping(random.bytes(random.between(0, 125)), { mask })];
    case 1:
      return [pong(random.bytes(random.between(0, 125)), { mask })];
    case 2:
      return fragments(random, random.bytes(sizeOf(random)), Opcode.binary);
    case 3:
      return fragments(random, Buffer.from(textOf(random)), Opcode.text);
    case 4:
      return deflate ? compressed(random) : [binary('', { mask })];
    case 5:
      return [binary(random.bytes(random.between(0, 600)), { mask, lengthBits: random.pick([16, 64]) })];
    case 6:
      return [binary(random.bytes(sizeOf(random)), { mask })];
    default:
      return [text(textOf(random), { mask })];
  }
}

function sizeOf(random: Random): number {
  return random.between(0, random.pick([3, 125, 130, 600, 70_000]));
}

function textOf(random: Random): string {
  const alphabet = random.pick(['abc \u0000~', 'aé', '中文', '👋a', '\ufffd\ufeff']);
  return (
    random.pick(alphabet.split('')).repeat(random.between(0, 3)) + alphabet.repeat(random.between(0, 200))
  );
}

/** With pings between them, as is allowed (RFC 6455, 5.4). */
function fragments(random: Random, payload: Buffer, opcode: number): Buffer[] {
  const frames: Buffer[] = [];
  const step = Math.max(1, random.between(1, payload.length));
  let at = 0;
  do {
    const part = payload.subarray(at, (at += step));
    const options = { fin: at >= payload.length, mask: random.bytes(4) };
    frames.push(
      frames.length === 0 ? encodeFrame({ opcode, payload: part, ...options }) : more(part, options),
    );
    if (!options.fin && random.chance(0.2)) frames.push(ping('between'));
  } while (at < payload.length && frames.length < 500);
  if (at < payload.length) frames.push(more(payload.subarray(at)));
  return frames;
}

/** A compressed message (RFC 7692), without the context of the ones before. */
function compressed(random: Random): Buffer[] {
  const isText = random.chance(0.5);
  const payload = isText ? Buffer.from(textOf(random)) : Buffer.alloc(sizeOf(random), 'abc');
  const whole = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  const [first = Buffer.alloc(0), ...others] = fragments(
    random,
    whole.subarray(0, -4),
    isText ? Opcode.text : Opcode.binary,
  );
  const marked = Buffer.from(first);
  marked[0] = (marked[0] as number) | 0x40;
  return [marked, ...others];
}

/** Cuts a stream into chunks, of one byte or of many thousand. */
export function randomChunks(random: Random, bytes: Buffer): Buffer[] {
  const largest = random.pick([1, 2, 3, 7, 20, 200, 5_000, 65_536]);
  const chunks: Buffer[] = [];
  // Byte by byte only where that is soon over.
  const smallest = Math.max(1, Math.ceil(bytes.length / 3_000));
  for (let at = 0; at < bytes.length;) {
    const end = at + Math.max(smallest, random.between(1, largest));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}
