import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { falseLater, trueLater } from '../shared/later.js';
import { debug } from '../shared/notices.js';
import { nextTick, setImmediate } from '../shared/real-timers.js';
import { asBytes, encodeFrame, encodeText, reuseFrame, type Data } from './frame.js';
import { addPiece } from './pieces.js';

const TRUE: Promise<boolean> = Promise.resolve(true);

/** Frames of one turn are joined up to about this size. A longer frame is written alone, without a copy. */
const CHUNK = 65_536;

/** The memory in bytes that `ws` needs for a pending message in addition to its payload. */
const WS_MESSAGE_OVERHEAD = 1_000;

/** The memory in bytes of a message that waits with a key, in addition to both. */
const HELD_OVERHEAD = 200;

/** A message that a newer one may replace: a frame if the outbox writes frames. */
interface HeldMessage {
  readonly data: Buffer | string;
  readonly binary: boolean;
  readonly bytes: number;
}

/** Limits the buffered bytes. See the options of the same names. */
export interface BufferLimits {
  readonly highWaterMark: number;
  readonly maxBuffered: number;
}

// Outboxes that write at the end of this turn.
let scheduled: Outbox[] = [];

let endTurnOf: (outbox: Outbox) => void;

function endTurn(): void {
  const outboxes = scheduled;
  scheduled = [];
  for (const outbox of outboxes) endTurnOf(outbox);
}

/**
 * Sends the messages of a websocket. Joins the frames of one turn of the event loop into one write, and applies
 * backpressure.
 *
 * A server without compression writes frames directly to the socket. `ws` writes to it, too, but `flush` is called first,
 * so the order is kept. For a client (with a mask) and with compression, `ws` encodes the frames.
 *
 * While the peer does not read, frames are buffered here, and small ones are joined. In the queue of a stream, a frame of
 * three bytes would take a hundred times its size.
 */
export class Outbox {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #limits: BufferLimits;
  readonly #direct: boolean;
  /** The frames of this turn, oldest first. Newer frames are in `#text`, one character for each byte. */
  #frames: Buffer[] | undefined;
  #text = '';
  #turnBytes = 0;
  #isScheduled = false;
  /** The bytes sent in this turn. Some of them may be written already. */
  #sentInTurn = 0;
  /** Frames of earlier turns that wait until the peer reads. */
  #backlog: Buffer[] | undefined;
  #backlogBytes = 0;
  /** Whether frames must wait in the backlog. */
  #isBlocked = false;
  /** The memory of the messages that `ws` has not written yet. */
  #bytesAtWs = 0;
  /** The newest message for each key, while the peer is behind. */
  #latest: Map<string, HeldMessage> | undefined;
  #latestBytes = 0;
  #drain: { promise: Promise<boolean>; resolve: (sent: boolean) => void } | undefined;

  constructor(ws: WebSocket, socket: Duplex, limits: BufferLimits, asServer: boolean) {
    this.#ws = ws;
    this.#socket = socket;
    this.#limits = limits;
    this.#direct = asServer && ws.extensions === '';
  }

  /** Returns whether {@link write} accepts frames of {@link encodeFrame}. */
  get takesFrames(): boolean {
    return this.#direct;
  }

