import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Message } from '../options/options.js';
import type { Policy } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { WebsocketClosedError } from '../shared/errors.js';
import { falseLater, later, rejectLater } from '../shared/later.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { setImmediate } from '../shared/real-timers.js';
import { checkClose, checkDelay, checkMessage } from './arguments.js';
import { Connection, type ConnectionHandlers } from './connection.js';
import { onClose, onReceive, onSend } from './diagnostics.js';
import type { Data } from './frame.js';
import { Beat, startBeat, stopBeat } from './heartbeat.js';
import { LateSends, warnOfLateSends } from './late-sends.js';
import { MessageQueue, type Waiter } from './message-queue.js';
import { Messages } from './messages.js';
import { provideOperations, type EndListener, type Operations } from './operations.js';
import { Outbox } from './outbox.js';
import { PendingPings } from './pending-pings.js';
import { keepsExcess, withoutExcess } from './pieces.js';
import { Pongs } from './pongs.js';
import { LONGEST_TEXT } from './reader.js';
import { Sleepers } from './sleepers.js';

/** How a websocket ended. */
export interface CloseInfo {
  /** The close code of whoever closed first; 1005: a close frame without a code, 1006: none came at all. */
  readonly code: number;
  /** The reason that came with the code, or `''`. */
  readonly reason: string;
  /** Whether both sides have sent a close frame. */
  readonly wasClean: boolean;
}

/** Settings of {@link Websocket.send}. */
export interface SendOptions {
  /**
   * Whether the message is a binary one.
   *
   * @default false for a string, true for bytes
   */
  binary?: boolean | undefined;
}

const TEXT_TOO_LONG = `a text may have at most ${String(LONGEST_TEXT)} bytes`;

/** What the memory of a small Buffer takes beside its bytes; see `COST_OF_A_MESSAGE` for the rest. */
const COST_OF_A_COPY = 200;

// Handed to setImmediate without a closure for each websocket.
let answerInTurn: (websocket: Websocket, unread: number) => void;

// Only for this package: users never construct a websocket.

/**
 * Makes the websocket of a connection whose handshake is complete. `openWebsockets`, where it is found while it is open,
 * is for that of a server; without it, it is a client's and masks what it sends.
 *
 * @internal
 */
export let createWebsocket: (
  connection: Connection<Websocket>,
  socket: Duplex,
  request: IncomingMessage,
  policy: Policy,
  openWebsockets?: Set<Websocket>,
  listener?: EndListener,
) => Websocket;

/**
 * Makes the websocket of a request that never got one, or whose client has left before: one that has ended with 1006.
 *
 * @internal
 */
export let createEndedWebsocket: (request: IncomingMessage, policy: Policy) => Websocket;

/**
 * The unread messages of a websocket: the client of tests waits on them with a clock of its own.
 *
 * @internal
 */
export let queueOf: <M extends Message>(websocket: Websocket<M>) => MessageQueue<M>;

/**
 * Where the websocket is; it goes from each word only to those on its right. `answering`: the peer has begun to close, and
 * what the handler sends in answer to its last messages still goes out.
 */
type State = 'open' | 'answering' | 'closing' | 'closed';

/**
 * One websocket of a route: the `req.websocket` of a handler.
 *
 * Messages are kept until they are read, so nothing is lost while a handler awaits something else. When either side has
 * begun to close, what was received can still be read; then the end is told once, by a `null` of {@link wait}, the
 * fallback of {@link read}, or the end of an iteration; after that `wait` and `read` fail with a
 * {@link WebsocketClosedError}, as in Python's dwebsocket.
 */
