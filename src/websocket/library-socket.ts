import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { isClosing, leaveServer, WebSocketView, type SocketServer } from '../internals/ws.js';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { nextTick, setImmediate } from '../shared/real-timers.js';
import { checkClose, cutReason } from './arguments.js';
import type { Claim } from './claim.js';
import type { ConnectionHandlers } from './connection.js';
import type { Data } from './frame.js';
import { copyOf, Fragments, toData } from './library-data.js';
import type { LibraryServer } from './library-types.js';
import { EMPTY, type Waiter } from './message-queue.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in the types of EventEmitter
type Listener = (...args: any[]) => void;
type Callback = (error?: Error) => void;

interface SendOptions {
  readonly binary?: boolean | undefined;
  readonly fin?: boolean | undefined;
}

/**
 * Whether messages go from the queue to the library. `scheduled`: they will from the end of this turn on. `waiting`: the queue
 * is empty.
 */
type Flow = 'stopped' | 'scheduled' | 'delivering' | 'waiting';

/** The memory of a ping or a pong that is not written yet, in bytes. */
const CONTROL_COST = 300;

/** The names that `ws` uses in its errors. */
const READY_STATES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];

/**
 * The `WebSocket` of `ws` that a library gets. It shows a websocket, and has events, listeners and methods of its own. So
 * what a library does with them never reaches the parts of the package, which listen to the `Connection`.
 *
 * Messages wait in the queue while nobody listens to 'message', and while the library has paused the socket. A close that
 * nobody has seen is kept for the first listener.
 */
class LibrarySocket extends WebSocketView implements Waiter<Message> {
  readonly #claim: Claim;
  // An event of the socket does not run in the request's `AsyncLocalStorage` context.
  readonly #context = new AsyncResource('HandedOverWebsocket', { requireManualDestroy: true });
  #isPaused = false;
  #flow: Flow = 'stopped';
  /** The close event that nobody has seen. */
  #unseenEnd: readonly [code: number, reason: Buffer] | undefined;
  /** The parts of a message whose last part the library has not sent yet. */
  #fragments: Fragments | undefined;
  /** Resolves when the bytes of a `Blob` are sent. Later messages wait for it. */
  #blob: Promise<void> | undefined;
  #waitingBytes = 0;
  /** The memory of the pings and pongs that are not written yet. */
  #controlBytes = 0;
  #server: SocketServer | undefined;

  constructor(claim: Claim) {
    super(claim.connection);
    this.#claim = claim;
    const { connection, end } = claim;
    if (end !== undefined) {
      this.copyEnd(connection);
      this.#unseenEnd = [end.code, Buffer.from(end.reason)];
    }
    connection.handlers = this.#addListeners(connection.handlers as ConnectionHandlers<unknown>);
  }

  /** Lets the listeners of the library get the events that the websocket gets. */
  #addListeners(own: ConnectionHandlers<unknown>): ConnectionHandlers<unknown> {
    return {
      ...own,
      ping: (owner, data) => {
        own.ping(owner, data);
        this.#deliver('ping', data);
      },
      pong: (owner, data) => {
        own.pong(owner, data);
        this.#deliver('pong', data);
      },
      error: (owner, error) => {
        own.error(owner, error);
        // Without a listener, an 'error' would be thrown: any client could end the process.
        if (this.listenerCount('error') > 0) this.#deliver('error', error);
      },
      close: (owner, code, reason) => {
        own.close(owner, code, reason);
        this.copyEnd(this.#claim.connection);
        if (this.#server !== undefined) leaveServer(this.#server, this);
        // As ws does, delivers what is left, even to a library that has paused the socket.
        if (this.listenerCount('message') > 0) this.#drain(true);
        this.#unseenEnd = [code, reason];
        this.#deliverEnd();
      },
    };
  }

  override on(event: string | symbol, listener: Listener): this {
    super.on(event, listener);
    return this.#onListener(event);
  }

  override addListener(event: string | symbol, listener: Listener): this {
    return this.on(event, listener);
  }

  override prependListener(event: string | symbol, listener: Listener): this {
    super.prependListener(event, listener);
    return this.#onListener(event);
  }

  override removeListener(event: string | symbol, listener: Listener): this {
    super.removeListener(event, listener);
    return this.#onListenerRemoved();
  }

  override off(event: string | symbol, listener: Listener): this {
    return this.removeListener(event, listener);
  }

  override removeAllListeners(event?: string | symbol): this {
    // Older versions of Node count the arguments.
    if (event === undefined) super.removeAllListeners();
    else super.removeAllListeners(event);
    return this.#onListenerRemoved();
  }

  #onListenerRemoved(): this {
    if (this.listenerCount('message') === 0) this.#stopWaiting();
    return this;
  }

