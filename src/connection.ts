import { WebSocket } from 'ws';

/**
 * The `WebSocket` of `ws`, which does the protocol, with one event more: `'closing'`, when either side begins to close.
 *
 * `ws` calls `close()` on itself for the peer's close frame (without a code when the frame had none) and for a frame
 * that breaks the protocol, so this is the one place through which every orderly end passes.
 */
export class Connection<Owner = unknown> extends WebSocket {
  /** Whose connection it is. A field and not a map: it is looked up for every message. */
  declare owner: Owner;

  override close(code?: number, reason?: string | Buffer): void {
    this.emit('closing', code, reason);
    super.close(code, reason);
  }
}
