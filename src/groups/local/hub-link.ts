import { connect, type Socket } from 'node:net';
import { clearTimeout, now, setTimeout } from '../../shared/real-timers.js';
import { Fifo } from '../redis/fifo.js';
import { type Frame, FrameReader, GREETING, Kind, maxFrameFor, readMessage, writeFrame } from './frames.js';
import type { LocalSettings } from './options.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Messages that the hub has not confirmed. */
interface UnconfirmedMessages extends Waiter {
  left: number;
}

export type Deliver = (channel: string, data: Buffer) => void;

/** Says that a socket accepts connections, but nobody answers. */
export class SilentHubError extends Error {}

/** The connection of this process to the hub. */
export class HubLink {
  /** Resolves with `'leaving'` when the hub closes, and with an error when the connection is lost. */
  readonly end: Promise<'leaving' | Error>;
  readonly closed: Promise<void>;
  #resolveEnd!: (end: 'leaving' | Error) => void;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #deliver: Deliver;
  readonly #unconfirmed = new Fifo<UnconfirmedMessages>();
  readonly #pings = new Fifo<Waiter>();
  /** Messages that came before `release`. */
  #held: { channel: string; data: Buffer }[] | undefined = [];
  #resolveGreeted: () => void = () => {};
  #isGreeted = false;
  #isLeaving = false;
  #receivedAt = 0;
  #askedAt = 0;
  #loss: Error | undefined;

  private constructor(socket: Socket, maxFrame: number, deliver: Deliver) {
    this.#socket = socket;
    this.#reader = new FrameReader(maxFrame);
    this.#deliver = deliver;
    this.end = new Promise((resolve) => (this.#resolveEnd = resolve));
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(new Error('the connection to the hub is lost')));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /**
   * Connects to a hub. Messages wait for `release`.
   *
   * @throws {SilentHubError} Nobody has answered for `timeout` milliseconds.
   */
  static async open({ path, maxPayload, timeout }: LocalSettings, deliver: Deliver): Promise<HubLink> {
    const socket = connect({ path });
    const link = new HubLink(socket, maxFrameFor(maxPayload), deliver);
    socket.write(writeFrame(Kind.HELLO, GREETING));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        link.destroy(
          new SilentHubError(`the process that listens on ${path} has not answered for ${timeout} ms`),
        );
      }, timeout);
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      link.#resolveGreeted = settle;
      void link.end.then((end) => settle(end === 'leaving' ? undefined : end));
    });
    return link;
  }

  get isLost(): boolean {
    return this.#loss !== undefined;
  }

  /** Whether messages may be sent. While the hub closes, they wait for the next hub. */
  get canSend(): boolean {
    return this.#loss === undefined && !this.#isLeaving;
  }

  send(frames: Buffer): void {
    if (this.#loss === undefined) this.#socket.write(frames);
  }

  /** Sends messages. Resolves when the hub has passed them on. */
  publish(frames: Buffer, count: number): Promise<void> {
    return this.#wait((waiter) => {
      this.#unconfirmed.push({ ...waiter, left: count });
      this.#socket.write(frames);
    });
  }

  /** Resolves when the hub has handled everything that was sent before. */
  sync(): Promise<void> {
    return this.#wait((waiter) => {
      this.#pings.push(waiter);
      this.#socket.write(writeFrame(Kind.PING));
    });
  }

  /** Stops reading until `release`, so that little memory waits. */
  pause(): void {
    this.#socket.pause();
  }

  /** Delivers the messages that have come, and those that come from now on. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { channel, data } of held) this.#deliver(channel, data);
    this.#socket.resume();
  }

  /** Tells a closing hub that this process needs it no more. */
  moved(): void {
    this.send(writeFrame(Kind.MOVED));
  }

  /** Ends the connection after everything that was sent. */
  close(): void {
    this.#socket.end();
  }

  destroy(error: Error): void {
    this.#lose(error);
  }

  /** Checks that the hub answers. Called regularly. */
  checkTime(timeout: number): void {
    if (this.#pings.length === 0) {
      this.#askedAt = now();
      this.sync().catch(() => {});
    } else if (now() - Math.max(this.#askedAt, this.#receivedAt) >= timeout) {
      this.#lose(new Error(`the hub has not answered for ${timeout} ms`));
    }
  }

  #wait(begin: (waiter: Waiter) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#loss === undefined) begin({ resolve, reject });
      else reject(this.#loss);
    });
  }

  #read(chunk: Buffer): void {
    this.#receivedAt = now();
    const isValid = this.#reader.read(chunk, (frame) => this.#loss === undefined && this.#take(frame));
    if (!isValid) this.#lose(new Error('another program, or another version of dwebsocket, is the hub'));
  }

  #take({ kind, body }: Frame): boolean {
    if (!this.#isGreeted) {
      if (kind !== Kind.HELLO || body.toString('latin1') !== GREETING) return false;
      this.#isGreeted = true;
      this.#resolveGreeted();
      return true;
    }
    switch (kind) {
      case Kind.MESSAGE:
        return this.#receive(body);
      case Kind.ACK:
        if (body.length !== 4) return false;
        this.#confirm(body.readUInt32BE());
        return true;
      case Kind.PONG:
        this.#pings.shift()?.resolve();
        return true;
      case Kind.LEAVING:
        this.#isLeaving = true;
        this.#resolveEnd('leaving');
        return true;
      default:
        return false;
    }
  }

  #receive(body: Buffer): boolean {
    const message = readMessage(body);
    if (message === undefined) return false;
    const channel = message.name.toString();
    if (this.#held === undefined) this.#deliver(channel, message.data);
    else this.#held.push({ channel, data: message.data });
    return true;
  }

  #confirm(count: number): void {
    let left = count;
    for (let next = this.#unconfirmed.first; next !== undefined && left > 0; next = this.#unconfirmed.first) {
      const confirmed = Math.min(left, next.left);
      left -= confirmed;
      next.left -= confirmed;
      if (next.left > 0) return;
      this.#unconfirmed.shift();
      next.resolve();
    }
  }

  #lose(error: Error): void {
    if (this.#loss !== undefined) return;
    this.#loss = error;
    this.#resolveEnd(error);
    for (const waiter of [...this.#unconfirmed, ...this.#pings]) waiter.reject(error);
    this.#socket.destroy();
  }
}
