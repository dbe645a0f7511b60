import { InternalWebSocket } from '../internals/ws.js';
import { readAhead, type Receiver, type ReadTarget } from './reader.js';

/** Receives the events of a connection. The owner of the connection is the first argument of each function. */
export interface ConnectionHandlers<Owner> {
  /** Receives a message of `size` bytes that our reader has parsed before `ws`. */
  readonly read: (owner: Owner, message: string | Buffer, size: number) => void;
  /** Receives a message that `ws` has parsed. */
  readonly message: (owner: Owner, data: Buffer, isBinary: boolean) => void;
  readonly ping: (owner: Owner, data: Buffer) => void;
  readonly pong: (owner: Owner, data: Buffer) => void;
  readonly error: (owner: Owner, error: Error) => void;
  /**
   * Called when the peer has sent a close frame, or a frame that breaks the protocol. The owner answers with `sendClose`.
   *
   * `code` is absent when the frame had no code. `reason` is absent when `ws` chose the code.
   */
  readonly closing: (owner: Owner, code: number | undefined, reason: Buffer | undefined) => void;
  /** Called before `ws` writes to the socket or ends it. The owner must first write what it has buffered. */
  readonly flush: (owner: Owner) => void;
  /** Called when the connection has ended, with the code and reason of the peer's close frame. 1006 means no frame. */
  readonly close: (owner: Owner, code: number, reason: Buffer) => void;
}

/**
 * Extends the `WebSocket` of `ws`, which implements the protocol. One owner handles its events instead of listeners.
 *
 * Six listeners would take 600 bytes for each connection, and extra time for each message. So `emit` calls the owner's
 * handlers, which all connections share. Without an owner, and for other events, `emit` works as in `ws`.
 */
export class Connection<Owner = unknown> extends InternalWebSocket implements ReadTarget {
  declare owner: Owner;
  /** The handlers of the owner. `never` makes every `Connection<Owner>` assignable to `Connection`. */
  declare handlers: ConnectionHandlers<never> | undefined;

  /** Whether a limit of the rate pauses reading. */
  get isRateLimited(): boolean {
    return false;
  }

  /** Reads frames before `ws` does, on a server. Must be called before the socket delivers data. */
  readAhead(maxPayload: number): void {
    readAhead(this.receiver as Receiver, this, { maxPayload, inflates: this.extensions !== '' });
  }

  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    const handle = this.handlers?.[event as keyof ConnectionHandlers<Owner>];
    if (handle === undefined) return super.emit(event, first, second);
    handle(this.owner as never, first as never, second as never);
    return true;
  }

  admit(): boolean {
    return true;
  }

  read(message: string | Buffer, size: number): void {
    this.handlers?.read(this.owner as never, message, size);
  }

  override resume(): void {
    super.resume();
    (this.receiver as Receiver | undefined)?.reader?.resume();
  }

  resumeSocket(): void {
    super.resume();
  }

  flush(): void {
    this.handlers?.flush(this.owner as never);
  }

  /** Sends a ping. Calls `written` when the ping is written or the connection has ended. */
  override ping(data: unknown = '', mask?: boolean, written?: (error: Error) => void): void {
    this.flush();
    super.ping(data, mask, written);
  }

  /** Sends a pong. Calls `written` when the pong is written or the connection has ended. */
  override pong(data?: unknown, mask?: boolean, written?: (error: Error) => void): void {
    this.flush();
    super.pong(data, mask, written);
  }

  /**
   * Starts the closing handshake.
   *
   * `ws` calls this method itself for the peer's close frame; without a code if the frame had none. It also calls it,
   * without a reason, for a frame that breaks the protocol. So every closing handshake passes through here.
   */
  override close(code?: number, reason?: string | Buffer): void {
    if (this.handlers === undefined) super.close(code, reason);
    else this.handlers.closing(this.owner as never, code, reason as Buffer | undefined);
  }

  /** Sends our close frame. Ends the connection if both sides have sent one. */
  sendClose(code?: number, reason?: string | Buffer): void {
    this.endStreamsOnce();
    super.close(code, reason);
    this.useRealCloseTimer();
  }
}
