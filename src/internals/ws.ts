/**
 * Holds all names of `ws` that the package uses although they are private or have no type. No other file in `src` may use
 * such names. test/internals/ws.test.ts checks that `ws` still has them.
 */
import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type * as Ws from 'ws';
import * as namespace from 'ws';
import { clearTimeout, nextTick, setTimeout } from '../shared/real-timers.js';
import { unwrapWs } from './bun.js';

/** What `ws` exports. The types lack the parsers. */
type Module = typeof Ws & {
  extension: { parse(header: string): Record<string, object[]> };
  subprotocol: { parse(header: string): Set<string> };
  PerMessageDeflate: new (options: object) => { accept(offers: object[]): void };
};

const imported = moduleOf(namespace);

// Without this check, Node throws "Class extends value undefined", which does not help the user.
if ((imported.WebSocket as unknown) === undefined) {
  throw new Error(
    'dwebsocket needs the Node version of "ws", but the empty browser version was loaded, because the condition ' +
      '"browser" is set. In Jest with jsdom, begin the test file with /** @jest-environment node */ or set ' +
      "testEnvironmentOptions: { customExportConditions: ['node'] }. In a bundler, set the platform or target to 'node'",
  );
}

const ws = unwrapWs(imported);

export const WebSocketServer: typeof Ws.WebSocketServer = ws.WebSocketServer;

/** Gives names to the private fields of the `WebSocket` of `ws`. */
export class InternalWebSocket extends ws.WebSocket {
  declare private readonly _receiver: Writable | null | undefined;
  declare private readonly _socket: Writable | null | undefined;
  declare private _closeTimeout: number;
  declare private _closeTimer: NodeJS.Timeout | null;
  /** The timer of `ws`, or our own in its place. */
  declare private closeTimer: NodeJS.Timeout | undefined;

  /** Returns the stream that parses frames, or `undefined` before the handshake. */
  get receiver(): Writable | undefined {
    return this._receiver ?? undefined;
  }

  /** Sets how many milliseconds the peer has to answer our close frame. `ws` reads the value when it sends the frame. */
  set closeTimeout(ms: number) {
    this._closeTimeout = ms;
  }

  /**
   * Makes the socket and the receiver ignore a second `end()`.
   *
   * `ws` ends both again when the socket ends and when it closes. Each time Node creates an error with a stack, which
   * nobody reads. Three such errors took a tenth of the CPU time to connect, echo and close.
   */
  protected endStreamsOnce(): void {
    endOnce(this._receiver);
    endOnce(this._socket);
  }

  /**
   * Replaces the timer that waits for the peer's close frame if it uses a fake clock. `ws` uses the global `setTimeout`,
   * which a test may have replaced.
   */
  protected useRealCloseTimer(): void {
    if (this._closeTimer === null || this.closeTimer !== undefined) return;
    if (globalThis.setTimeout === setTimeout) {
      this.closeTimer = this._closeTimer;
      return;
    }
    globalThis.clearTimeout(this._closeTimer);
    this._closeTimer = null;
    this.closeTimer = setTimeout(() => this._socket?.destroy(), this._closeTimeout);
  }

  /** Stops the timer. The owner must call this when the connection has ended. */
  stopCloseTimer(): void {
    if (this.closeTimer !== undefined) clearTimeout(this.closeTimer);
  }
}

/** What {@link WebSocketView} inherits. It declares the rest itself: accessors, which the types of `ws` call fields. */
interface Inherited extends EventEmitter {
  readonly OPEN: 1;
  readonly CLOSED: 3;
  binaryType: string;
}

const ViewBase = ws.WebSocket as unknown as new (
  address: null,
  protocols: undefined,
  options: object,
) => Inherited;

/** The `WebSocket` of `ws` without a connection of its own: it shows the socket of another one. */
export class WebSocketView extends ViewBase {
  // Libraries read this field: `createWebSocketStream` of ws, and those that log an address.
  declare private _socket: unknown;
  declare private _closeFrameReceived: boolean;
  declare private _closeFrameSent: boolean;

  constructor(connection: Ws.WebSocket) {
    // With these arguments, ws creates a server's WebSocket without a socket.
    super(null, undefined, {});
    this._socket = (connection as unknown as WebSocketView)._socket;
  }

  /** Sets what `ws` reads for the property `wasClean` of a close event. */
  protected copyEnd(connection: Ws.WebSocket): void {
    const { _closeFrameReceived, _closeFrameSent } = connection as unknown as WebSocketView;
    this._closeFrameReceived = _closeFrameReceived;
    this._closeFrameSent = _closeFrameSent;
  }
}

/** The fields of a `WebSocketServer` with which `ws` ends `close(callback)` after its last client. */
export interface SocketServer extends EventEmitter {
  readonly clients?: Set<unknown>;
  readonly _shouldEmitClose?: boolean;
  _state?: number;
}

const SERVER_RUNNING = 0;
const SERVER_CLOSED = 2;

/** Returns whether `close` of a server was called. */
export function isClosing({ _state = SERVER_RUNNING }: SocketServer): boolean {
  return _state !== SERVER_RUNNING;
}

/** Removes a client from a server that did not do its handshake. The server emits 'close' if it waits for this client. */
export function leaveServer(server: SocketServer, client: unknown): void {
  if (server.clients?.delete(client) !== true) return;
  if (server._shouldEmitClose !== true || server.clients.size > 0) return;
  nextTick(() => {
    server._state = SERVER_CLOSED;
    server.emit('close');
  });
}

function endOnce(stream: Writable | null | undefined): void {
  if (stream && !Object.hasOwn(stream, 'end')) stream.end = endUnlessEnded;
}

function endUnlessEnded(this: Writable, ...rest: unknown[]): Writable {
  // Node must call a callback, even after the end.
  if (this.writableEnded && rest.length === 0) return this;
  const { end } = Object.getPrototypeOf(this) as { end: (this: Writable, ...rest: unknown[]) => Writable };
  return end.apply(this, rest);
}

/** Returns the payloads of the fragments of an incomplete message. `ws` reads the same array. */
export function fragmentsOf(receiver: Writable): Buffer[] {
  return (receiver as Writable & { readonly _fragments: Buffer[] })._fragments;
}

/** Adds the options of a `WebSocketServer` that its types lack. */
export interface ServerOptions extends Ws.ServerOptions {
  closeTimeout?: number;
  /** 0 means no limit. */
  maxFragments?: number;
  maxBufferedChunks?: number;
}

/** Parsers of handshake headers. They throw when a header is malformed. */
export const { extension, subprotocol, PerMessageDeflate } = ws;

/**
 * Returns the module itself if it is there. In CommonJS the namespace is a copy, which lacks what a tracer's replacement for the
 * class `WebSocket` inherits.
 */
function moduleOf(exports: object): Module {
  const { default: whole } = exports as { default?: object };
  return (whole !== undefined && 'PerMessageDeflate' in whole ? whole : exports) as Module;
}
