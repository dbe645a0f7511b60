import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { falseLater, trueLater } from '../shared/later.js';
import { debug } from '../shared/notices.js';
import { nextTick, setImmediate } from '../shared/real-timers.js';
import { asBytes, encodeFrame, encodeText, type Data } from './frame.js';
import { addPiece } from './pieces.js';

const TRUE: Promise<boolean> = Promise.resolve(true);

/** The frames of a turn are joined up to about this size. A longer frame goes by itself, and is not copied. */
const CHUNK = 65_536;

/** What a message that `ws` has not written yet takes beside its payload, in bytes. */
const COST_FOR_WS = 1_000;

/** How much may wait to be sent; see the options of the same names. */
export interface Marks {
  readonly highWaterMark: number;
  readonly maxBuffered: number;
}

// The outboxes that write when this turn ends.
let due: Outbox[] = [];

let endTurnOf: (outbox: Outbox) => void;

function endTurn(): void {
  const outboxes = due;
  due = [];
  for (const outbox of outboxes) endTurnOf(outbox);
}

/**
 * What a websocket sends: the frames of one turn of the event loop in one write, and an answer about how full the way is.
 *
 * On a server without compression, frames go to the socket that the upgrade gave us. `ws` writes there, too, and `flush`
 * comes first, so the order is kept. As a client (masked) and with compression, `ws` makes the frames.
 *
 * While the peer does not read, frames wait here, where small ones are joined: in the queue of a stream a frame of three
 * bytes takes a hundred times as much.
 */
export class Outbox {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #marks: Marks;
  readonly #direct: boolean;
  /** The frames of this turn: first these, then those that are text, one character for each byte. */
  #frames: Buffer[] | undefined;
  #text = '';
  #turnBytes = 0;
  #isDue = false;
  /** What was sent in this turn, some of which may have been written already. */
  #sentInTurn = 0;
  /** Frames of earlier turns, which wait for the peer to read. */
  #backlog: Buffer[] | undefined;
  #backlogBytes = 0;
  /** Whether frames have to wait here. */
  #isBlocked = false;
  /** What the messages take that `ws` has not written yet. */
  #bytesAtWs = 0;
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

  /** Bytes of memory that wait to be sent. */
  get buffered(): number {
    return this.#direct
      ? this.#turnBytes + this.#backlogBytes + this.#socket.writableLength
      : Math.max(this.#bytesAtWs, this.#ws.bufferedAmount);
  }

  /** Sends a message. */
  send(data: Data, binary: boolean | undefined): PromiseLike<boolean> {
    if (!this.#direct) return this.#sendByWs(data, binary ?? typeof data !== 'string');
    const text = typeof data === 'string' && binary !== true ? encodeText(data) : undefined;
    return text === undefined ? this.write(encodeFrame(data, binary)) : this.#add(text);
  }

  /** Sends a ready frame. */
  write(frame: Buffer): PromiseLike<boolean> {
    return this.#add(frame);
  }

  /** Gives everything to the socket at once: somebody else is about to write to it, or to end it. */
  flush(): void {
    if (this.#turnBytes + this.#backlogBytes > 0 && this.#socket.writable) this.#writeAll();
  }

  /** The websocket has begun to close: who waits for the peer to read learns it. */
  end(): void {
    this.#settle(false);
  }

  /** The connection has ended: lets go of what could not be sent. */
  clear(): void {
    this.#takeTurn();
    this.#takeBacklog();
    // A send of the last answers can still wait.
    this.#settle(false);
  }

  #add(frame: Buffer | string): PromiseLike<boolean> {
    if (!this.#socket.writable) return falseLater();
    let before = this.buffered;
    if (frame.length >= CHUNK || before > this.#marks.maxBuffered) {
      // Only what the socket does not take now waits for the peer.
      this.#endTurn();
      before = this.buffered;
    }
    this.#turnBytes += frame.length;
    this.#sentInTurn += frame.length;
    if (typeof frame === 'string') this.#text += frame;
    else this.#addBytes(frame);
    // Before it is written, for who waits asks the socket to call back.
    const answer = this.#answer(before, frame.length);
    if (!this.#isDue) this.#becomeDue();
    if (this.#turnBytes >= CHUNK) this.#endTurn();
    return answer;
  }

  #addBytes(frame: Buffer): void {
    const frames = (this.#frames ??= []);
    if (this.#text !== '') frames.push(Buffer.from(this.#text, 'latin1'));
    this.#text = '';
    frames.push(frame);
  }

  #becomeDue(): void {
    this.#isDue = true;
    if (due.push(this) === 1) nextTick(endTurn);
  }

  #endTurn(): void {
    if (this.#turnBytes === 0) return;
    if (!this.#socket.writable) this.clear();
    else if (this.#isBlocked) this.#hold();
    else this.#writeAll();
  }

  /** Keeps the frames of this turn until the peer has read those before. */
  #hold(): void {
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
    if (this.#turnBytes > 0) this.#hold();
    const chunks = this.#takeBacklog();
    const last = chunks.pop();
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.write(last, written);
    this.#socket.uncork();
  }

  /** What the socket calls when it has written the next chunk; only who waits has to know. */
  #prepareCallback(): (() => void) | undefined {
    if (this.#socket.writableLength > 0) {
      // The peer has not read what was written before: what comes behind the next chunk waits here.
      this.#isBlocked = true;
      return () => {
        this.#isBlocked = false;
        this.flush();
        this.#written();
      };
    }
    return this.#drain === undefined ? undefined : () => this.#written();
  }

  /** The frames of this turn as one chunk; text alone is left as it is. */
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
    // ws keeps what it is given until it is compressed or written; the caller may refill it at once.
    const payload = typeof data === 'string' ? data : Buffer.from(asBytes(data));
    const cost = Buffer.byteLength(payload) + COST_FOR_WS;
    const before = this.buffered;
    this.#bytesAtWs += cost;
    this.#ws.send(payload, { binary }, () => {
      this.#bytesAtWs -= cost;
      this.#written();
    });
    return this.#answer(before, cost);
  }

  /** `before`: what waited already when the message came. A message alone may be larger than all that may wait. */
  #answer(before: number, size: number): PromiseLike<boolean> {
    const { highWaterMark, maxBuffered } = this.#marks;
    if (before > maxBuffered) {
      // A peer that does not read must not fill our memory (nothing else would end it: its pongs may still come).
      debug('cut off: %d bytes wait to be sent, more than maxBuffered (%d)', before, maxBuffered);
      this.#ws.terminate();
      return falseLater();
    }
    // Where the peer reads as fast as we send, a loop around send() would never reach the mark.
    if (before + size <= highWaterMark) return this.#sentInTurn <= CHUNK ? TRUE : trueLater();
    if (this.#drain === undefined) {
      let resolve!: (sent: boolean) => void;
      const promise = new Promise<boolean>((settle) => (resolve = settle));
      this.#drain = { promise, resolve };
    }
    return this.#drain.promise;
  }

  #written(): void {
    // Node calls back without an error, too, for what was lost with the connection; the close tells who waits.
    if (this.#drain === undefined || this.#socket.destroyed) return;
    if (this.buffered <= this.#marks.highWaterMark) this.#settle(true);
  }

  #settle(sent: boolean): void {
    const drain = this.#drain;
    this.#drain = undefined;
    // On a later turn: where the peer reads fast enough, a loop around send() would keep the process to itself.
    if (drain !== undefined) setImmediate(drain.resolve, sent);
  }

  static {
    endTurnOf = (outbox) => {
      outbox.#isDue = false;
      outbox.#sentInTurn = 0;
      outbox.#endTurn();
    };
  }
}
