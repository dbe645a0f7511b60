import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { debug } from './notices.js';
import { asBytes, encodeFrame, type Data } from './frame.js';
import { nextTick } from './real-timers.js';

const TRUE: Promise<boolean> = Promise.resolve(true);
const FALSE: Promise<boolean> = Promise.resolve(false);

// Counts the turns in which something is sent, so that a second frame in the same turn is known for what it is.
let turn = 0;
let turnEnds = false;

function currentTurn(): number {
  if (!turnEnds) {
    turnEnds = true;
    nextTick(endTurn);
  }
  return turn;
}

function endTurn(): void {
  turnEnds = false;
  turn++;
}

/** How much may wait to be sent; see the options of the same names. */
export interface Marks {
  readonly highWaterMark: number;
  readonly maxBuffered: number;
}

// Handed to nextTick without a closure for each turn.
let uncork: (outbox: Outbox) => void;

/**
 * What a websocket sends: frames straight to its socket, many of one turn in one write, and an answer about how full
 * the way is.
 *
 * On a server without compression frames go to the socket that the upgrade gave us. `ws` writes there, too, as soon as
 * it is asked for a ping, pong or close frame, so the order is kept. As a client (masked) and with compression `ws`
 * makes the frames.
 */
export class Outbox {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #marks: Marks;
  readonly #direct: boolean;
  #turn = -1;
  #corked = false;
  #drain: { promise: Promise<boolean>; resolve: (sent: boolean) => void } | undefined;

  constructor(ws: WebSocket, socket: Duplex, marks: Marks, asServer: boolean) {
    this.#ws = ws;
    this.#socket = socket;
    this.#marks = marks;
    this.#direct = asServer && ws.extensions === '';
  }

  /** Whether a frame of {@link encodeFrame} can be handed to {@link write}. */
  get takesFrames(): boolean {
    return this.#direct;
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#direct ? this.#socket.writableLength : this.#ws.bufferedAmount;
  }

  /** Whether the peer reads: an answer that it has not asked to wait for can go out. */
  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  /** `more`: whether further sends are likely in this turn, as when more messages wait to be answered. */
  send(data: Data, binary: boolean | undefined, more: boolean): Promise<boolean> {
    if (this.#direct) return this.write(encodeFrame(data, binary), more);
    const isBinary = binary ?? typeof data !== 'string';
    // ws keeps what it is given until it is compressed or written; the caller may refill it at once.
    const payload = typeof data === 'string' ? data : Buffer.from(asBytes(data));
    const before = this.buffered;
    this.#ws.send(payload, { binary: isBinary }, () => {
      this.#flushed();
    });
    return this.#level(before);
  }

  /** Sends a ready frame. */
  write(frame: Buffer, more: boolean): Promise<boolean> {
    const socket = this.#socket;
    if (!socket.writable) return FALSE;
    const now = currentTurn();
    // A cork costs more than it saves where only one frame is sent in a turn; so the first goes out by itself.
    if (!this.#corked && (more || this.#turn === now)) {
      this.#corked = true;
      socket.cork();
      nextTick(uncork, this);
    }
    this.#turn = now;
    const { highWaterMark } = this.#marks;
    const before = socket.writableLength;
    if (before + frame.length <= highWaterMark) {
      socket.write(frame);
      return TRUE;
    }
    socket.write(frame, () => {
      this.#flushed();
    });
    if (this.#corked) this.#uncork();
    return this.#level(before);
  }

  /** The websocket has begun to close: who waits for the peer to read learns it. */
  end(): void {
    this.#settle(false);
  }

  /** `before`: what waited already when the message came. A message alone may be larger than all that may wait. */
  #level(before: number): Promise<boolean> {
    if (this.buffered <= this.#marks.highWaterMark) return TRUE;
    if (before > this.#marks.maxBuffered) {
      // A peer that does not read must not fill our memory (nothing else would end it: its pongs may still come).
      debug('cut off: %d bytes wait to be sent, more than maxBuffered (%d)', before, this.#marks.maxBuffered);
      this.#ws.terminate();
      return FALSE;
    }
    if (this.#drain === undefined) {
      let resolve!: (sent: boolean) => void;
      const promise = new Promise<boolean>((settle) => (resolve = settle));
      this.#drain = { promise, resolve };
    }
    return this.#drain.promise;
  }

  #flushed(): void {
    // Node calls back without an error, too, for what was lost with the connection; the close tells who waits.
    if (this.#socket.destroyed) return;
    if (this.#drain !== undefined && this.buffered <= this.#marks.highWaterMark) this.#settle(true);
  }

  #settle(sent: boolean): void {
    this.#drain?.resolve(sent);
    this.#drain = undefined;
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  static {
    uncork = (outbox) => {
      outbox.#uncork();
    };
  }
}
