import type { IncomingHttpHeaders } from 'node:http';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { later } from '../shared/later.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import type { Codec } from '../values/codec.js';
import { checkClose, checkDelay } from '../websocket/arguments.js';
import type { CloseInfo } from '../websocket/close-info.js';
import { asBytes, type Data } from '../websocket/frame.js';
import { EMPTY, type Queue, type Waiter } from '../websocket/message-queue.js';
import { unwrap } from '../websocket/value-queue.js';
import { queueOf, sendMessage, type SendOptions, type Websocket } from '../websocket/websocket.js';
import { ClientConnection } from './client-connection.js';
import type { ClientSettings } from './client-options.js';
import { LazyPromise, startDeadline, within } from './deadline.js';
import { withCallSite, captureCallSite, WebsocketExpectationError, type CallSite } from './errors.js';
import type { HandshakeResult } from './handshake.js';
import { untrackClient, trackClient } from './open-clients.js';
import { encodeRawFrame, type RawFrame } from './raw-frame.js';
import type { Endpoint } from './target.js';

/**
 * Creates a client and starts its handshake.
 *
 * @internal
 */
export let openClient: <M, Out>(
  endpoint: Endpoint,
  settings: ClientSettings,
  callSite: CallSite,
) => TestClient<M, Out>;

/**
 * Resolves when the handshake is complete, rejects when it has failed.
 *
 * @internal
 */
export let whenOpened: (client: TestClient<unknown, unknown>) => Promise<unknown>;

const ENDED = Symbol('ended');
const TIMED_OUT = Symbol('timed out');

/**
 * Represents the other end of a route's websocket in a test. `connect` returns it.
 *
 * It has the members of `req.websocket`, with three differences. A wait without a timeout rejects with a
 * {@link WebsocketExpectationError} after the `deadline` of `connect`. A wait also rejects with it when the handler fails
 * (1011) or the connection breaks (1006). It does not if the test has ended the connection. No wait follows a fake clock.
 */
export class TestClient<M = Message, Out = Data> implements AsyncIterable<M>, AsyncDisposable {
  readonly #connection: ClientConnection<M, Out>;
  readonly #websocket: Websocket<M, Out>;
  readonly #queue: Queue<M>;
  readonly #codec: Codec | undefined;
  readonly #deadline: number;
  #handshake: HandshakeResult = { headers: {}, protocol: '' };

