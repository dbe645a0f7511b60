import { constants, isUtf8 } from 'node:buffer';
import { Writable } from 'node:stream';
import { fragmentsOf } from '../internals/ws.js';
import { addPiece } from './pieces.js';
import { unmask } from './unmask.js';

/** The `Receiver` of `ws`, with a reader in front of it. */
export interface Receiver extends Writable {
  /** Set by {@link readAhead}. */
  reader?: FrameReader;
}

/** Receives the messages of a reader. */
export interface ReadTarget {
  /** Whether the target accepts no messages now. */
  readonly isPaused: boolean;
  /** Whether it accepts none because they come too fast. Then it accepts none at the end of the connection either. */
  readonly isRateLimited: boolean;
  /** Returns whether the next message may be read now. If not, the target is paused until it may. */
  admit(): boolean;
  /** Receives a complete message of `size` bytes. */
  read(message: string | Buffer, size: number): void;
  /** Resumes the socket, but not the reader. */
  resumeSocket(): void;
  /** Writes all buffered frames, before `ws` ends the socket. */
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
const MASK_KEY_BYTES = 4;

/** Node puts this character into a text in place of bytes that are not UTF-8. The peer can also send it itself. */
const REPLACEMENT = '\ufffd';

/** The length of the longest string in Node. A longer one makes Node throw. */
export const LONGEST_TEXT = constants.MAX_STRING_LENGTH;

/** The end of a frame whose header is incomplete. */
const UNKNOWN = Infinity;

/** Stands for the end of a frame that must not be read yet. */
const NOT_ADMITTED = -1;

/** Puts a reader in front of the `Receiver` of `ws`. Everything that `ws` writes to the receiver goes to the reader. */
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
 * Most messages are a single uncompressed frame. The reader delivers them to the target. It forwards all other frames
 * unchanged to `ws`: control frames, fragments, compressed messages, and frames that break the protocol.
 *
 * The reader limits memory, while `ws` alone would retain whole chunks of the socket. It stores only the bytes of an
 * incomplete frame, and joins fragments. It stops in the middle of a chunk when the target pauses.
 */
export class FrameReader {
  readonly #receiver: Receiver;
  readonly #target: ReadTarget;
  readonly #maxPayload: number;
  readonly #inflates: boolean;
  /** `inflating`: `ws` decompresses a frame. `forwarding`: the connection will end, and `ws` gets all further bytes. */
  #state: 'reading' | 'inflating' | 'forwarding' = 'reading';
  /** The received bytes of an incomplete frame, and the length of the whole frame. */
  #partial: Buffer[] | undefined;
  #partialBytes = 0;
  #frameBytes = 0;
  /** Chunks to read when the reader may continue. */
  #waiting: Buffer[] | undefined;
  /** Payload bytes of a message whose last fragment has not arrived. -1 means that there is no such message. */
  #fragmentedBytes = -1;
  #isCompressed = false;
  #isEnding = false;

  constructor(receiver: Receiver, target: ReadTarget, { maxPayload, inflates }: ReaderOptions) {
    this.#receiver = receiver;
    this.#target = target;
    this.#maxPayload = maxPayload;
    this.#inflates = inflates;
  }