export class Websocket<M extends Message = Message> implements AsyncIterable<M> {
  readonly #request: IncomingMessage;
  readonly #connection: Connection<Websocket>;
  readonly #socket: Duplex;
  readonly #policy: Policy;
  readonly #queue: MessageQueue<M>;
  readonly #outbox: Outbox;
  readonly #openWebsockets: Set<Websocket> | undefined;
  readonly #listener: EndListener | undefined;
  #state: State = 'open';
  #closeCode: number = CloseCode.abnormal;
  #closeReason = '';
  #wasClean = false;
  /** For the operator who reads NODE_DEBUG. */
  #closedBy = '';
  #ignoring = false;
  #endTold = false;
  #sleepEndTold = false;
  // Made only for those who ask.
  #beat: Beat | undefined;
  #closed: { promise: Promise<CloseInfo>; resolve: (info: CloseInfo) => void } | undefined;
  #controller: AbortController | undefined;
  #sleepers: Sleepers | undefined;
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
  ) {
    this.#request = request;
    this.#connection = connection;
    this.#socket = socket;
    this.#policy = policy;
    this.#queue = new MessageQueue<M>(policy.maxQueue, connection);
    this.#outbox = new Outbox(connection, socket, policy, openWebsockets !== undefined);
    this.#openWebsockets = openWebsockets;
    this.#listener = listener;
    connection.owner = this;
    connection.handlers = Websocket.#handlers;
    openWebsockets?.add(this);
    if (policy.heartbeat !== false) {
      this.#beat = new Beat(policy.heartbeat, connection, socket as { bytesRead?: number });
      startBeat(this.#beat);
    }
  }

  /** The request it came with. */
  get request(): IncomingMessage {
    return this.#request;
  }

  /** The subprotocol that was agreed on, or `''` (RFC 6455, 1.9). */
  get protocol(): string {
    return this.#connection.protocol;
  }

  /**
   * Waits for the oldest unread message.
   *
   * Resolves with `null` when `timeout` (milliseconds) has passed, and once when the websocket has closed and
   * nothing is left to read: all who wait at that moment get `null`. {@link isClosed} tells the two apart. Without a
   * `timeout` it waits for ever; with `0` it only looks. Callers are served in order; a wait that timed out leaves
   * its message to the next.
   *
   * As in dwebsocket's `wait`, the end is told once; a loop that does not look for it ends with the error instead of
   * spinning.
   *
   * @param timeout Milliseconds, from 0 to 2 ** 31 - 1.
   * @throws {WebsocketClosedError} (as a rejection) The end has been told before.
   * @throws {RangeError} `timeout` is no such number.
   * @example
   * while ((message = await req.websocket.wait()) !== null) req.websocket.send(message);
   */
  wait(timeout?: number): Promise<M | null> {
    if (timeout !== undefined) checkDelay(timeout, 'wait');
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#queue.ended) {
      if (this.#endTold) return rejectLater(this.#closedError());
      this.#endTold = true;
      return later(null);
    }
    // On a later turn, so that a loop around wait(0) leaves the others alive.
    if (timeout === 0) return later(null);
    return new Promise((resolve) => {
      const settle = (message: M | null): void => {
        clearTimeout(timer);
        resolve(message);
      };
      const waiter: Waiter<M> = {
        message: settle,
        end: () => {
          this.#endTold = true;
          settle(null);
        },
      };
      const giveUp = (): void => {
        this.#queue.giveUp(waiter);
        resolve(null);
      };
      const timer = timeout === undefined ? undefined : setTimeout(giveUp, timeout);
      this.#queue.wait(waiter);
    });
  }

  /**
   * The oldest unread message, or `fallback` when there is none; never waits.
   *
   * After the close: the messages that are left, then `fallback` once.
   *
   * @throws {WebsocketClosedError} The end has been told before.
   */
  read(): M | null;
  read<F>(fallback: F): M | F;
  read(fallback: unknown = null): unknown {
    const message = this.#queue.shift();
    if (message !== undefined) return message;
    if (this.#queue.ended) {
      if (this.#endTold) throw this.#closedError();
      this.#endTold = true;
    }
    return fallback;
  }

  /** How many messages have been received and not read. */
  countMessages(): number {
    return this.#queue.length;
  }

  /** Whether a message can be read at once. */
  hasMessages(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * Every message until the websocket closes.
   *
   * Leaving the loop leaves the websocket open, and it can be iterated again. An end that is seen here does not count
   * as told to `wait` and `read`. Unlike dwebsocket's there is no trailing `None`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<M> {
    return new Messages<M>(this.#queue);
  }

  /**
   * Sends a message: a string as a text message, bytes as a binary one (RFC 6455, 5.6).
   *
   * The promise need not be awaited and never rejects: it gives `true` once the next message may follow (at once
   * while less than `highWaterMark` waits to be sent, else when the peer has caught up), and `false` when the
   * websocket is closed: like dwebsocket, a closed peer is silently passed over. A peer with more than `maxBuffered`
   * waiting is cut off. A buffer may be refilled after the call.
   *
   * @throws {TypeError} `data` is no message. To send a value, encode it: `send(JSON.stringify(value))`.
   */
  send(data: Data, options?: SendOptions): PromiseLike<boolean> {
    const binary = options?.binary;
    if (!this.#maySend()) {
      checkMessage(data);
      return this.#sendLate();
    }
    if (onSend.hasSubscribers && this.#isServer) {
      checkMessage(data);
      onSend.publish({ websocket: this, bytes: Buffer.byteLength(data) });
    }
    return this.#outbox.send(data, binary);
  }

  /**
   * Starts the closing handshake (RFC 6455, 7.1.2); what was sent before goes out first.
   *
   * Resolves when the connection has ended: the peer has answered, or `closeTimeout` has passed and it was cut. Never
   * rejects, need not be awaited; further calls change nothing.
   *
   * @param code 1000 to 1014 but for 1004, 1005 and 1006, or 3000 to 4999.
   * @param reason At most 123 bytes in UTF-8.
   * @throws {RangeError} A code that may not be sent, or a reason that is too long.
   */
  close(code: number = CloseCode.normal, reason = ''): PromiseLike<void> {
    checkClose(code, reason);
    if (this.#state === 'open') {
      this.#beginClose('closing', code, reason, 'this side');
      this.#sendClose();
    }
    this.#answer();
    return this.closed.then(noop);
  }

  /**
   * Whether either side has begun to close; `true` at once, even while received messages are unread.
   *
   * Right for loops that push. A loop that reads would drop what is unread: iterate, or look for the `null` of `wait`.
   */
  isClosed(): boolean {
    return this.#state !== 'open' || this.#connection.readyState !== this.#connection.OPEN;
  }

  /** From now on received messages are dropped, and so are those not yet read: for handlers that only send. */
  ignoreMessages(): void {
    this.#ignoring = true;
    this.#queue.clear();
  }

  /**
   * Resolves with `true` after `ms` milliseconds, with `false` at once when the websocket closes (once; all who sleep
   * at that moment get `false`).
   *
   * @param ms Milliseconds, from 0 to 2 ** 31 - 1.
   * @throws {WebsocketClosedError} (as a rejection) A `sleep` has given `false` before.
   * @throws {RangeError} `ms` is no such number.
   * @example
   * while (await req.websocket.sleep(500)) req.websocket.send(reading());
   */
  sleep(ms: number): Promise<boolean> {
    checkDelay(ms, 'sleep');
    if (this.#state !== 'open') {
      if (this.#sleepEndTold) return rejectLater(this.#closedError());
      this.#sleepEndTold = true;
      return later(false);
    }
    this.#sleepers ??= new Sleepers();
    return this.#sleepers.sleep(ms);
  }

  /** How it ended; resolves when the connection has ended, never rejects. */
  get closed(): Promise<CloseInfo> {
    // Each time on a later turn, so that a loop around it leaves the others alive.
    if (this.#state === 'closed') return later(this.#closeInfo());
    if (this.#closed === undefined) {
      let resolve!: (info: CloseInfo) => void;
      const promise = new Promise<CloseInfo>((settle) => (resolve = settle));
      this.#closed = { promise, resolve };
    }
    return this.#closed.promise;
  }

  /**
   * Aborted, with a {@link WebsocketClosedError} as its reason, as soon as either side begins to close: for `fetch`,
   * `events.on`, timers and child processes. A handler that ends with the `AbortError` that this causes is not in error.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state !== 'open') this.#controller.abort(this.#closedError());
    }
    return this.#controller.signal;
  }

  /**
   * Pings the peer (RFC 6455, 5.5.2); resolves with the round trip in milliseconds.
   *
   * @throws {WebsocketClosedError} (as a rejection) The websocket closes, or has closed, before the answer.
   */
  ping(): Promise<number> {
    if (this.#state !== 'open') return rejectLater(this.#closedError());
    this.#pings ??= new PendingPings();
    return this.#pings.send(this.#connection);
  }

  static readonly #handlers: ConnectionHandlers<Websocket> = {
    read: (websocket, message, size) => {
      websocket.#receive(message, size);
    },
    message: (websocket, data, isBinary) => {
      if (isBinary) websocket.#receive(data, data.length);
      else if (data.length <= LONGEST_TEXT) websocket.#receive(data.toString(), data.length);
      else websocket.#closeInTurn(CloseCode.messageTooBig, TEXT_TOO_LONG, 'this side');
    },
    ping: (websocket, data) => {
      if (!websocket.#maySend()) return;
      websocket.#pongs ??= new Pongs(websocket.#connection);
      websocket.#pongs.answer(data);
    },
    pong: (websocket, data) => {
      websocket.#beat?.heard();
      websocket.#pings?.answer(data);
    },
    error: (websocket, error) => {
      // ws has closed it already, with the code that fits.
      websocket.#closedBy = `a fault of the peer: ${error.message}`;
    },
    closing: (websocket, code = CloseCode.noStatus, reason) => {
      websocket.#peerCloses(code, reason?.toString() ?? websocket.#whyRefused(code));
    },
    flush: (websocket) => {
      websocket.#outbox.flush();
    },
    close: (websocket, code, reason) => {
      websocket.#finishClose(code, reason.toString());
    },
  };

  #receive(message: string | Buffer, size: number): void {
    if (this.#state !== 'open' || this.#ignoring) return;
    const isText = typeof message === 'string';
    const { messages } = this.#policy;
    if (messages === (isText ? 'binary' : 'text')) {
      this.#closeInTurn(CloseCode.unsupportedData, `this route takes ${messages} messages only`, 'this side');
      return;
    }
    if (onReceive.hasSubscribers && this.#isServer) {
      onReceive.publish({ websocket: this, message, bytes: size });
    }
    // The check above and the type that `messages` gives to the handler say the same.
    if (isText || this.#queue.isAwaited || !keepsExcess(message)) this.#queue.push(message as M, size);
    // One byte in the queue would keep all 64 KiB that the socket has delivered with it.
    else this.#queue.push(withoutExcess(message) as M, size + COST_OF_A_COPY);
  }

  /** What a client learns when its frame was refused. */
  #whyRefused(code: number): string {
    if (code !== CloseCode.messageTooBig) return '';
    const { maxPayload } = this.#policy;
    warnOnce(
      this.#policy,
      'WEBSOCKET_TOO_BIG',
      `a client has sent a message of more than ${String(maxPayload)} bytes to ${pathOf(this.#request)} and was closed ` +
        `with 1009; where such messages are right, raise the option maxPayload`,
    );
    return `a message may have at most ${String(maxPayload)} bytes`;
  }

  /** A close frame has come from the peer, or something that breaks the protocol. */
  #peerCloses(code: number, reason: string): void {
    // The answer to ours. While `close()` lets a full queue go, a close frame is read before ours has been sent.
    if (this.#state === 'closing' && this.#connection.readyState !== this.#connection.OPEN)
      this.#connection.sendClose();
    this.#closeInTurn(code, reason, 'the peer');
  }

  /**
   * Closes for the peer, or because of it: what the handler answers in this turn still goes out before our close frame. As
   * long as the handler takes messages of before, it gets a further turn.
   */
  #closeInTurn(code: number, reason: string, by: string): void {
    if (this.#state !== 'open') return;
    this.#beginClose('answering', code, reason, by);
    // When the peer ends its side of the connection, ws ends ours.
    this.#socket.prependListener('end', () => {
      this.#answer();
    });
    setImmediate(answerInTurn, this, this.#queue.length);
  }

  #answerInTurn(unread: number): void {
    const { length } = this.#queue;
    if (length > 0 && length < unread) setImmediate(answerInTurn, this, length);
    else this.#answer();
  }

  #answer(): void {
    if (this.#state !== 'answering' || !this.#socket.writable) return;
    this.#state = 'closing';
    this.#sendClose();
  }

  /** Sends our close frame, and what was sent before in the same write. */
  #sendClose(): void {
    const code = this.#closeCode === CloseCode.noStatus ? undefined : this.#closeCode;
    this.#socket.cork();
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
    if (this.#beat !== undefined) stopBeat(this.#beat);
    this.#queue.end();
    this.#outbox.end();
    if (this.#sleepers?.wake() === true) this.#sleepEndTold = true;
    this.#sleepers = undefined;
    this.#pings?.end(this.#closedError());
    this.#controller?.abort(this.#closedError());
  }

  /** `code` and `reason`: of the peer's close frame, which can have come too late for an answer. */
  #finishClose(code: number = CloseCode.abnormal, reason = ''): void {
    const isLost = code === CloseCode.abnormal;
    // Without both close frames.
    this.#wasClean = !isLost && this.#state === 'closing';
    this.#beginClose('closed', code, reason, isLost ? 'nobody: the connection was lost' : 'the peer');
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
    if (onClose.hasSubscribers && this.#isServer) onClose.publish({ websocket: this, ...this.#closeInfo() });
    this.#openWebsockets?.delete(this);
    this.#closed?.resolve(this.#closeInfo());
    this.#listener?.websocketEnded();
  }

  #sendLate(): PromiseLike<boolean> {
    this.#lateSends ??= new LateSends();
    if (this.#lateSends.count(this.#queue.length)) warnOfLateSends(this.#policy, this.#request);
    return falseLater();
  }

  /** Operators listen to their server, and not to the client of a test in the same process. */
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
    answerInTurn = (websocket, unread) => {
      websocket.#answerInTurn(unread);
    };
    createWebsocket = (...parts) => new Websocket(...parts);
    createEndedWebsocket = (request, policy) => {
      // As `ws` makes those of a server, before they get a socket.
      const connection = new Connection<Websocket>(null as never, undefined, {});
      const websocket = new Websocket(connection, request.socket, request, policy, undefined, undefined);
      websocket.#finishClose();
      return websocket;
    };
    queueOf = (websocket) => websocket.#queue;
    const operations: Operations<Websocket> = {
      isOwn: (value) => #state in value,
      sendFrame: (websocket, frame, data, binary) => {
        if (!websocket.#maySend()) return websocket.#sendLate();
        if (!websocket.#outbox.takesFrames) return websocket.send(data, { binary });
        if (onSend.hasSubscribers) onSend.publish({ websocket, bytes: Buffer.byteLength(data) });
        return websocket.#outbox.write(frame);
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
    };
    provideOperations(Websocket, operations);
  }
}

function noop(): void {
  // The promise of close() tells when, not how.
}
