import { constants, isUtf8 } from 'node:buffer';
import { Writable } from 'node:stream';
import { fragmentsOf } from '../internals/ws.js';
import { addPiece } from './pieces.js';
import { unmask } from './unmask.js';

/** The `Receiver` of `ws` behind a reader. */
export interface Receiver extends Writable {
  /** Ours, since {@link readAhead}. */
  reader?: FrameReader;
}

/** Where messages go. */
export interface ReadTarget {
  /** Whether no more messages are wanted now. */
  readonly isPaused: boolean;
  /** Takes a whole message of `size` bytes. */
  read(message: string | Buffer, size: number): void;
  /** Lets the socket deliver again. */
  flow(): void;
  /** Writes what waits to be sent: `ws` is about to end the socket. */
  flush(): void;
}

export interface ReaderOptions {
  readonly maxPayload: number;
  /** Whether the client may compress. */
  readonly inflates: boolean;
}

const FIN = 0x80;
const RESERVED = 0x70;
const COMPRESSED = 0x40; // RSV1 (RFC 7692, 6)
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PONG = 0xa;
const KEY_BYTES = 4;

/** What a text contains where its bytes were not UTF-8, or where this very character was sent. */
const REPLACEMENT = '\ufffd';

/** Node makes no longer string, and throws instead. */
export const LONGEST_TEXT = constants.MAX_STRING_LENGTH;

/** The end of a frame whose header is not whole. */
const UNKNOWN = Infinity;

/** Puts a reader before the `Receiver` of `ws`. Everything that `ws` would write to that goes through it. */
export function readAhead(receiver: Receiver, target: ReadTarget, options: ReaderOptions): void {
  receiver.reader = new FrameReader(receiver, target, options);
  receiver.write = writeAhead;
  receiver.end = endAhead;
}

function writeAhead(this: Receiver, chunk: Buffer): boolean {
  return (this.reader as FrameReader).write(chunk);
}

function endAhead(this: Receiver): Receiver {
  (this.reader as FrameReader).end();
  return this;
}

/**
 * Reads the frames of a client before `ws` does (RFC 6455, 5.2).
 *
 * A message in one plain frame, as nearly all are, goes straight to its target. Everything else goes to `ws`, frame by
 * frame and unchanged: control frames, fragments, compressed messages, and what breaks the protocol, which `ws` judges.
 *
 * This bounds memory, where `ws` alone keeps whole chunks of the socket: a frame that has not come whole is kept as its
 * own bytes, fragments are joined, and reading stops in the middle of a chunk when the target is paused.
 */
export class FrameReader {
  readonly #receiver: Receiver;
  readonly #target: ReadTarget;
  readonly #maxPayload: number;
  readonly #inflates: boolean;
  /** `inflating`: `ws` has a compressed frame. `passing`: the connection is about to end, and `ws` gets all that comes. */
  #state: 'reading' | 'inflating' | 'passing' = 'reading';
  /** What has come of a frame whose end has not, and the length of the frame. */
  #cut: Buffer[] | undefined;
  #cutBytes = 0;
  #frameBytes = 0;
  /** Chunks that wait until reading may go on. */
  #held: Buffer[] | undefined;
  /** Payload bytes of a message whose last fragment has not come; -1 when there is none. */
  #fragmented = -1;
  #isCompressed = false;
  #isLast = false;

  constructor(receiver: Receiver, target: ReadTarget, { maxPayload, inflates }: ReaderOptions) {
    this.#receiver = receiver;
    this.#target = target;
    this.#maxPayload = maxPayload;
    this.#inflates = inflates;
  }