  /** Reads a chunk. Returns `false` when a part of it must wait and the socket should pause. */
  write(chunk: Buffer): boolean {
    if (this.#waiting === undefined) this.#readChunk(chunk);
    else this.#waiting.push(chunk);
    return this.#waiting === undefined;
  }

  /** Reads the waiting chunks until the target pauses. */
  resume(): void {
    if (this.#waiting === undefined || !this.#mayRead()) return;
    // The last message of a chunk may have paused the target.
    if (this.#readWaiting() && !this.#target.isPaused) this.#target.resumeSocket();
  }

  /**
   * Reads the waiting chunks, even if the target is paused, and ends the `Receiver`. What comes too fast is discarded: a
   * client must not get around the limit by leaving.
   *
   * `ws` calls this when the socket ends and when it closes.
   */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#target.flush();
    if (this.#state !== 'inflating') this.#finish();
  }

  #mayRead(): boolean {
    if (this.#state === 'inflating') return false;
    return this.#isEnding ? !this.#target.isRateLimited : !this.#target.isPaused;
  }

  /** Reads the waiting chunks. Returns whether all of them are read. */
  #readWaiting(): boolean {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    let isRead = true;
    for (const chunk of waiting) isRead = this.write(chunk);
    return isRead;
  }

  #finish(): void {
    this.#readWaiting();
    if (this.#target.isRateLimited) this.#waiting = undefined;
    if (this.#state !== 'inflating') (Writable.prototype.end as () => Receiver).call(this.#receiver);
  }

  #readChunk(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'forwarding') {
        this.#forward(chunk.subarray(at));
        return;
      }
      if (!this.#mayRead()) {
        this.#waiting = [chunk.subarray(at)];
        return;
      }
      if (this.#partial !== undefined) {
        if (this.#frameBytes === UNKNOWN) chunk = this.#joinHeader(this.#partial, chunk);
        else at = this.#readPartial(this.#partial, chunk);
        continue;
      }
      const end = this.#readFrame(chunk, at);
      if (end === NOT_ADMITTED) {
        this.#waiting = [chunk.subarray(at)];
        return;
      }
      if (end > chunk.length) {
        this.#frameBytes = end - at;
        this.#partialBytes = chunk.length - at;
        addPiece((this.#partial = []), chunk.subarray(at));
        return;
      }
      at = end;
    }
  }

  /** Puts an incomplete header, of at most 13 bytes, in front of the chunk that continues it. */
  #joinHeader(partial: readonly Buffer[], chunk: Buffer): Buffer {
    this.#partial = undefined;
    return Buffer.concat([...partial, chunk]);
  }

  /** Reads an incomplete frame if the chunk completes it. Returns the index of the first byte that is not used yet. */
  #readPartial(partial: Buffer[], chunk: Buffer): number {
    const end = Math.min(this.#frameBytes - this.#partialBytes, chunk.length);
    addPiece(partial, chunk.subarray(0, end));
    this.#partialBytes += end;
    if (this.#partialBytes < this.#frameBytes) return end;
    this.#partial = undefined;
    const frame = partial.length === 1 ? (partial[0] as Buffer) : Buffer.concat(partial, this.#partialBytes);
    if (this.#readFrame(frame, 0) !== NOT_ADMITTED) return end;
    this.#waiting = [frame, chunk.subarray(end)];
    return chunk.length;
  }

  /** Reads the frame that begins at `at`, if it is complete. Returns its end, or that it was not admitted. */
  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length < at + 2) return UNKNOWN;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    if (!this.#isAllowed(first, second)) return this.#forwardRest(bytes, at);
    let length = second & LENGTH;
    let start = at + 2 + MASK_KEY_BYTES;
    if (length > 125) {
      const lengthBytes = length === 126 ? 2 : 8;
      start += lengthBytes;
      if (bytes.length < at + 2 + lengthBytes) return UNKNOWN;
      length = readLength(bytes, at + 2, lengthBytes);
    }
    if (Math.max(this.#fragmentedBytes, 0) + length > this.#maxPayload && (first & OPCODE) < CLOSE)
      return this.#forwardRest(bytes, at);
    const end = start + length;
    if (end > bytes.length) return end;
    const opcode = first & OPCODE;
    // Control frames and further fragments belong to no new message.
    if ((opcode === TEXT || opcode === BINARY) && !this.#target.admit()) return NOT_ADMITTED;
    if (!this.#isPlain(first, length) || !this.#readMessage(first, bytes, start, end))
      this.#forwardFrame(first, bytes.subarray(at, end), length);
    return end;
  }

  /** Returns whether a frame may begin with these bytes (RFC 6455, 5.2 to 5.5). `ws` reports the error if not. */
  #isAllowed(first: number, second: number): boolean {
    const opcode = first & OPCODE;
    const reserved = first & RESERVED;
    if (second < MASKED) return false;
    if (opcode >= CLOSE) return opcode <= PONG && first >= FIN && reserved === 0 && (second & LENGTH) <= 125;
    if (opcode === CONTINUATION) return this.#fragmentedBytes >= 0 && reserved === 0;
    if (opcode > BINARY || this.#fragmentedBytes >= 0) return false;
    return reserved === 0 || (reserved === COMPRESSED && this.#inflates);
  }

  /** Returns whether a frame is a whole uncompressed message. Text must also fit into a string. */
  #isPlain(first: number, length: number): boolean {
    return first === (FIN | BINARY) || (first === (FIN | TEXT) && length <= LONGEST_TEXT);
  }

  /** Unmasks a message in place and delivers it. Returns `false` for text that is not UTF-8, and restores its bytes. */
  #readMessage(first: number, bytes: Buffer, start: number, end: number): boolean {
    const isAscii = unmask(bytes, start - MASK_KEY_BYTES, start, end);
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
      unmask(bytes, start - MASK_KEY_BYTES, start, end);
      return false;
    }
    this.#target.read(text, end - start);
    return true;
  }

  #forwardFrame(first: number, frame: Buffer, length: number): void {
    const opcode = first & OPCODE;
    if (opcode >= CLOSE) {
      this.#forward(frame);
      // `ws` ignores everything after a close frame.
      if (opcode === CLOSE) this.#state = 'forwarding';
    } else {
      if (opcode !== CONTINUATION) this.#isCompressed = (first & COMPRESSED) !== 0;
      this.#fragmentedBytes = first >= FIN ? -1 : Math.max(this.#fragmentedBytes, 0) + length;
      if (this.#isCompressed) {
        this.#state = 'inflating';
        this.#forward(frame, () => {
          this.#inflated();
        });
        return;
      }
      this.#forward(frame);
      this.#joinFragments();
    }
    this.#checkReceiver();
  }

  #inflated(): void {
    this.#joinFragments();
    this.#state = 'reading';
    this.#checkReceiver();
    if (!this.#isEnding) {
      this.resume();
      return;
    }
    // A decompressed message can be a thousand times as large as its frame. So a full queue accepts no more of them.
    if (this.#target.isPaused) this.#waiting = undefined;
    this.#finish();
  }

  /** Joins the fragments, because each fragment of `ws` is a view that retains its whole chunk. */
  #joinFragments(): void {
    const fragments = fragmentsOf(this.#receiver);
    const last = fragments.pop();
    if (last !== undefined) addPiece(fragments, last);
  }

  /** Detects that `ws` ignores all further bytes, after the peer's close frame or an error. */
  #checkReceiver(): void {
    if (!this.#receiver.writable) this.#state = 'forwarding';
  }

  #forwardRest(bytes: Buffer, at: number): number {
    this.#state = 'forwarding';
    this.#forward(bytes.subarray(at));
    return bytes.length;
  }

  #forward(bytes: Buffer, done?: () => void): void {
    if (!this.#receiver.writable) return;
    (Writable.prototype.write as (bytes: Buffer, done?: () => void) => boolean).call(
      this.#receiver,
      bytes,
      done,
    );
  }
}

function readLength(bytes: Buffer, at: number, count: number): number {
  let length = 0;
  for (let next = at; next < at + count; next++) length = length * 256 + (bytes[next] as number);
  return length;
}
