import type { Writable } from 'node:stream';
import { WebSocket } from 'ws';

/** What happens to a connection, told to its owner. */
export interface ConnectionHandlers<Owner> {
  readonly message: (owner: Owner, data: Buffer, isBinary: boolean) => void;
  readonly ping: (owner: Owner, data: Buffer) => void;
  readonly pong: (owner: Owner, data: Buffer) => void;
  readonly error: (owner: Owner, error: Error) => void;
  /** Either side begins to close; there is no code when the peer's close frame had none. */
  readonly closing: (owner: Owner, code: number | undefined, reason: Buffer | string | undefined) => void;
  /** The connection has ended; 1006: without a close frame of the peer. */
  readonly close: (owner: Owner, code: number) => void;
}

/**
 * The `WebSocket` of `ws`, which does the protocol, with one owner instead of listeners.
 *
 * An emitter with the six listeners that we need costs 600 bytes for each connection and a detour for each message, so
 * `emit` calls the owner's handlers, which all connections share. Before there is an owner, and for other events, it is
 * the emitter that it always was.
 */
export class Connection<Owner = unknown> extends WebSocket {
  declare owner: Owner;
  /** Those of the owner; typed so that a connection of anybody is a `Connection`. */
  declare handlers: ConnectionHandlers<never> | undefined;
  /** Of `ws`: milliseconds that the peer has to answer our close frame, looked at when that is sent. */
  declare _closeTimeout: number;
  /** Of `ws`: the stream that reads frames, and the socket. */
  declare readonly _receiver: Writable | null | undefined;
  declare readonly _socket: Writable | null | undefined;

  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    const handle = this.handlers?.[event as keyof ConnectionHandlers<Owner>];
    if (handle === undefined) return super.emit(event, first, second);
    handle(this.owner as never, first as never, second as never);
    return true;
  }

  /**
   * `ws` calls this on itself for the peer's close frame (without a code when the frame had none) and for a frame that
   * breaks the protocol: it is the one place through which every orderly end passes.
   */
  override close(code?: number, reason?: string | Buffer): void {
    this.handlers?.closing(this.owner as never, code, reason);
    endOnce(this._receiver);
    endOnce(this._socket);
    super.close(code, reason);
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