  #onListener(event: string | symbol): this {
    if (event === 'message') this.#flowLater();
    else if (event === 'close' && this.#unseenEnd !== undefined) {
      // Later, so that all listeners of this turn get it.
      nextTick(() => {
        this.#deliverEnd();
      });
    }
    return this;
  }

  #deliverEnd(): void {
    const end = this.#unseenEnd;
    if (end === undefined || this.listenerCount('close') === 0) return;
    if (this.listenerCount('message') > 0) this.#drain(true);
    this.#unseenEnd = undefined;
    this.#deliver('close', ...end);
    // No message comes after 'close', also if a listener of 'message' does.
    this.#claim.messages.clear();
  }

  /** Takes messages from the end of this turn on, so that a library can add its other listeners first. */
  #flowLater(): void {
    if (this.#flow !== 'stopped') return;
    this.#flow = 'scheduled';
    nextTick(() => {
      if (this.#flow === 'scheduled') this.#drain();
    });
  }

  /** Delivers the messages of the queue, and waits for the next one. */
  #drain(evenIfPaused = false): void {
    const { messages } = this.#claim;
    // When it waits, the queue is empty. And what is being delivered may have called this method.
    if (this.#flow === 'waiting' || this.#flow === 'delivering') return;
    this.#flow = 'delivering';
    while (this.listenerCount('message') > 0 && (evenIfPaused || !this.#isPaused)) {
      const message = messages.shift();
      if (message !== EMPTY) {
        this.#deliverMessage(message);
      } else if (messages.ended) {
        break;
      } else {
        this.#flow = 'waiting';
        messages.wait(this);
        return;
      }
    }
    this.#flow = 'stopped';
  }

  /** Called by the queue. */
  message(message: Message): void {
    this.#flow = 'delivering';
    this.#deliverMessage(message);
    this.#flow = 'stopped';
    this.#drain();
  }

  /** Called by the queue. The event 'close' follows when the connection has ended. */
  end(): void {
    this.#flow = 'stopped';
  }

  #deliverMessage(message: Message): void {
    if (typeof message === 'string') this.#deliver('message', Buffer.from(message), false);
    else this.#deliver('message', this.#convert(message), true);
  }

  #convert(bytes: Buffer): unknown {
    switch (this.binaryType) {
      case 'arraybuffer':
        return bytes.buffer.byteLength === bytes.length
          ? bytes.buffer
          : bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
      case 'fragments':
        return [bytes];
      case 'blob':
        // A copy of its own: the types of lib.dom refuse a Buffer, which may share its memory.
        return new Blob([new Uint8Array(bytes)]);
      default:
        return bytes;
    }
  }

  #deliver(event: string, first: unknown, second?: unknown): void {
    try {
      this.#context.runInAsyncScope(emit, undefined, this, event, first, second);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Called by Node when an async listener rejects. */
  override [EventEmitter.captureRejectionSymbol](error: unknown): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#claim.fail(error);
    // The handler of a route would not get the rest either.
    this.#claim.messages.clear();
  }

  get readyState(): 0 | 1 | 2 | 3 {
    // A websocket that was refused never had a connection.
    return this.#claim.end === undefined ? this.#claim.connection.readyState : 3;
  }

  get bufferedAmount(): number {
    return this.#claim.buffered() + this.#waitingBytes + (this.#fragments?.size ?? 0);
  }

  get protocol(): string {
    return this.#claim.connection.protocol;
  }

  get extensions(): string {
    return this.#claim.connection.extensions;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
    this.#stopWaiting();
  }

  #stopWaiting(): void {
    if (this.#flow !== 'waiting') return;
    this.#flow = 'stopped';
    this.#claim.messages.stopWaiting(this);
  }

  resume(): void {
    this.#isPaused = false;
    this.#flowLater();
  }

  /** Sends through the outbox of the websocket. Calls `callback` when the library may send the next message. */
  send(data: unknown, options?: SendOptions | Callback, callback?: Callback): void {
    if (typeof options === 'function') {
      this.send(data, undefined, options);
      return;
    }
    const message = toData(data);
    const { binary = typeof message !== 'string', fin = true } = options ?? {};
    if (this.readyState !== this.OPEN) {
      // On a later turn, so that a loop that waits for the callback does not block the event loop.
      if (callback !== undefined) setImmediate(callback, this.#notOpenError());
    } else if (this.#blob !== undefined || message instanceof Blob) {
      this.#sendAfterBlob(message, binary, fin, callback);
    } else {
      this.#sendPart(message, binary, fin, callback);
    }
  }

  #sendPart(part: Data, binary: boolean, fin: boolean, callback: Callback | undefined): void {
    if (fin && this.#fragments === undefined) {
      this.#sendWhole(part, binary, callback);
      return;
    }
    if (!fin && this.#endIfFull(callback)) return;
    const message = (this.#fragments ??= new Fragments(binary));
    message.add(part);
    if (fin) {
      this.#fragments = undefined;
      this.#sendWhole(message.join(), message.binary, callback);
    } else if (callback !== undefined) {
      nextTick(callback);
    }
  }

  /** Ends the connection if more than `maxBuffered` bytes are buffered, as the outbox does. */
  #endIfFull(callback: Callback | undefined): boolean {
    if (this.bufferedAmount <= this.#claim.maxBuffered) return false;
    this.terminate();
    if (callback !== undefined) setImmediate(callback, this.#notOpenError());
    return true;
  }

  #sendWhole(message: Data, binary: boolean, callback: Callback | undefined): void {
    const sent = this.#claim.send(message, binary);
    if (callback === undefined) return;
    void sent.then((isSent) => {
      // By then the outbox has written: libraries end the process or the connection in this callback.
      nextTick(callback, isSent ? undefined : this.#notOpenError());
    });
  }

  #sendAfterBlob(data: Data | Blob, binary: boolean, fin: boolean, callback: Callback | undefined): void {
    if (this.#endIfFull(callback)) return;
    const message = data instanceof Blob ? data : copyOf(data);
    const size = message instanceof Blob ? message.size : message.length;
    this.#waitingBytes += size;
    this.#afterBlob(async () => {
      const bytes = message instanceof Blob ? await message.arrayBuffer() : message;
      this.#waitingBytes -= size;
      this.#sendPart(bytes, binary, fin, callback);
    });
  }

  #afterBlob(action: () => void | Promise<void>): void {
    const blob = Promise.resolve(this.#blob)
      .then(action)
      .catch((error: unknown) => {
        this.#fail(error);
      })
      .then(() => {
        if (this.#blob === blob) this.#blob = undefined;
      });
    this.#blob = blob;
  }

  #notOpenError(): Error {
    const { readyState } = this;
    const name = READY_STATES[readyState] as string;
    return new Error(`WebSocket is not open: readyState ${String(readyState)} (${name})`);
  }

  ping(...args: unknown[]): void {
    this.#sendControl('ping', args);
  }

  pong(...args: unknown[]): void {
    this.#sendControl('pong', args);
  }

  /** `args` are data, mask and a callback, each of them optional. */
  #sendControl(method: 'ping' | 'pong', args: unknown[]): void {
    const callback = args.find((arg) => typeof arg === 'function') as Callback | undefined;
    const [data, mask] = args.filter((arg) => typeof arg !== 'function');
    if (this.readyState === this.OPEN && this.#controlBytes <= this.#claim.maxBuffered) {
      this.#claim.connection[method](data, mask as boolean | undefined, (error) => {
        this.#controlBytes -= CONTROL_COST;
        callback?.(error);
      });
      this.#controlBytes += CONTROL_COST;
      return;
    }
    // A client that does not read must not fill our memory, for example with the answers to its own pings.
    if (this.readyState === this.OPEN) this.terminate();
    if (callback !== undefined) setImmediate(callback, this.#notOpenError());
  }

  /**
   * Starts the closing handshake. Cuts a reason that is too long, because libraries count characters instead of bytes, and
   * pass the text of errors.
   *
   * @throws {RangeError} The code must not be sent.
   */
  close(code?: number, reason: string | Buffer = ''): void {
    const text = code === undefined ? '' : cutReason(reason.toString());
    if (code !== undefined) checkClose(code, text);
    const close = (): void => {
      this.#claim.close(code ?? CloseCode.noStatus, text);
    };
    if (this.#blob === undefined) close();
    else this.#afterBlob(close);
  }

  terminate(): void {
    if (this.readyState === this.CLOSED) return;
    this.#claim.connection.flush();
    this.#claim.terminate();
  }

  /** Makes the library's server know this client until the connection has ended. */
  join(server: SocketServer): void {
    if (isClosing(server)) {
      this.close(CloseCode.goingAway);
      return;
    }
    if (this.#unseenEnd === undefined) {
      this.#server = server;
      server.clients?.add(this);
    }
    server.emit('connection', this, this.#claim.request);
  }
}

function emit(socket: LibrarySocket, event: string, first: unknown, second: unknown): void {
  socket.emit(event, first, second);
}

/** Returns the `WebSocket` of `ws` for a library. With `server`, the server of the library gets it as a new connection. */
export function createLibrarySocket(claim: Claim, server?: LibraryServer): WebSocketView {
  const socket = captureRejections(() => new LibrarySocket(claim));
  if (server !== undefined) socket.join(server as unknown as SocketServer);
  return socket;
}

/** Creates an emitter that catches the rejections of async listeners, although its class has no option for this. */
function captureRejections<E extends EventEmitter>(create: () => E): E {
  const { captureRejections } = EventEmitter;
  EventEmitter.captureRejections = true;
  try {
    return create();
  } finally {
    EventEmitter.captureRejections = captureRejections;
  }
}
