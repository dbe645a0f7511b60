import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { checkBoolean, checkEach } from '../options/checks.js';
import type { Message } from '../options/options.js';
import type { Policy } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { WebsocketClosedError } from '../shared/errors.js';
import { falseLater, later, rejectLater } from '../shared/later.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { setImmediate } from '../shared/real-timers.js';
import {
  checkClose,
  checkCloseTime,
  checkDelay,
  checkLatest,
  checkLibraryServer,
  checkMessage,
} from './arguments.js';
import type { Claim, Line } from './claim.js';
import { ClaimedQueue } from './claimed-queue.js';
import type { CloseInfo } from './close-info.js';
import { setCloseTime } from './close-time.js';
import { Connection, type ConnectionHandlers } from './connection.js';
import { onClose, onReceive, onSend } from './diagnostics.js';
import type { Data } from './frame.js';
import { Heartbeat, startHeartbeat, stopHeartbeat } from './heartbeat.js';
import { LateSends, warnOfLateSends } from './late-sends.js';
import { createLibrarySocket } from './library-socket.js';
import type { HandedOverWebsocket, LibraryServer, StreamOptions } from './library-types.js';
import { EMPTY, MessageQueue, type Queue, type Waiter } from './message-queue.js';
import { Messages } from './messages.js';
import { provideOperations, type EndListener, type Operations } from './operations.js';
import { Outbox } from './outbox.js';
import { PendingPings } from './pending-pings.js';
import { PendingSleeps } from './pending-sleeps.js';
import { compact, retainsExcess } from './pieces.js';
import { Pongs } from './pongs.js';
import { LONGEST_TEXT } from './reader.js';
import { createReadable, createWritable, webStreamsOf } from './web-streams.js';
import { WebsocketStream } from './websocket-stream.js';

/** Configures {@link Websocket.send}. */
export interface SendOptions {
  /**
   * Whether to send a binary message.
   *
   * @default false for a string, true for bytes
   */
  binary?: boolean | undefined;
  /**
   * Names what the message is about: a position, a price, a cursor. While more than `highWaterMark` bytes are buffered, only the
   * newest message for each name is kept. It is sent when the peer has read enough. Other messages may then arrive before it.
   *
   * @default none (every message is sent)
   */
  latest?: string | undefined;
}

const TEXT_TOO_LONG_REASON = `a text may have at most ${String(LONGEST_TEXT)} bytes`;

/** The memory of a small Buffer in addition to its bytes. The queue adds its `MESSAGE_OVERHEAD`. */
const COPY_OVERHEAD = 200;

// Websockets whose handler may return. Not a field, because most websockets are not handed over.
const handedOver = new WeakSet<object>();

// An argument of setImmediate that needs no closure for each websocket.
let awaitAnswers: (websocket: Websocket<unknown, unknown>, unread: number) => void;

/**
 * Creates the websocket of a connection whose handshake is complete. Users cannot construct a websocket.
 *
 * A server passes `openWebsockets`, which contains the websocket while it is open. Without it, the websocket belongs to a
 * client and masks its frames.
 *
 * @internal
 */
export let createWebsocket: (
  connection: Connection<Websocket>,
  socket: Duplex,
  request: IncomingMessage,
  policy: Policy,
  openWebsockets: Set<Websocket> | undefined,
  listener: EndListener | undefined,
  queue?: Queue<Message>,
) => Websocket;

/**
 * Returns the unread messages of a websocket. The test client waits for them with its own deadline.
 *
 * @internal
 */
export let queueOf: <M>(websocket: Websocket<M, unknown>) => Queue<M>;

/**
 * Sends a message as it is, also on a websocket for values, which would encode it.
 *
 * @internal
 */
export let sendMessage: (
  websocket: Websocket<unknown, unknown>,
  data: Data,
  options?: SendOptions,
) => PromiseLike<boolean>;

