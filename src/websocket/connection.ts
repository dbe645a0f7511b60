import { InternalWebSocket } from '../internals/ws.js';
import { readAhead, type Receiver, type ReadTarget } from './reader.js';

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
export class Connection<Owner = unknown> extends InternalWebSocket implements ReadTarget {
  declare owner: Owner;
  /** Those of the owner; typed so that a connection of anybody is a `Connection`. */
  declare handlers: ConnectionHandlers<never> | undefined;

  /** Reads frames before `ws` does, as a server. To be called before the socket delivers anything. */
  readAhead(maxPayload: number): void {
    readAhead(this.receiver as Receiver, this, { maxPayload, inflates: this.extensions !== '' });
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
    (this.receiver as Receiver | undefined)?.reader?.resume();
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
    this.endStreamsOnce();
    super.close(code, reason);
    this.useRealCloseTimer();
  }
}