  private constructor(endpoint: Endpoint, settings: ClientSettings, callSite: CallSite) {
    this.#connection = new ClientConnection(endpoint, settings, callSite, () => {
      untrackClient(this);
    });
    this.#websocket = this.#connection.websocket;
    this.#queue = queueOf(this.#websocket);
    this.#codec = settings.policy.values?.codec;
    this.#deadline = settings.deadline;
    trackClient(this);
    this.#connection.opened.then((handshake) => (this.#handshake = handshake), noop);
  }

  /** Returns the headers of the 101, with names in lower case. */
  get headers(): IncomingHttpHeaders {
    return this.#handshake.headers;
  }

  /** Returns the subprotocol that the server selected, or `''`. */
  get protocol(): string {
    return this.#handshake.protocol;
  }

  /**
   * Waits for the oldest unread message.
   *
   * As on the server, it resolves with `null` after `timeout` milliseconds. It also does so once when the websocket has
   * closed and no message is left. The time starts when the handshake is complete. Without a `timeout` it rejects at the
   * deadline.
   *
   * @throws {WebsocketExpectationError} (as a rejection) No message came before the deadline, the handler failed, or the
   * connection broke. The error says what happened instead.
   * @throws {WebsocketClosedError} (as a rejection) The end has been reported before.
   * @example expect(await client.wait()).toBe('hello');
   */
  wait(timeout?: number): Promise<M | null> {
    if (timeout !== undefined) checkDelay(timeout, 'wait');
    if (timeout === 0) return this.#websocket.wait(0);
    const callSite = captureCallSite();
    return this.#wait(timeout, callSite);
  }

  async #wait(timeout: number | undefined, callSite: CallSite): Promise<M | null> {
    const message = this.#queue.shift();
    if (message !== EMPTY) return unwrapAt(callSite, message);
    const expected = `a message within ${String(timeout ?? this.#deadline)} ms`;
    if (this.#queue.ended) {
      const end = await this.#websocket.wait(0);
      this.#checkEnd(expected, callSite);
      return end;
    }
    const next = await this.#next(timeout);
    if (next === TIMED_OUT) {
      if (timeout !== undefined) return null;
      throw withCallSite(callSite, this.#connection.explain(expected));
    }
    if (next !== ENDED) return unwrapAt(callSite, next);
    this.#consumeEnd();
    this.#checkEnd(expected, callSite);
    return null;
  }

  /** Returns the oldest unread message, or `fallback` if there is none, as on the server. */
  read(): M | null;
  read<F>(fallback: F): M | F;
  read(fallback: unknown = null): unknown {
    return this.#websocket.read(fallback);
  }

  /** Returns the number of unread messages. */
  countMessages(): number {
    return this.#websocket.countMessages();
  }

  /** Returns whether there is an unread message. */
  hasMessages(): boolean {
    return this.#websocket.hasMessages();
  }

  /**
   * Iterates over every message until the websocket closes. Each must come before the deadline.
   *
   * @throws {WebsocketExpectationError} (as a rejection) As in {@link wait}.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<M> {
    const callSite = captureCallSite();
    let isDone = false;
    // Does not use the iterator of the websocket: a message after the deadline must go to the next reader.
    const next = async (): Promise<IteratorResult<M, undefined>> => {
      const message = isDone ? ENDED : this.#queue.shift();
      const expected = `a message or the end within ${String(this.#deadline)} ms`;
      const value = message !== EMPTY ? message : this.#queue.ended ? ENDED : await this.#next();
      if (value === TIMED_OUT) throw withCallSite(callSite, this.#connection.explain(expected));
      if (value !== ENDED) return { done: false, value: unwrapAt(callSite, value) };
      if (!isDone) this.#checkEnd(expected, callSite);
      return later({ done: true, value: undefined });
    };
    const iteration: AsyncIterableIterator<M> = {
      next,
      return: () => {
        isDone = true;
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iteration,
    };
    return iteration;
  }

  /** Sends a message as on the server: a string as text, bytes as binary, and a value as JSON. */
  send(data: Out, options?: SendOptions): PromiseLike<boolean> {
    if (!this.#connection.isConnecting) return this.#websocket.send(data, options);
    // The caller may change the value or the buffer before the handshake is complete.
    const message = this.#codec === undefined ? (data as Data) : this.#codec.encode(data);
    const copy = typeof message === 'string' ? message : Buffer.from(asBytes(message));
    return this.#connection.opened.then(
      () => sendMessage(this.#websocket, copy, options),
      () => false,
    );
  }

  /**
   * Starts the closing handshake. Resolves when the connection has ended. Terminates the connection at the deadline.
   *
   * @throws {RangeError} The code must not be sent, or the reason is too long.
   */
  close(code: number = CloseCode.normal, reason = ''): PromiseLike<void> {
    checkClose(code, reason);
    this.#connection.leave();
    return this.#close(code, reason);
  }

  async #close(code: number, reason: string): Promise<void> {
    if (this.#connection.isConnecting) await this.#connection.opened.catch(noop);
    // The close timeout in ws follows a fake clock, so we use our own.
    const stop = startDeadline(this.#deadline, () => {
      this.#connection.ws.terminate();
    });
    await this.#websocket.close(code, reason);
    stop();
  }

  /** Returns `true` as soon as either side begins to close, even if received messages are unread. */
  isClosed(): boolean {
    return !this.#connection.isConnecting && this.#websocket.isClosed();
  }

  /** Drops all unread messages, and all messages that arrive from now on. */
  ignoreMessages(): void {
    this.#websocket.ignoreMessages();
  }

  /** Resolves with `true` after `ms` milliseconds of the global timers, with `false` as soon as the websocket closes. */
  sleep(ms: number): Promise<boolean> {
    return this.#websocket.sleep(ms);
  }

  /**
   * Resolves with the code and reason of the side that closed first.
   *
   * @throws {WebsocketExpectationError} (as a rejection) The websocket is still open at the deadline, which starts when you
   * await the promise. Or it never opened, because the handshake was refused.
   * @example expect(await client.closed).toMatchObject({ code: 4001 });
   */
  get closed(): Promise<CloseInfo> {
    const callSite = captureCallSite();
    const explain = () =>
      withCallSite(
        callSite,
        this.#connection.explain(`the websocket to close within ${String(this.#deadline)} ms`),
      );
    const end = async (): Promise<CloseInfo> => {
      const info = await this.#websocket.closed;
      if (this.#connection.isRefused) throw explain();
      return info;
    };
    return new LazyPromise(() => within(end(), this.#deadline, explain));
  }

  /** Returns a signal that aborts as soon as either side begins to close. */
  get signal(): AbortSignal {
    return this.#websocket.signal;
  }

  /**
   * Pings the server. Resolves with the round-trip time in milliseconds.
   *
   * @throws {WebsocketExpectationError} (as a rejection) No pong came before the deadline.
   * @throws {WebsocketClosedError} (as a rejection) The websocket closed before the pong.
   */
  async ping(): Promise<number> {
    const callSite = captureCallSite();
    await this.#connection.opened;
    return within(this.#websocket.ping(), this.#deadline, () =>
      withCallSite(callSite, this.#connection.explain(`a pong within ${String(this.#deadline)} ms`)),
    );
  }

  /** Ends the connection without a close frame, as when a client loses its network. */
  terminate(): void {
    this.#connection.leave();
    this.#whenOpen(({ ws }) => {
      ws.terminate();
    });
  }

  /**
   * Sends one frame, which may break the protocol.
   *
   * @example client.sendFrame({ payload: 'hello', masked: false });
   */
  sendFrame(frame: RawFrame): void {
    this.sendBytes(encodeRawFrame(frame));
  }

  /** Writes bytes to the socket at once. They need not be valid frames. */
  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    this.#whenOpen(({ socket }) => {
      socket.write(copy);
    });
  }

  /** Closes the client at the end of the block: `await using client = await connect(…)`. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  #whenOpen(act: (connection: ClientConnection<M, Out>) => void): void {
    const connection = this.#connection;
    if (!connection.isConnecting) act(connection);
    else void connection.opened.then(() => act(connection), noop);
  }

  /** Waits for the next message. Requires that the queue has none now. */
  #next(timeout?: number): Promise<M | typeof ENDED | typeof TIMED_OUT> {
    return new Promise((resolve) => {
      const waiter: Waiter<M> = {
        message: (message) => {
          stop();
          resolve(message);
        },
        end: () => {
          stop();
          resolve(ENDED);
        },
      };
      const giveUp = (): void => {
        this.#queue.stopWaiting(waiter);
        resolve(TIMED_OUT);
      };
      const stop =
        timeout === undefined ? startDeadline(this.#deadline, giveUp) : this.#startTimer(timeout, giveUp);
      this.#queue.wait(waiter);
    });
  }

  /** Calls `onPassed` `ms` milliseconds after the handshake, because the handshake may take longer than the wait. */
  #startTimer(ms: number, onPassed: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    let isStopped = false;
    const start = (): void => {
      if (!isStopped) timer = setTimeout(onPassed, ms);
    };
    if (this.#connection.isConnecting) this.#connection.opened.then(start, noop);
    else start();
    return () => {
      isStopped = true;
      clearTimeout(timer);
    };
  }

  /** Consumes the one `null` of the websocket. All pending waits get it; later waits reject, as on the server. */
  #consumeEnd(): void {
    try {
      this.#websocket.read();
    } catch {
      // Another pending wait has consumed it.
    }
  }

  /** @throws {WebsocketExpectationError} The handler failed, or the connection broke. */
  #checkEnd(expected: string, callSite: CallSite): void {
    if (this.#connection.hasFailed) throw withCallSite(callSite, this.#connection.explain(expected));
  }

  static {
    openClient = (endpoint, settings, callSite) => new TestClient(endpoint, settings, callSite);
    whenOpened = (client) => client.#connection.opened;
  }
}

/** @throws The error of a failure. An error of this package shows the line of the test. */
function unwrapAt<T>(callSite: CallSite, message: T): T {
  try {
    return unwrap(message);
  } catch (error) {
    throw error instanceof WebsocketExpectationError ? withCallSite(callSite, error) : error;
  }
}

function noop(): void {
  // `connect` reports why the handshake failed.
}