/**
 * The state of a websocket. It changes only from left to right. `answering` means: a frame of the peer closes the
 * websocket, but the handler's answers to the last messages are still sent.
 */
type State = 'open' | 'answering' | 'closing' | 'closed';

/**
 * Sends and receives the messages of one websocket. A handler gets it as `req.websocket`.
 *
 * Messages are queued until the handler reads them, so a slow handler loses none. After either side has begun to close,
 * received messages can still be read. Then the end is reported once: {@link wait} resolves with `null`, or {@link read}
 * returns its fallback. After that, `wait` rejects and `read` throws a {@link WebsocketClosedError}, as in Python's
 * dwebsocket. An iteration ends after the last message, and does not count as a report.
 */
export class Websocket<M = Message, Out = Data> implements AsyncIterable<M> {
  readonly #request: IncomingMessage;
  readonly #connection: Connection<Websocket>;
  readonly #socket: Duplex;
  readonly #policy: Policy;
  #queue: Queue<M>;
  readonly #outbox: Outbox;
  readonly #openWebsockets: Set<Websocket> | undefined;
  readonly #listener: EndListener | undefined;
  #state: State = 'open';
  #closeCode: number = CloseCode.abnormal;
  #closeReason = '';
  #wasClean = false;
  /** Which side closed, and why. Logged with NODE_DEBUG. */
  #closedBy = '';
  #ignoresMessages = false;
  #endReported = false;
  #sleepEndReported = false;
  // Created on first use.
  #heartbeat: Heartbeat | undefined;
  #closed: { promise: Promise<CloseInfo>; resolve: (info: CloseInfo) => void } | undefined;
  #controller: AbortController | undefined;
  #sleeps: PendingSleeps | undefined;
  #pings: PendingPings | undefined;
  #pongs: Pongs | undefined;
  #lateSends: LateSends | undefined;

