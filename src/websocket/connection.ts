import type { Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { readAhead, type Receiver, type ReadTarget } from './reader.js';

// Otherwise the class below fails with "Class extends value undefined", which names no cure.
if ((WebSocket as unknown) === undefined) {
  throw new Error(
    'dwebsocket runs in Node, but "ws" was loaded as its version for browsers, which is empty: the condition "browser" is set. ' +
      'In Jest with jsdom, begin the test file with /** @jest-environment node */, or set ' +
      "testEnvironmentOptions: { customExportConditions: ['node'] }; in a bundler, build for Node (platform or target: 'node')",
  );
}

/** What happens to a connection, told to its owner. */
export interface ConnectionHandlers<Owner> {
  /** A message that was read ahead of `ws`; `size`: its bytes. */
  readonly read: (owner: Owner, message: string | Buffer, size: number) => void;
  /** A message that `ws` has put together. */
  readonly message: (owner: Owner, data: Buffer, isBinary: boolean) => void;
  readonly ping: (owner: Owner, data: Buffer) => void;
  readonly pong: (owner: Owner, data: Buffer) => void;
  readonly error: (owner: Owner, error: Error) => void;
  /**
   * A close frame of the peer has come, or one of its frames breaks the protocol. The owner answers with `sendClose`.
   *
   * `code` is absent when the frame had none; `reason` is absent when it was `ws` that chose the code.
   */
  readonly closing: (owner: Owner, code: number | undefined, reason: Buffer | undefined) => void;
  /** `ws` is about to write to the socket, or to end it: what was sent before goes first. */
  readonly flush: (owner: Owner) => void;
  /** The connection has ended, with what the peer's close frame said; 1006: there was none. */
  readonly close: (owner: Owner, code: number, reason: Buffer) => void;
}

/**
 * The `WebSocket` of `ws`, which does the protocol, with one owner instead of listeners.
 *
 * An emitter with the six listeners that we need costs 600 bytes for each connection and a detour for each message, so
 * `emit` calls the owner's handlers, which all connections share. Before there is an owner, and for other events, it is
 * the emitter that it always was.
 */
export class Connection<Owner = unknown> extends WebSocket implements ReadTarget {
  declare owner: Owner;
  /** Those of the owner; typed so that a connection of anybody is a `Connection`. */
  declare handlers: ConnectionHandlers<never> | undefined;
  /** Of `ws`: milliseconds that the peer has to answer our close frame, looked at when that is sent. */
  declare _closeTimeout: number;
  /** Of `ws`: the timer for that. */
  declare _closeTimer: NodeJS.Timeout | null;
  /** Of `ws`: the stream that parses frames, and the socket. */
  declare readonly _receiver: Receiver | null | undefined;
  declare readonly _socket: Writable | null | undefined;
  /** Ours, in its place. */
  declare closeTimer: NodeJS.Timeout | undefined;

  /** Reads frames before `ws` does, as a server. To be called before the socket delivers anything. */
  readAhead(maxPayload: number): void {
    readAhead(this._receiver as Receiver, this, { maxPayload, inflates: this.extensions !== '' });
  }

  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    const handle = this.handlers?.[event as keyof ConnectionHandlers<Owner>];
    if (handle === undefined) return super.emit(event, first, second);
    handle(this.owner as never, first as never, second as never);
    return true;
  }

  read(message: string | Buffer, size: number): void {
    this.handlers?.read(this.owner as never, message, size);
  }

  override resume(): void {
    super.resume();
    this._receiver?.reader?.resume();
  }

  flow(): void {
    super.resume();
  }

  flush(): void {
    this.handlers?.flush(this.owner as never);
  }

  override ping(data: string | Buffer = ''): void {
    this.flush();
    super.ping(data);
  }

  /** Calls `written` when the pong has left, or the connection has ended. */
  override pong(data?: unknown, mask?: boolean, written?: (error: Error) => void): void {
    this.flush();
    super.pong(data, mask, written);
  }

  /**
   * `ws` calls this on itself for the peer's close frame (without a code when the frame had none) and for a frame that
   * breaks the protocol (without a reason): it is the one place through which every orderly end passes.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.handlers === undefined) super.close(code, reason);
    else this.handlers.closing(this.owner as never, code, reason as Buffer | undefined);
  }

  /** Sends our close frame, or ends the connection when both sides have sent theirs. */
  sendClose(code?: number, reason?: string | Buffer): void {
    endOnce(this._receiver);
    endOnce(this._socket);
    super.close(code, reason);
    this.#takeCloseTimer();
  }

  /** To be called when the connection has ended. */
  stopCloseTimer(): void {
    if (this.closeTimer !== undefined) clearTimeout(this.closeTimer);
  }

  /** A test may have put a fake clock in the place of the global timers, which `ws` uses. */
  #takeCloseTimer(): void {
    if (this._closeTimer === null || this.closeTimer !== undefined) return;
    globalThis.clearTimeout(this._closeTimer);
    this._closeTimer = null;
    this.closeTimer = setTimeout(() => this._socket?.destroy(), this._closeTimeout);
  }
}

/**
 * `ws` ends both streams again when the socket ends and when it closes, and Node makes of each time an error, with its
 * stack, that nobody gets to see: three of them were a tenth of what it costs to connect, echo and close.
 */
function endOnce(stream: Writable | null | undefined): void {
  if (stream && !Object.hasOwn(stream, 'end')) stream.end = endUnlessEnded;
}

function endUnlessEnded(this: Writable, ...rest: unknown[]): Writable {
  // Who gives a callback is told.
  if (this.writableEnded && rest.length === 0) return this;
  const { end } = Object.getPrototypeOf(this) as { end: (this: Writable, ...rest: unknown[]) => Writable };
  return end.apply(this, rest);
}