  /** Returns the buffered bytes, as memory. */
  get buffered(): number {
    return this.#direct
      ? this.#turnBytes + this.#backlogBytes + this.#socket.writableLength
      : Math.max(this.#bytesAtWs, this.#ws.bufferedAmount);
  }

  /** Sends a message. */
  send(data: Data, binary: boolean | undefined): PromiseLike<boolean> {
    if (!this.#direct) return this.#sendByWs(data, binary ?? typeof data !== 'string');
    const text = typeof data === 'string' && binary !== true ? encodeText(data) : undefined;
    if (text !== undefined) return this.#add(text);
    const frame = encodeFrame(data, binary);
    const result = this.#add(frame);
    if (frame.length >= CHUNK) this.#reuse(frame);
    return result;
  }

  /** Reuses a large frame that the socket has written at once. Other streams may keep what was written to them. */
  #reuse(frame: Buffer): void {
    const isWritten = this.#turnBytes + this.#backlogBytes + this.#socket.writableLength === 0;
    if (isWritten && this.#socket instanceof Socket) reuseFrame(frame);
  }

  /** Sends an encoded frame. */
  write(frame: Buffer): PromiseLike<boolean> {
    return this.#add(frame);
  }

  /**
   * Sends a message that replaces an earlier one with the same key, if the peer is behind and that one waits here.
   *
   * While more than `highWaterMark` bytes are buffered, the message waits until the peer has read them.
   *
   * @param frame The message as a frame, if it was encoded before.
   */
  sendLatest(key: string, data: Data, binary: boolean | undefined, frame?: Buffer): PromiseLike<boolean> {
    const { highWaterMark, maxBuffered } = this.#limits;
    const isBehind = this.#latest !== undefined || this.buffered > highWaterMark;
    // Without a pending drain, no callback would send the message later.
    if (!isBehind || this.#drain === undefined)
      return this.#direct && frame !== undefined ? this.#add(frame) : this.send(data, binary);
    const held = this.#direct
      ? { data: frame ?? encodeFrame(data, binary), binary: true }
      : {
          data: typeof data === 'string' ? data : Buffer.from(asBytes(data)),
          binary: binary ?? typeof data !== 'string',
        };
    const latest = (this.#latest ??= new Map<string, HeldMessage>());
    this.#latestBytes -= latest.get(key)?.bytes ?? 0;
    latest.delete(key);
    const bytes = Buffer.byteLength(held.data) + Buffer.byteLength(key) + HELD_OVERHEAD;
    latest.set(key, { ...held, bytes });
    this.#latestBytes += bytes;
    const buffered = this.buffered + this.#latestBytes;
    return buffered > maxBuffered ? this.#terminate(buffered) : this.#drain.promise;
  }

  /** Sends what `sendLatest` holds, before something that must not overtake it. */
  flushLatest(): void {
    this.#sendHeld(Infinity);
  }

  /** Writes everything to the socket now. Must be called before anybody else writes to the socket or ends it. */
  flush(): void {
    if (this.#turnBytes + this.#backlogBytes > 0 && this.#socket.writable) this.#writeAll();
  }

  /** Resolves pending sends with `false`, because the websocket has begun to close. */
  end(): void {
    this.#resolveDrain(false);
  }

  /** Discards all unsent frames, because the connection has ended. */
  clear(): void {
    this.#takeTurn();
    this.#takeBacklog();
    this.#latest = undefined;
    this.#latestBytes = 0;
    // A send after `end`, with an answer to the last messages, can still be pending.
    this.#resolveDrain(false);
  }

  #add(frame: Buffer | string): PromiseLike<boolean> {
    if (!this.#socket.writable) return falseLater();
    let before = this.buffered;
    if (frame.length >= CHUNK || before > this.#limits.maxBuffered) {
      // Writes first, so that `before` counts only bytes that the socket does not accept now.
      this.#endTurn();
      before = this.buffered;
    }
    this.#turnBytes += frame.length;
    this.#sentInTurn += frame.length;
    if (typeof frame === 'string') this.#text += frame;
    else this.#addBytes(frame);
    // Must come before the write: a pending promise makes the write use a callback.
    const result = this.#awaitCapacity(before, frame.length);
    if (!this.#isScheduled) this.#schedule();
    if (this.#turnBytes >= CHUNK) this.#endTurn();
    return result;
  }

  #addBytes(frame: Buffer): void {
    const frames = (this.#frames ??= []);
    if (this.#text !== '') frames.push(Buffer.from(this.#text, 'latin1'));
    this.#text = '';
    frames.push(frame);
  }

  #schedule(): void {
    this.#isScheduled = true;
    if (scheduled.push(this) === 1) nextTick(endTurn);
  }

  #endTurn(): void {
    if (this.#turnBytes === 0) return;
    if (!this.#socket.writable) this.clear();
    else if (this.#isBlocked) this.#moveToBacklog();
    else this.#writeAll();
  }

  /** Moves the frames of this turn to the backlog, until the peer has read the frames before them. */
  #moveToBacklog(): void {
    this.#backlogBytes += this.#turnBytes;
    const chunk = this.#takeTurn();
    addPiece((this.#backlog ??= []), typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
  }

  #writeAll(): void {
    const written = this.#prepareCallback();
    if (this.#backlog === undefined) {
      const chunk = this.#takeTurn();
      if (typeof chunk === 'string') this.#socket.write(chunk, 'latin1', written);
      else this.#socket.write(chunk, written);
      return;
    }
    if (this.#turnBytes > 0) this.#moveToBacklog();
    const chunks = this.#takeBacklog();
    const last = chunks.pop();
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.write(last, written);
    this.#socket.uncork();
  }

  /** Returns the callback for the next write, or `undefined` when nothing waits for the write. */
  #prepareCallback(): (() => void) | undefined {
    if (this.#socket.writableLength > 0) {
      // The peer has not read everything. So the frames after the next chunk go to the backlog.
      this.#isBlocked = true;
      return () => {
        this.#isBlocked = false;
        this.flush();
        this.#onWritten();
      };
    }
    return this.#drain === undefined ? undefined : () => this.#onWritten();
  }

  /** Removes and returns the frames of this turn as one chunk: a string if all of them are text. */
  #takeTurn(): Buffer | string {
    const frames = this.#frames;
    const text = this.#text;
    const bytes = this.#turnBytes;
    this.#frames = undefined;
    this.#text = '';
    this.#turnBytes = 0;
    if (frames === undefined) return text;
    if (frames.length === 1 && text === '') return frames[0] as Buffer;
    if (text !== '') frames.push(Buffer.from(text, 'latin1'));
    return Buffer.concat(frames, bytes);
  }

  #takeBacklog(): Buffer[] {
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    this.#backlogBytes = 0;
    return backlog;
  }

  #sendByWs(data: Data, binary: boolean): PromiseLike<boolean> {
    // The caller may reuse its buffer at once, but ws keeps it until the message is compressed or written. So bytes are
    // copied.
    const payload = typeof data === 'string' ? data : Buffer.from(asBytes(data));
    const cost = Buffer.byteLength(payload) + WS_MESSAGE_OVERHEAD;
    const before = this.buffered;
    this.#bytesAtWs += cost;
    this.#ws.send(payload, { binary }, () => {
      this.#bytesAtWs -= cost;
      this.#onWritten();
    });
    return this.#awaitCapacity(before, cost);
  }

  /** `before` is the number of buffered bytes before this message. A single message may be larger than the limits. */
  #awaitCapacity(before: number, size: number): PromiseLike<boolean> {
    const { highWaterMark, maxBuffered } = this.#limits;
    if (before > maxBuffered) return this.#terminate(before);
    // After many bytes, resolves on a later turn. While the peer reads fast, a loop around send() never reaches the
    // high-water mark, and would block the event loop.
    if (before + size <= highWaterMark) return this.#sentInTurn <= CHUNK ? TRUE : trueLater();
    if (this.#drain === undefined) {
      let resolve!: (sent: boolean) => void;
      const promise = new Promise<boolean>((settle) => (resolve = settle));
      this.#drain = { promise, resolve };
    }
    return this.#drain.promise;
  }

  /**
   * Ends the connection of a peer that does not read, so that it does not fill our memory. The heartbeat cannot end it, because it
   * may still send pongs.
   */
  #terminate(buffered: number): PromiseLike<boolean> {
    debug(
      'terminated: %d bytes are buffered, more than maxBuffered (%d)',
      buffered,
      this.#limits.maxBuffered,
    );
    this.#ws.terminate();
    return falseLater();
  }

  #onWritten(): void {
    // Node also calls back without an error for bytes that are lost. Then the close resolves the promise.
    if (this.#drain === undefined || this.#socket.destroyed) return;
    const { highWaterMark } = this.#limits;
    if (this.#latest !== undefined) this.#sendHeld(highWaterMark);
    if (this.buffered <= highWaterMark) this.#resolveDrain(true);
  }

  /** Sends what `sendLatest` holds, until more than `mark` bytes are buffered. */
  #sendHeld(mark: number): void {
    for (const [key, { data, binary, bytes }] of this.#latest ?? []) {
      if (this.buffered > mark) return;
      this.#latest?.delete(key);
      this.#latestBytes -= bytes;
      void (this.#direct ? this.#add(data) : this.#sendByWs(data, binary));
    }
    this.#latest = undefined;
  }

  #resolveDrain(sent: boolean): void {
    const drain = this.#drain;
    this.#drain = undefined;
    // Resolves on a later turn. Otherwise a loop around send() would block the event loop while the peer reads fast.
    if (drain !== undefined) setImmediate(drain.resolve, sent);
  }

  static {
    endTurnOf = (outbox) => {
      outbox.#isScheduled = false;
      outbox.#sentInTurn = 0;
      outbox.#endTurn();
    };
  }
}