  private constructor(
    connection: Connection<Websocket>,
    socket: Duplex,
    request: IncomingMessage,
    policy: Policy,
    openWebsockets: Set<Websocket> | undefined,
    listener: EndListener | undefined,
    queue: Queue<M> = new MessageQueue(policy.maxQueue, connection),
  ) {
    this.#request = request;
    this.#connection = connection;
    this.#socket = socket;
    this.#policy = policy;
    this.#queue = queue;
    this.#outbox = new Outbox(connection, socket, policy, openWebsockets !== undefined);
    this.#openWebsockets = openWebsockets;
    this.#listener = listener;
    connection.owner = this as unknown as Websocket;
    connection.handlers = Websocket.#handlers;
    openWebsockets?.add(connection.owner);
    if (policy.heartbeat !== false) {
      this.#heartbeat = new Heartbeat(policy.heartbeat, connection, socket as { bytesRead?: number });
      startHeartbeat(this.#heartbeat);
    }
  }

  /** Returns the request of the handshake. */
  get request(): IncomingMessage {
    return this.#request;
  }

  /** Returns the negotiated subprotocol, or `''` (RFC 6455, 1.9). */
  get protocol(): string {
    return this.#connection.protocol;
  }

  /**
   * Waits for the oldest unread message.
   *
   * Resolves with `null` when `timeout` has passed. Also resolves with `null`, once, when the websocket has closed and no
   * message is left. {@link isClosed} tells the two cases apart. If several calls are pending at the close, all of them
   * resolve with `null`. Concurrent calls get messages in order. A call that has timed out takes no message.
   *
   * As in `wait` of Python's dwebsocket, the end is reported once. So a loop that ignores the close ends with an error.
   *
   * A message that is a value (see the option `messages`) may itself be `null`. An iteration tells it from the end. If a schema
   * throws or rejects, or the function `invalid` does, `wait` rejects with that error.
   *
   * @param timeout Whole milliseconds from 0 to 2 ** 31 - 1. With 0, `wait` does not wait; if a schema answers with a promise,
   *   a later call gets the message. Without a timeout, it waits without a limit.
   * @throws {WebsocketClosedError} (as a rejection) The end was reported before.
   * @throws {RangeError} `timeout` is out of range or not whole.
   * @throws {TypeError} `timeout` is not a number.
   * @example
   * while ((message = await req.websocket.wait()) !== null) req.websocket.send(message);
   */
  wait(timeout?: number): Promise<M | null> {
    if (timeout !== undefined) checkDelay(timeout, 'wait');
    const message = this.#queue.shift();
    if (message !== EMPTY) return Promise.resolve(message);
    if (this.#queue.ended) {
      if (this.#endReported) return rejectLater(this.#closedError());
      this.#endReported = true;
      return later(null);
    }
    // Resolves on a later turn, so that a loop around wait(0) does not block the event loop.
    if (timeout === 0) return later(null);
    return new Promise((resolve) => {
      const settle = (message: M | null): void => {
        clearTimeout(timer);
        resolve(message);
      };
      const waiter: Waiter<M> = {
        message: settle,
        end: () => {
          this.#endReported = true;
          settle(null);
        },
      };
      const onTimeout = (): void => {
        this.#queue.stopWaiting(waiter);
        resolve(null);
      };
      const timer = timeout === undefined ? undefined : setTimeout(onTimeout, timeout);
      this.#queue.wait(waiter);
    });
  }

  /**
   * Returns the oldest unread message, or `fallback` when there is none. Never waits.
   *
   * After the close it returns the remaining messages, and then `fallback` once.
   *
   * @throws {WebsocketClosedError} The end was reported before.
   * @throws {WebsocketError} The schema of the option `messages` answers with a promise (`ERR_WEBSOCKET_ASYNC_SCHEMA`). The
   *   message stays in the queue, for `wait` or an iteration.
   */
  read(): M | null;
  read<F>(fallback: F): M | F;
  read(fallback: unknown = null): unknown {
    const message = this.#queue.shift();
    if (message !== EMPTY) return message;
    if (this.#queue.ended) {
      if (this.#endReported) throw this.#closedError();
      this.#endReported = true;
    }
    return fallback;
  }

  /** Returns the number of unread messages. A message is checked only when it is read, so some of them may not fit. */
  countMessages(): number {
    return this.#queue.length;
  }

  /** Returns whether there is an unread message. */
  hasMessages(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * Iterates over all messages until the websocket closes.
   *
   * After `break` the websocket stays open, and can be iterated again. The end of an iteration does not consume the one
   * `null` of `wait` or the one fallback of `read`. Unlike in Python's dwebsocket, there is no trailing
   * `None`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<M> {
    return new Messages<M>(this.#queue);
  }

  /**
   * Sends a message: a string as text, bytes as binary (RFC 6455, 5.6). With the option `messages: 'json'` or a schema, sends
   * any value as JSON, a string too; bytes stay a binary message.
   *
   * Resolves with `true` when you may send the next message. This is at once while the buffered bytes are at most
   * `highWaterMark`; otherwise it is when the peer has read enough. Resolves with `false` when the websocket is closed:
   * like Python's dwebsocket, `send` ignores the message. Never rejects, so you need not await it.
   *
   * When more than `maxBuffered` bytes are buffered, the next call ends the connection. You may reuse a buffer after the
   * call.
   *
   * @throws {WebsocketArgumentError} `data` is not a message. To send another value, encode it: `send(JSON.stringify(value))`,
   *   or set the option `messages: 'json'`. With that option: JSON cannot represent the value, or it does not fit the option
   *   `sends`.
   */
  send(data: Out, options?: SendOptions): PromiseLike<boolean> {
    const message = data as Data;
    if (!this.#maySend()) {
      checkMessage(message);
      return this.#sendLate();
    }
    if (onSend.hasSubscribers && this.#isServer) {
      checkMessage(message);
      onSend.publish({ websocket: this.#connection.owner, bytes: Buffer.byteLength(message) });
    }
    const latest = options?.latest;
    if (latest === undefined) return this.#outbox.send(message, options?.binary);
    checkMessage(message);
    checkLatest(latest);
    return this.#outbox.sendLatest(latest, message, options?.binary);
  }

  /**
   * Starts the closing handshake (RFC 6455, 7.1.2). Messages that were sent before are written first.
   *
   * Resolves when the connection has ended: the peer has answered, or `closeTimeout` has passed. Never rejects, so you
   * need not await it. Further calls have no effect.
   *
   * @param code 1000 to 1014 except 1004, 1005 and 1006, or 3000 to 4999.
   * @param reason At most 123 bytes in UTF-8.
   * @throws {RangeError} The code must not be sent, or the reason is too long.
   * @throws {TypeError} The reason is not a string.
   */
  close(code: number = CloseCode.normal, reason = ''): PromiseLike<void> {
    checkClose(code, reason);
    this.#close(code, reason);
    return this.closed.then(noop);
  }

  /**
   * Closes the websocket at a time of the clock: when its token or session expires. A time that has passed closes it at once.
   * A further call replaces the time, the code and the reason; `null` removes them. Does nothing when the websocket has begun
   * to close.
   *
   * @param time A Date, or milliseconds since 1970, however far away. The `exp` of a token is in seconds: pass `exp * 1000`.
   *   A clock that is set, or a machine that sleeps, delays the close by a minute at most.
   * @param code As in {@link close}. 3000 tells a client to connect again with new credentials ("unauthorized" in the IANA
   *   registry). Pass one of 4400 to 4499 for clients that must stay away, such as 4401 when a user must log in again.
   * @param reason At most 123 bytes in UTF-8.
   * @throws {RangeError} The time is invalid or in seconds (also as a Date), the code must not be sent, or the reason is too long.
   * @throws {TypeError} `time` is of another type, or the reason is not a string.
   * @example req.websocket.closeAt(token.exp * 1000);
   */
  closeAt(time: Date | number | null, code: number = CloseCode.unauthorized, reason = ''): void {
    checkCloseTime(time);
    checkClose(code, reason);
    if (this.#state !== 'open') return;
    setCloseTime(this, time === null ? null : Number(time), () => {
      this.#close(code, reason);
    });
  }

  #close(code: number, reason: string): void {
    if (this.#state === 'open') {
      this.#beginClose('closing', code, reason, 'this side');
      this.#sendClose();
    }
    this.#answerClose();
  }

  /**
   * Returns whether either side has begun to close, even if there are unread messages.
   *
   * Use it in loops that only send. In a loop that reads, it would skip the unread messages: iterate instead, or stop at
   * the `null` of `wait`.
   */
  isClosed(): boolean {
    return this.#state !== 'open' || this.#connection.readyState !== this.#connection.OPEN;
  }

  /** Drops all unread and all future messages. Use it in handlers that only send. */
  ignoreMessages(): void {
    this.#ignoresMessages = true;
    this.#queue.clear();
  }

  /**
   * Resolves with `true` after `ms` milliseconds. Resolves with `false` as soon as the websocket closes.
   *
   * The close is reported once: to all calls that are pending at the close, or to the next call. Later calls reject.
   *
   * @param ms Whole milliseconds from 0 to 2 ** 31 - 1.
   * @throws {WebsocketClosedError} (as a rejection) An earlier `sleep` has resolved with `false`.
   * @throws {RangeError} `ms` is out of range or not whole.
   * @throws {TypeError} `ms` is not a number.
   * @example
   * while (await req.websocket.sleep(500)) req.websocket.send(reading());
   */
  sleep(ms: number): Promise<boolean> {
    checkDelay(ms, 'sleep');
    if (this.#state !== 'open') {
      if (this.#sleepEndReported) return rejectLater(this.#closedError());
      this.#sleepEndReported = true;
      return later(false);
    }
    this.#sleeps ??= new PendingSleeps();
    return this.#sleeps.sleep(ms);
  }

  /** Resolves with the close code and reason when the connection has ended. Never rejects. */
  get closed(): Promise<CloseInfo> {
    // Resolves on a later turn each time, so that a loop around it does not block the event loop.
    if (this.#state === 'closed') return later(this.#closeInfo());
    if (this.#closed === undefined) {
      let resolve!: (info: CloseInfo) => void;
      const promise = new Promise<CloseInfo>((settle) => (resolve = settle));
      this.#closed = { promise, resolve };
    }
    return this.#closed.promise;
  }

  /**
   * Returns a signal that aborts as soon as either side begins to close. Its reason is a {@link WebsocketClosedError}.
   *
   * Pass it to `fetch`, `events.on`, timers and child processes. A handler may throw the `AbortError` that the signal
   * causes; this does not count as a failure.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state !== 'open') this.#controller.abort(this.#closedError());
    }
    return this.#controller.signal;
  }

  /**
   * Pings the peer (RFC 6455, 5.5.2). Resolves with the round-trip time in milliseconds.
   *
   * @throws {WebsocketClosedError} (as a rejection) The websocket has closed, or closes before the pong arrives.
   * @throws {RangeError} (as a rejection) 1,000 pings are pending.
   */
  ping(): Promise<number> {
    if (this.#state !== 'open') return rejectLater(this.#closedError());
    this.#pings ??= new PendingPings();
    return this.#pings.send(this.#connection);
  }

  /**
   * Hands the websocket over to a library that expects a socket of `ws`, or a WHATWG `WebSocket`. The library gets all unread
   * and all future messages, and the close. The handler may return: the websocket stays open until the library, the client or
   * the server closes it.
   *
   * Messages wait, with the limit `maxQueue`, until the library listens to 'message'; the close waits for a listener, too.
   * All options, groups and {@link send} stay in force. A listener that throws or rejects has the effect of a handler that
   * fails: it closes with 1011, and the app's error handlers get the error. Listeners run in the `AsyncLocalStorage` context
   * of this call. An 'error' without a listener is dropped.
   *
   * Text arrives as a Buffer, as from `ws`. A reason of `close` that is too long is cut, and the parts of a message that the
   * library sends with `fin: false` go out together.
   *
   * @param server A `WebSocketServer({ noServer: true })` of `ws`. The websocket joins its `clients`, and it emits
   *   'connection'. If it is closed already, the websocket closes with 1001.
   * @throws {WebsocketError} The websocket was handed over before, or somebody waits for its messages
   *   (`ERR_WEBSOCKET_READER`).
   * @throws {TypeError} `server` is not a server.
   * @example
   * app.get('/graphql', requireWebsocket((req) => {
   *   req.websocket.handOver(graphqlServer);
   * }, { protocols: ['graphql-transport-ws'] }));
   */
  handOver(server?: LibraryServer): HandedOverWebsocket {
    if (server !== undefined) checkLibraryServer(server);
    return createLibrarySocket(this.#claim(), server) as unknown as HandedOverWebsocket;
  }

  /**
   * Returns the websocket as a `Duplex` of Node: a chunk is a message, with backpressure both ways. The handler may return; the
   * websocket stays open until the stream or the client ends.
   *
   * Bytes are sent as binary messages, strings as text. `end()` closes with 1000, and 'finish' comes when the peer has answered.
   * `destroy(error)` closes with 1011; so does `destroy()` if chunks are not sent yet.
   *
   * 'end' comes after a close with 1000 or without a code. Any other end destroys the stream with a
   * {@link WebsocketClosedError}, so that half of a file never looks whole. It fails, too, if a message
   * comes after `end()`. Without a listener, this 'error' is dropped.
   *
   * @throws {WebsocketError} The websocket was handed over before, or somebody waits for its messages
   *   (`ERR_WEBSOCKET_READER`).
   * @example
   * await pipeline(req.websocket.stream(), createWriteStream('upload'));
   */
  stream(options: StreamOptions = {}): Duplex {
    checkEach(options, { objectMode: checkBoolean, binary: checkBoolean });
    return new WebsocketStream(this.#claim(), options);
  }

  /**
   * Returns the messages as a Web stream: strings and Buffers. A second call returns the same stream. It ends and fails like
   * {@link stream}. `cancel()` closes with 1000, and with a reason with 1011.
   *
   * @throws {WebsocketError} The websocket was handed over before, or somebody waits for its messages
   *   (`ERR_WEBSOCKET_READER`).
   */
  get readable(): ReadableStream<Message> {
    const streams = webStreamsOf(this);
    return (streams.readable ??= createReadable(this.#claim()));
  }

  /**
   * Returns a Web stream that sends its chunks: strings as text, bytes as binary messages. A second call returns the same
   * stream. `close()` closes with 1000, and resolves when the peer has answered. `abort()` closes with 1011. You may still
   * read the messages in another way.
   *
   * @example
   * await answer.textStream.pipeTo(req.websocket.writable);
   */
  get writable(): WritableStream<Data> {
    const streams = webStreamsOf(this);
    return (streams.writable ??= createWritable(this.#createLine()));
  }

  /** Gives the messages to another reader. */
  #claim(): Claim {
    const before = this.#queue;
    const messages = new MessageQueue<Message>(this.#policy.maxQueue, this.#connection);
    const claimed = new ClaimedQueue(messages);
    // First, because space in the old queue lets the socket deliver more at once.
    this.#queue = claimed as unknown as Queue<M>;
    try {
      claimed.takeFrom(before as Queue<unknown, unknown>);
    } catch (error) {
      this.#queue = before;
      throw error;
    }
    return { ...this.#createLine(), messages, hasDropped: () => claimed.hasDropped };
  }

  #createLine(): Line {
    handedOver.add(this);
    const { highWaterMark, maxBuffered } = this.#policy;
    return {
      connection: this.#connection,
      request: this.#request,
      end: this.#state === 'closed' ? this.#closeInfo() : undefined,
      closed: this.closed,
      highWaterMark,
      maxBuffered,
      buffered: () => this.#outbox.buffered,
      send: (data, binary) => sendMessage(this, data, { binary }),
      close: (code, reason) => {
        this.#close(code, reason);
      },
      terminate: () => {
        this.#connection.terminate();
      },
      fail: (error) => {
        if (this.#listener === undefined) this.#close(CloseCode.internalError, '');
        else this.#listener.websocketFailed(error);
      },
    };
  }

  static readonly #handlers: ConnectionHandlers<Websocket> = {
    read: (websocket, message, size) => {
      websocket.#receive(message, size);
    },
    message: (websocket, data, isBinary) => {
      if (isBinary) websocket.#receive(data, data.length);
      else if (data.length <= LONGEST_TEXT) websocket.#receive(data.toString(), data.length);
      else websocket.#closeAfterAnswers(CloseCode.messageTooBig, TEXT_TOO_LONG_REASON, 'this side');
    },
    ping: (websocket, data) => {
      if (!websocket.#maySend()) return;
      websocket.#pongs ??= new Pongs(websocket.#connection);
      websocket.#pongs.answer(data);
    },
    pong: (websocket, data) => {
      websocket.#heartbeat?.pongReceived();
      websocket.#pings?.answer(data);
    },
    error: (websocket, error) => {
      // ws has already closed the websocket with the right code.
      websocket.#closedBy = `this side, because of a frame of the peer: ${error.message}`;
    },
    closing: (websocket, code = CloseCode.noStatus, reason) => {
      websocket.#peerClosed(code, reason?.toString() ?? websocket.#closeReasonFor(code));
    },
    flush: (websocket) => {
      websocket.#outbox.flush();
    },
    close: (websocket, code, reason) => {
      websocket.#finishClose(code, reason.toString());
    },
  };

  #receive(message: string | Buffer, size: number): void {
    if (this.#state !== 'open' || this.#ignoresMessages) {
      // A stream must know that the queue drops it.
      if (this.#queue.ended) this.#queue.push(message as M, size);
      return;
    }
    const isText = typeof message === 'string';
    const { messages } = this.#policy;
    if (messages === (isText ? 'binary' : 'text')) {
      this.#closeAfterAnswers(
        CloseCode.unsupportedData,
        `this route accepts only ${messages} messages`,
        'this side',
      );
      return;
    }
    if (onReceive.hasSubscribers && this.#isServer) {
      onReceive.publish({ websocket: this.#connection.owner, message, bytes: size });
    }
    // The cast is safe: the check above agrees with the type that the option `messages` gives to the handler.
    if (isText || this.#queue.isAwaited || !retainsExcess(message)) this.#queue.push(message as M, size);
    // Without a copy, one byte in the queue would retain a chunk of 64 KiB.
    else this.#queue.push(compact(message) as M, size + COPY_OVERHEAD);
  }

  /** Returns the close reason for a frame that `ws` has refused with `code`. */
  #closeReasonFor(code: number): string {
    if (code !== CloseCode.messageTooBig) return '';
    const { maxPayload } = this.#policy;
    warnOnce(
      this.#policy,
      'WEBSOCKET_TOO_BIG',
      `a client sent a message of more than ${String(maxPayload)} bytes to ${pathOf(this.#request)} and was closed ` +
        'with 1009; to accept such messages, raise the option maxPayload',
    );
    return `a message may have at most ${String(maxPayload)} bytes`;
  }

  /** Handles a close frame of the peer, or a frame that breaks the protocol. */
  #peerClosed(code: number, reason: string): void {
    // The peer has answered our close frame, which completes the closing handshake. But `close()` may resume a full queue,
    // and so read a close frame of the peer before it has sent ours. In that case `readyState` is still OPEN.
    if (this.#state === 'closing' && this.#connection.readyState !== this.#connection.OPEN)
      this.#connection.sendClose();
    this.#closeAfterAnswers(code, reason, 'the peer');
  }

  /**
   * Closes because of a frame of the peer. If the handler sends answers in this turn, they are written before our close
   * frame. The handler gets further turns while it reads earlier messages.
   */
  #closeAfterAnswers(code: number, reason: string, by: string): void {
    if (this.#state !== 'open') return;
    this.#beginClose('answering', code, reason, by);
    // Must run before the listener of ws, which ends our side when the peer has ended its side.
    this.#socket.prependListener('end', () => {
      this.#answerClose();
    });
    setImmediate(awaitAnswers, this, this.#queue.length);
  }

  #awaitAnswers(unread: number): void {
    const { length } = this.#queue;
    if (length > 0 && length < unread) setImmediate(awaitAnswers, this, length);
    else this.#answerClose();
  }

  /** Answers the peer's close, unless our close frame was sent before. */
  #answerClose(): void {
    if (this.#state !== 'answering' || !this.#socket.writable) return;
    this.#state = 'closing';
    this.#sendClose();
  }

  /** Sends our close frame, in one write with the messages before it. */
  #sendClose(): void {
    const code = this.#closeCode === CloseCode.noStatus ? undefined : this.#closeCode;
    this.#socket.cork();
    this.#outbox.flushLatest();
    this.#outbox.flush();
    this.#connection.sendClose(code, this.#closeReason);
    this.#socket.uncork();
  }

  #maySend(): boolean {
    return this.#state === 'open' || this.#state === 'answering';
  }

  #beginClose(state: State, code: number, reason: string, by: string): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#closedBy = by;
    this.#closeCode = code;
    this.#closeReason = reason;
    if (this.#heartbeat !== undefined) stopHeartbeat(this.#heartbeat);
    this.#queue.end();
    this.#outbox.end();
    if (this.#sleeps?.end() === true) this.#sleepEndReported = true;
    this.#sleeps = undefined;
    this.#pings?.end(this.#closedError());
    this.#controller?.abort(this.#closedError());
  }

  /** `code` and `reason` come from the peer's close frame. It may arrive too late for an answer. */
  #finishClose(code: number = CloseCode.abnormal, reason = ''): void {
    const isLost = code === CloseCode.abnormal;
    // In any other state, our close frame was not sent.
    this.#wasClean = !isLost && this.#state === 'closing';
    this.#beginClose('closed', code, reason, isLost ? 'neither side: the connection was lost' : 'the peer');
    this.#state = 'closed';
    this.#connection.stopCloseTimer();
    this.#outbox.clear();
    debug(
      '%s: closed with %d %j by %s',
      this.#request.url,
      this.#closeCode,
      this.#closeReason,
      this.#closedBy,
    );
    if (onClose.hasSubscribers && this.#isServer)
      onClose.publish({ websocket: this.#connection.owner, ...this.#closeInfo() });
    this.#openWebsockets?.delete(this.#connection.owner);
    this.#closed?.resolve(this.#closeInfo());
    this.#listener?.websocketEnded();
  }

  #sendLate(): PromiseLike<boolean> {
    this.#lateSends ??= new LateSends();
    if (this.#lateSends.count(this.#queue.length)) warnOfLateSends(this.#policy, this.#request);
    return falseLater();
  }

  // Diagnostics describe the server, and not a test client in the same process.
  get #isServer(): boolean {
    return this.#openWebsockets !== undefined;
  }

  #closeInfo(): CloseInfo {
    return { code: this.#closeCode, reason: this.#closeReason, wasClean: this.#wasClean };
  }

  #closedError(): WebsocketClosedError {
    return new WebsocketClosedError(this.#closeCode, this.#closeReason);
  }

  static {
    awaitAnswers = (websocket, unread) => {
      websocket.#awaitAnswers(unread);
    };
    createWebsocket = (...parts) => new Websocket(...parts);
    queueOf = (websocket) => websocket.#queue;
    sendMessage = (websocket, data, options) => Websocket.prototype.send.call(websocket, data, options);
    const operations: Operations<Websocket> = {
      isOwn: (value) => #state in value,
      sendFrame: (websocket, frame, data, binary, latest) => {
        if (!websocket.#maySend()) return websocket.#sendLate();
        if (latest !== undefined) {
          if (onSend.hasSubscribers) onSend.publish({ websocket, bytes: Buffer.byteLength(data) });
          return websocket.#outbox.sendLatest(latest, data, binary, frame);
        }
        if (!websocket.#outbox.takesFrames) return sendMessage(websocket, data, { binary });
        if (onSend.hasSubscribers) onSend.publish({ websocket, bytes: Buffer.byteLength(data) });
        return websocket.#outbox.write(frame);
      },
      sendHeld: (websocket) => {
        if (websocket.#maySend()) websocket.#outbox.flushLatest();
      },
      closeWithin: (websocket, timeout, code, reason) => {
        websocket.#connection.closeTimeout = timeout;
        return websocket.close(code, reason);
      },
      terminate: (websocket) => {
        websocket.#connection.terminate();
      },
      endListenerOf: (websocket) => websocket.#listener,
      existingSignal: (websocket) => websocket.#controller?.signal,
      claim: (websocket) => websocket.#claim(),
      routeOf: (websocket) => websocket.#policy,
      closeCodeOf: (websocket) => websocket.#closeCode,
      isHandedOver: (websocket) => handedOver.has(websocket),
    };
    provideOperations(Websocket, operations);
  }
}

function noop(): void {
  // close() resolves without a value.
}
