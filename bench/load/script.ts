import { createHash } from 'node:crypto';
import { encodeFrame, Opcode } from './frames.js';

/**
 * `socket.io`: the event `message` with the payload as its argument, in Socket.IO's own packets. `http2`: each websocket is a
 * stream of HTTP/2.
 */
export type Dialect = 'plain' | 'socket.io' | 'http2';

export interface ScriptPlan {
  dialect: Dialect;
  bytes: number;
  binary: boolean;
  /** Text of three bytes for each character. */
  chinese?: boolean;
  /** The text of a JSON object. */
  json?: boolean;
}

// A cycle is so long that no two messages in flight are equal: at least twice the messages in flight.
const CYCLE_BYTES = 512 * 1024;
const MOST_IN_CYCLE = 256;
const LEAST_IN_CYCLE = 8;

/**
 * The messages that a client sends and must receive: a cycle of different messages that repeats. They are encoded
 * beforehand, so that sending only writes bytes, and checking only compares bytes.
 *
 * The plan determines the messages, so that two processes have the same ones.
 */
export class Script {
  readonly length: number;
  readonly requestSize: number;
  readonly replySize: number;
  // Each buffer contains the cycle twice, so that up to a cycle from any start is one slice.
  readonly #requests: Buffer;
  readonly #replies: Buffer;

  constructor(plan: ScriptPlan) {
    const fitting = Math.floor(CYCLE_BYTES / plan.bytes);
    this.length = Math.max(LEAST_IN_CYCLE, Math.min(MOST_IN_CYCLE, fitting));
    const messages = Array.from({ length: this.length }, (_, index) => makePayload(plan, index));
    const requests = messages.map((message) => encodeMessage(plan, message, true));
    const replies = messages.map((message) => encodeMessage(plan, message, false));
    this.requestSize = (requests[0] as Buffer).length;
    this.replySize = (replies[0] as Buffer).length;
    this.#requests = Buffer.concat([...requests, ...requests]);
    this.#replies = Buffer.concat([...replies, ...replies]);
  }

  /** Returns the bytes of `count` requests, beginning with number `first`. */
  requests(first: number, count: number): Buffer {
    const start = (first % this.length) * this.requestSize;
    return this.#requests.subarray(start, start + count * this.requestSize);
  }

  replies(first: number, count: number): Buffer {
    const start = (first % this.length) * this.replySize;
    return this.#replies.subarray(start, start + count * this.replySize);
  }

  /**
   * Compares a received chunk with the expected bytes.
   *
   * @param offset The position of the chunk in the stream of all replies.
   * @throws {Error} They differ.
   */
  check(chunk: Buffer, offset: number): void {
    const cycle = this.length * this.replySize;
    let done = 0;
    while (done < chunk.length) {
      const start = (offset + done) % cycle;
      const count = Math.min(chunk.length - done, cycle);
      if (chunk.compare(this.#replies, start, start + count, done, done + count) !== 0) {
        const wrong = chunk
          .subarray(done, done + count)
          .toString('latin1')
          .slice(0, 200);
        const right = this.#replies
          .subarray(start, start + count)
          .toString('latin1')
          .slice(0, 200);
        throw new Error(
          `received a wrong echo: ${JSON.stringify(wrong)} instead of ${JSON.stringify(right)}`,
        );
      }
      done += count;
    }
  }
}

function makePayload(plan: ScriptPlan, index: number): Buffer {
  // Pseudo-random, but the same in every run. Text is printable ASCII without characters that JSON escapes.
  const seed = createHash('shake256', { outputLength: plan.bytes }).update(String(index)).digest();
  if (plan.chinese === true) return makeChinese(seed, plan.bytes);
  if (plan.json === true) return makeJson(seed, plan.bytes);
  return plan.binary ? seed : Buffer.from(seed.toString('base64').slice(0, plan.bytes), 'latin1');
}

/** Returns an object with a number and a text, as `JSON.stringify` writes it. */
function makeJson(seed: Buffer, bytes: number): Buffer {
  const id = 100_000 + (seed.readUInt32LE(0) % 900_000);
  const empty = JSON.stringify({ id, text: '' });
  return Buffer.from(JSON.stringify({ id, text: seed.toString('base64').slice(0, bytes - empty.length) }));
}

/** Returns Chinese characters, filled up with letters to `bytes`. */
function makeChinese(seed: Buffer, bytes: number): Buffer {
  const count = Math.floor(bytes / 3);
  const characters = Array.from(seed.subarray(0, count), (byte) => String.fromCharCode(0x4e00 + byte));
  return Buffer.from(characters.join('').padEnd(count + (bytes % 3), 'x'));
}

/** Encodes a message for the wire, from a client (`masked`) or from a server. */
export function encodeMessage(
  { dialect, binary }: Pick<ScriptPlan, 'dialect' | 'binary'>,
  message: Buffer,
  masked: boolean,
): Buffer {
  const opcode = binary ? Opcode.binary : Opcode.text;
  if (dialect === 'plain') return encodeFrame(opcode, message, masked);
  const packet = binary
    ? '451-["message",{"_placeholder":true,"num":0}]'
    : `42["message","${message.toString('latin1')}"]`;
  const frame = encodeFrame(Opcode.text, Buffer.from(packet), masked);
  return binary ? Buffer.concat([frame, encodeFrame(opcode, message, masked)]) : frame;
}
