import type { Socket } from 'node:net';
import { debug } from '../../shared/notices.js';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import {
  type Frame,
  FrameReader,
  GREETING,
  Kind,
  MAX_GREETING_FRAME,
  writeAck,
  writeFrame,
} from './frames.js';

/** Bytes of memory for a write that waits for the socket, without its data. */
const WRITE_BYTES = 500;
/** A message of this size goes out in the memory in which it came. Smaller ones are copied together. */
const LARGE = 2 ** 15;

export interface PeerHost {
  readonly maxFrame: number;
  readonly maxBuffered: number;
  readonly timeout: number;
  /** Takes a frame of a process that has greeted. Returns `false` if it is not valid. */
  take(peer: Peer, frame: Frame): boolean;
  /** Sends what is queued for all processes. Called after all frames of one read. */
  flush(): void;
  /** Called when the process has moved to another hub. */
  moved(): void;
  closed(peer: Peer): void;
}

/** A process, as its hub sees it. Any program of the same user can connect, so nothing that it sends is trusted. */
export class Peer {
  readonly channels = new Set<string>();
  hasMoved = false;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #host: PeerHost;
  readonly #reader = new FrameReader(MAX_GREETING_FRAME);
  readonly #deadline: NodeJS.Timeout;
  #isGreeted = false;
  #toSend: Buffer[] = [];
  #toAck = 0;
  #writes = 0;

  constructor(socket: Socket, host: PeerHost) {
    this.#socket = socket;
    this.#host = host;
    this.#deadline = setTimeout(() => socket.destroy(), host.timeout).unref();
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // 'close' follows.
    socket.on('error', (error) => debug('a process has left its hub: %o', error));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        clearTimeout(this.#deadline);
        host.closed(this);
        resolve();
      });
    });
  }

  get isGreeted(): boolean {
    return this.#isGreeted;
  }

  /** Queues a frame for `flush`. */
  queue(frame: Buffer): void {
    this.#toSend.push(frame);
  }

  /** Counts a message that has been passed on, for `flush`. */
  acknowledge(): void {
    this.#toAck++;
  }

  /** Sends what is queued, and confirms messages of this process. */
  flush(): void {
    if (this.#toAck > 0) this.#toSend.push(writeAck(this.#toAck));
    this.#toAck = 0;
    const frames = this.#toSend;
    const [first] = frames;
    if (first === undefined) return;
    this.#toSend = [];
    // A small frame is a part of a larger piece of memory, which must not wait with it.
    this.#write(frames.length === 1 && first.length >= LARGE ? first : Buffer.concat(frames));
  }

  /** Sends what is queued, and ends the connection. */
  end(): void {
    this.flush();
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const isValid = this.#reader.read(chunk, (frame) => !this.#socket.destroyed && this.#take(frame));
    if (!isValid) this.#socket.destroy();
    this.flush();
    this.#host.flush();
  }

  #take(frame: Frame): boolean {
    if (!this.#isGreeted) return this.#greet(frame);
    switch (frame.kind) {
      case Kind.PING:
        this.queue(writeFrame(Kind.PONG));
        return true;
      case Kind.MOVED:
        this.hasMoved = true;
        this.#host.moved();
        return true;
      default:
        return this.#host.take(this, frame);
    }
  }

  /** A program that is not ours gets no answer. */
  #greet({ kind, body }: Frame): boolean {
    if (kind !== Kind.HELLO || body.toString('latin1') !== GREETING) return false;
    clearTimeout(this.#deadline);
    this.#isGreeted = true;
    this.#reader.maxFrame = this.#host.maxFrame;
    this.queue(writeFrame(Kind.HELLO, GREETING));
    return true;
  }

  #write(bytes: Buffer): void {
    if (this.#socket.destroyed) return;
    this.#writes++;
    this.#socket.write(bytes, () => this.#writes--);
    if (this.#socket.writableLength + this.#writes * WRITE_BYTES <= this.#host.maxBuffered) return;
    debug('the hub disconnects a process that reads too slowly');
    this.#socket.destroy();
  }
}
