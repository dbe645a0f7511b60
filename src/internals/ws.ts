/**
 * What we need of `ws` that has no public name or no type. Nothing else in `src` may use such a name;
 * test/internals/ws.test.ts looks whether they are still there.
 */
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';

// Otherwise a class that extends it fails with "Class extends value undefined", which names no cure.
if ((ws.WebSocket as unknown) === undefined) {
  throw new Error(
    'dwebsocket runs in Node, but "ws" was loaded as its version for browsers, which is empty: the condition "browser" is set. ' +
      'In Jest with jsdom, begin the test file with /** @jest-environment node */, or set ' +
      "testEnvironmentOptions: { customExportConditions: ['node'] }; in a bundler, build for Node (platform or target: 'node')",
  );
}

/** The `WebSocket` of `ws`, with names for its private fields. */
export class InternalWebSocket extends ws.WebSocket {
  declare private readonly _receiver: Writable | null | undefined;
  declare private readonly _socket: Writable | null | undefined;
  declare private _closeTimeout: number;
  declare private _closeTimer: NodeJS.Timeout | null;
  /** Our timer, in the place of `_closeTimer`. */
  declare private closeTimer: NodeJS.Timeout | undefined;

  /** The stream that parses frames; `undefined` before the handshake. */
  get receiver(): Writable | undefined {
    return this._receiver ?? undefined;
  }

  /** Milliseconds that the peer has to answer our close frame; `ws` reads it when it sends that. */
  set closeTimeout(ms: number) {
    this._closeTimeout = ms;
  }

  /**
   * Lets the socket and the receiver ignore a second `end()`.
   *
   * `ws` ends both again when the socket ends and when it closes. Each time Node makes an error with a stack, which
   * nobody sees. Three of them were a tenth of what it costs to connect, echo and close.
   */
  protected endStreamsOnce(): void {
    endOnce(this._receiver);
    endOnce(this._socket);
  }

  /**
   * Replaces the timer that waits for the peer's close frame: that of `ws` is a global one, where a test may have put a
   * fake clock.
   */
  protected useRealCloseTimer(): void {
    if (this._closeTimer === null || this.closeTimer !== undefined) return;
    globalThis.clearTimeout(this._closeTimer);
    this._closeTimer = null;
    this.closeTimer = setTimeout(() => this._socket?.destroy(), this._closeTimeout);
  }

  /** Must be called when the connection has ended. */
  stopCloseTimer(): void {
    if (this.closeTimer !== undefined) clearTimeout(this.closeTimer);
  }
}

function endOnce(stream: Writable | null | undefined): void {
  if (stream && !Object.hasOwn(stream, 'end')) stream.end = endUnlessEnded;
}

function endUnlessEnded(this: Writable, ...rest: unknown[]): Writable {
  // A callback must be called.
  if (this.writableEnded && rest.length === 0) return this;
  const { end } = Object.getPrototypeOf(this) as { end: (this: Writable, ...rest: unknown[]) => Writable };
  return end.apply(this, rest);
}

/** Returns the payloads of the fragments of a message that has not ended; `ws` reads the same array. */
export function fragmentsOf(receiver: Writable): Buffer[] {
  return (receiver as Writable & { readonly _fragments: Buffer[] })._fragments;
}

/** Options of a `WebSocketServer` that its types leave out. */
export interface ServerOptions extends ws.ServerOptions {
  closeTimeout?: number;
  /** 0: no limit. */
  maxFragments?: number;
  maxBufferedChunks?: number;
}

/** The parsers of handshake headers, which the types leave out. They throw for a header that is malformed. */
export const { extension, subprotocol, PerMessageDeflate } = ws as unknown as {
  extension: { parse(header: string): Record<string, object[]> };
  subprotocol: { parse(header: string): Set<string> };
  PerMessageDeflate: new (options: object) => { accept(offers: object[]): void };
};