  /** Takes a chunk; returns `false` when it has to wait, and the socket should pause. */
  write(chunk: Buffer): boolean {
    if (this.#held === undefined) this.#readChunk(chunk);
    else this.#held.push(chunk);
    return this.#held === undefined;
  }

  /** Reads the chunks that wait, as far as the target wants. */
  resume(): void {
    if (this.#held === undefined || !this.#mayRead()) return;
    // The last message of a chunk can be the one that fills the queue.
    if (this.#readHeld() && !this.#target.isPaused) this.#target.flow();
  }

  /**
   * Reads the chunks that wait, whether or not the target is paused, and ends the `Receiver`: no more will come.
   *
   * `ws` calls it for each sign of the end.
   */
  end(): void {
    if (this.#isLast) return;
    this.#isLast = true;
    this.#target.flush();
    if (this.#state !== 'inflating') this.#readLast();
  }

  #mayRead(): boolean {
    return this.#state !== 'inflating' && (this.#isLast || !this.#target.isPaused);
  }

  /** Returns whether nothing is held any more. */
  #readHeld(): boolean {
    const held = this.#held ?? [];
    this.#held = undefined;
    let isRead = true;
    for (const chunk of held) isRead = this.write(chunk);
    return isRead;
  }

  #readLast(): void {
    this.#readHeld();
    if (this.#state !== 'inflating') (Writable.prototype.end as () => Receiver).call(this.#receiver);
  }

  #readChunk(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'passing') {
        this.#pass(chunk.subarray(at));
        return;
      }
      if (!this.#mayRead()) {
        this.#held = [chunk.subarray(at)];
        return;
      }
      if (this.#cut !== undefined) {
        if (this.#frameBytes === UNKNOWN) chunk = this.#joinHeader(this.#cut, chunk);
        else at = this.#readCut(this.#cut, chunk);
        continue;
      }
      const end = this.#readFrame(chunk, at);
      if (end > chunk.length) {
        this.#frameBytes = end - at;
        this.#cutBytes = chunk.length - at;
        addPiece((this.#cut = []), chunk.subarray(at));
        return;
      }
      at = end;
    }
  }

  /** The header is cut, at most 13 bytes of it are here: as if they had come with the chunk. */
  #joinHeader(cut: readonly Buffer[], chunk: Buffer): Buffer {
    this.#cut = undefined;
    return Buffer.concat([...cut, chunk]);
  }

  /** Reads the frame that a chunk completes, if it does; returns where the chunk goes on. */
  #readCut(cut: Buffer[], chunk: Buffer): number {
    const end = Math.min(this.#frameBytes - this.#cutBytes, chunk.length);
    addPiece(cut, chunk.subarray(0, end));
    this.#cutBytes += end;
    if (this.#cutBytes < this.#frameBytes) return end;
    this.#cut = undefined;
    this.#readFrame(cut.length === 1 ? (cut[0] as Buffer) : Buffer.concat(cut, this.#cutBytes), 0);
    return end;
  }

  /** Reads the frame that begins at `at`, if it is whole; returns its end. */
  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length < at + 2) return UNKNOWN;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    if (!this.#isAllowed(first, second)) return this.#passRest(bytes, at);
    let length = second & LENGTH;
    let start = at + 2 + KEY_BYTES;
    if (length > 125) {
      const lengthBytes = length === 126 ? 2 : 8;
      start += lengthBytes;
      if (bytes.length < at + 2 + lengthBytes) return UNKNOWN;
      length = readLength(bytes, at + 2, lengthBytes);
    }
    if (Math.max(this.#fragmented, 0) + length > this.#maxPayload && (first & OPCODE) < CLOSE)
      return this.#passRest(bytes, at);
    const end = start + length;
    if (end > bytes.length) return end;
    if (!this.#isPlain(first, length) || !this.#readMessage(first, bytes, start, end))
      this.#handOver(first, bytes.subarray(at, end), length);
    return end;
  }

  /** Whether a frame may begin so (RFC 6455, 5.2 to 5.5). `ws` judges what may not. */
  #isAllowed(first: number, second: number): boolean {
    const opcode = first & OPCODE;
    const reserved = first & RESERVED;
    if (second < MASKED) return false;
    if (opcode >= CLOSE) return opcode <= PONG && first >= FIN && reserved === 0 && (second & LENGTH) <= 125;
    if (opcode === CONTINUATION) return this.#fragmented >= 0 && reserved === 0;
    if (opcode > BINARY || this.#fragmented >= 0) return false;
    return reserved === 0 || (reserved === COMPRESSED && this.#inflates);
  }

  /** Whether it is a whole message that is not compressed, and that fits into a string where it is text. */
  #isPlain(first: number, length: number): boolean {
    return first === (FIN | BINARY) || (first === (FIN | TEXT) && length <= LONGEST_TEXT);
  }

  /** Unmasks a message in place and delivers it. Returns `false`, with all as it was, for text that is not UTF-8. */
  #readMessage(first: number, bytes: Buffer, start: number, end: number): boolean {
    const isAscii = unmask(bytes, start - KEY_BYTES, start, end);
    if (first === (FIN | BINARY)) {
      this.#target.read(bytes.subarray(start, end), end - start);
      return true;
    }
    if (isAscii) {
      this.#target.read(bytes.toString('latin1', start, end), end - start);
      return true;
    }
    const text = bytes.toString('utf8', start, end);
    if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) {
      unmask(bytes, start - KEY_BYTES, start, end);
      return false;
    }
    this.#target.read(text, end - start);
    return true;
  }

  #handOver(first: number, frame: Buffer, length: number): void {
    const opcode = first & OPCODE;
    if (opcode >= CLOSE) {
      this.#pass(frame);
      // `ws` takes nothing behind it.
      if (opcode === CLOSE) this.#state = 'passing';
    } else {
      if (opcode !== CONTINUATION) this.#isCompressed = (first & COMPRESSED) !== 0;
      this.#fragmented = first >= FIN ? -1 : Math.max(this.#fragmented, 0) + length;
      if (this.#isCompressed) {
        this.#state = 'inflating';
        this.#pass(frame, () => {
          this.#inflated();
        });
        return;
      }
      this.#pass(frame);
      this.#joinFragments();
    }
    this.#look();
  }

  #inflated(): void {
    this.#joinFragments();
    this.#state = 'reading';
    this.#look();
    if (!this.#isLast) {
      this.resume();
      return;
    }
    // Each compressed message could be a thousand times as large, so they do not get past a full queue.
    if (this.#target.isPaused) this.#held = undefined;
    this.#readLast();
  }

  /** `ws` has each fragment as a view into what it came in. */
  #joinFragments(): void {
    const fragments = fragmentsOf(this.#receiver);
    const last = fragments.pop();
    if (last !== undefined) addPiece(fragments, last);
  }

  /** After the peer's close frame, or an error, `ws` takes nothing more. */
  #look(): void {
    if (!this.#receiver.writable) this.#state = 'passing';
  }

  #passRest(bytes: Buffer, at: number): number {
    this.#state = 'passing';
    this.#pass(bytes.subarray(at));
    return bytes.length;
  }

  #pass(bytes: Buffer, passed?: () => void): void {
    if (!this.#receiver.writable) return;
    (Writable.prototype.write as (bytes: Buffer, passed?: () => void) => boolean).call(
      this.#receiver,
      bytes,
      passed,
    );
  }
}

function readLength(bytes: Buffer, at: number, count: number): number {
  let length = 0;
  for (let next = at; next < at + count; next++) length = length * 256 + (bytes[next] as number);
  return length;
}
