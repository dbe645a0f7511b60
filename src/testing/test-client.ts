import type { IncomingHttpHeaders } from 'node:http';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { checkClose, checkDelay } from '../websocket/arguments.js';
import { asBytes, type Data } from '../websocket/frame.js';
import type { MessageQueue, Waiter } from '../websocket/message-queue.js';
import { queueOf, type CloseInfo, type SendOptions, type Websocket } from '../websocket/websocket.js';
import type { ClientSettings } from './client-options.js';
import { LazyPromise, startDeadline, within } from './deadline.js';
import type { Way } from './dial.js';
import { at, captureSite, type Site } from './errors.js';
import type { Welcome } from './handshake.js';
import { Line } from './line.js';
import { forget, remember } from './open-clients.js';
import { encodeRawFrame, type RawFrame } from './raw-frame.js';

/**
 * Makes a client whose handshake is under way.
 *
 * @internal
 */
export let openClient: <M extends Message>(way: Way, settings: ClientSettings, site: Site) => TestClient<M>;

/**
 * Resolves when the handshake is complete, rejects when it has failed.
 *
 * @internal
 */
export let openedOf: (client: TestClient) => Promise<unknown>;

const ENDED = Symbol('ended');
const LATE = Symbol('late');

/**
 * The other end of a route's websocket, for a test: what `connect` gives.
 *
 * It has the members of `req.websocket`, with two differences that a test wants. Waits that are given no time end with
 * a {@link WebsocketExpectationError} when the `deadline` of `connect` has passed, and so does a wait during which the
 * handler fails (1011) or the connection breaks (1006), unless the test itself has ended it. No wait follows a fake clock.
 */
export class TestClient<M extends Message = Message> implements AsyncIterable<M>, AsyncDisposable {
  readonly #line: Line<M>;
  readonly #websocket: Websocket<M>;
  readonly #queue: MessageQueue<M>;
  readonly #deadline: number;
  #welcome: Welcome = { headers: {}, protocol: '' };

  private constructor(way: Way, settings: ClientSettings, site: Site) {
    this.#line = new Line(way, settings, site, () => {
      forget(this);
    });
    this.#websocket = this.#line.websocket;
    this.#queue = queueOf(this.#websocket);
    this.#deadline = settings.deadline;
    remember(this);
    this.#line.opened.then((welcome) => (this.#welcome = welcome), noop);
  }

  /** The headers of the 101, with names in lower case. */
  get headers(): IncomingHttpHeaders {
    return this.#welcome.headers;
  }

  /** The subprotocol that was agreed on, or `''`. */
  get protocol(): string {
    return this.#welcome.protocol;
  }

  /**
   * Waits for the oldest unread message.
   *
   * As on the server it gives `null` when `timeout` (milliseconds) has passed, and once when the websocket has closed
   * and nothing is left to read. The time counts from the end of the handshake. Without a `timeout` it rejects when the
   * deadline has passed.
   *
   * @throws {WebsocketExpectationError} (as a rejection) No message came before the deadline; the handler has failed; the
   * connection broke. The message tells what came instead.
   * @throws {WebsocketClosedError} (as a rejection) The end has been told before.
   * @example expect(await client.wait()).toBe('hello');
   */
  wait(timeout?: number): Promise<M | null> {
    if (timeout !== undefined) checkDelay(timeout, 'wait');
    if (this.#queue.length > 0 || timeout === 0) return this.#websocket.wait(0);
    const site = captureSite();
    return this.#wait(timeout, site);
  }

  async #wait(timeout: number | undefined, site: Site): Promise<M | null> {
    const expected = `a message within ${String(timeout ?? this.#deadline)} ms`;
    if (this.#queue.ended) {
      const end = await this.#websocket.wait(0);
      this.#checkEnd(expected, site);
      return end;
    }
    const next = await this.#next(timeout);
    if (next === LATE) {
      if (timeout !== undefined) return null;
      throw at(site, this.#line.explain(expected));
    }
    if (next !== ENDED) return next;
    this.#tellEnd();
    this.#checkEnd(expected, site);
    return null;
  }

  /** The oldest unread message, or `fallback` when there is none; as on the server. */
  read(): M | null;
  read<F>(fallback: F): M | F;
  read(fallback: unknown = null): unknown {
    return this.#websocket.read(fallback);
  }

  /** How many messages have been received and not read. */
  countMessages(): number {
    return this.#websocket.countMessages();
  }

  /** Whether a message can be read at once. */
  hasMessages(): boolean {
    return this.#websocket.hasMessages();
  }

  /**
   * Every message until the websocket closes; each must come before the deadline.
   *
   * @throws {WebsocketExpectationError} (as a rejection) as with {@link wait}.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<M> {
    const messages = this.#websocket[Symbol.asyncIterator]();
    const site = captureSite();
    const next = async (): Promise<IteratorResult<M, undefined>> => {
      const expected = `a message or the end within ${String(this.#deadline)} ms`;
      // Without a wait there, so that a message which comes after the deadline is left to the next reader.
      const value = this.#queue.length > 0 || this.#queue.ended ? ENDED : await this.#next();
      if (value === LATE) throw at(site, this.#line.explain(expected));
      if (value !== ENDED) return { done: false, value };
      const result = (await messages.next()) as IteratorResult<M, undefined>;
      if (result.done === true) this.#checkEnd(expected, site);
      return result;
    };
    const iteration: AsyncIterableIterator<M> = {
      next,
      return: () => messages.return?.() as Promise<IteratorResult<M, undefined>>,
      [Symbol.asyncIterator]: () => iteration,
    };
    return iteration;
  }

  /** Sends a message: a string as a text message, bytes as a binary one; as on the server. */
  send(data: Data, options?: SendOptions): PromiseLike<boolean> {
    if (!this.#line.isConnecting) return this.#websocket.send(data, options);
    const copy = typeof data === 'string' ? data : Buffer.from(asBytes(data));
    return this.#line.opened.then(
      () => this.#websocket.send(copy, options),
      () => false,
    );
  }

  /**
   * Starts the closing handshake; resolves when the connection has ended. One that has not by the deadline is cut.
   *
   * @throws {RangeError} A code that may not be sent, or a reason that is too long.
   */
  close(code: number = CloseCode.normal, reason = ''): PromiseLike<void> {
    checkClose(code, reason);
    this.#line.leave();
    return this.#close(code, reason);
  }

  async #close(code: number, reason: string): Promise<void> {
    if (this.#line.isConnecting) await this.#line.opened.catch(noop);
    // The one in ws follows a fake clock.
    const stop = startDeadline(this.#deadline, () => {
      this.#line.connection.terminate();
    });
    await this.#websocket.close(code, reason);
    stop();
  }

  /** Whether either side has begun to close; `true` at once, even while received messages are unread. */
  isClosed(): boolean {
    return !this.#line.isConnecting && this.#websocket.isClosed();
  }

  /** From now on received messages are dropped, and so are those not yet read. */
  ignoreMessages(): void {
    this.#websocket.ignoreMessages();
  }

  /** `true` after `ms` milliseconds, on the global timers; `false` at once when the websocket closes. */
  sleep(ms: number): Promise<boolean> {
    return this.#websocket.sleep(ms);
  }

  /**
   * How it ended: the code and reason of whoever closed first.
   *
   * @throws {WebsocketExpectationError} (as a rejection) It is still open when somebody has waited for the deadline; or it
   * never was open, since the handshake was refused.
   * @example expect(await client.closed).toMatchObject({ code: 4001 });
   */
  get closed(): Promise<CloseInfo> {
    const site = captureSite();
    const explain = () =>
      at(site, this.#line.explain(`the websocket to close within ${String(this.#deadline)} ms`));
    const end = async (): Promise<CloseInfo> => {
      const info = await this.#websocket.closed;
      if (this.#line.isRefused) throw explain();
      return info;
    };
    return new LazyPromise(() => within(end(), this.#deadline, explain));
  }

  /** Aborted as soon as either side begins to close. */
  get signal(): AbortSignal {
    return this.#websocket.signal;
  }

  /**
   * Pings the server; resolves with the round trip in milliseconds.
   *
   * @throws {WebsocketExpectationError} (as a rejection) No pong came before the deadline.
   * @throws {WebsocketClosedError} (as a rejection) The websocket closes, or has closed, before the answer.
   */
  async ping(): Promise<number> {
    const site = captureSite();
    await this.#line.opened;
    return within(this.#websocket.ping(), this.#deadline, () =>
      at(site, this.#line.explain(`a pong within ${String(this.#deadline)} ms`)),
    );
  }

  /** Cuts the connection without a word, as a client does that loses its network. */
  terminate(): void {
    this.#line.leave();
    this.#whenOpen(({ connection }) => {
      connection.terminate();
    });
  }

  /**
   * Sends one frame, which may be as wrong as a test wants it.
   *
   * @example client.sendFrame({ payload: 'hello', masked: false });
   */
  sendFrame(frame: RawFrame): void {
    this.sendBytes(encodeRawFrame(frame));
  }

  /** Sends bytes past the protocol, at once: frames of their own making, or none. */
  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    this.#whenOpen(({ socket }) => {
      socket.write(copy);
    });
  }

  /** `await using client = await connect(…)`: the end of the block closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.close());
  }

  #whenOpen(act: (line: Line<M>) => void): void {
    const line = this.#line;
    if (!line.isConnecting) act(line);
    else void line.opened.then(() => act(line), noop);
  }

  /** The next message, when there is none yet. */
  #next(timeout?: number): Promise<M | typeof ENDED | typeof LATE> {
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
        this.#queue.giveUp(waiter);
        resolve(LATE);
      };
      this.#queue.wait(waiter);
      const stop =
        timeout === undefined ? startDeadline(this.#deadline, giveUp) : this.#startTimer(timeout, giveUp);
    });
  }

  /** Calls back after `ms` milliseconds of an open websocket: the handshake may take longer than the whole wait. */
  #startTimer(ms: number, onPassed: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    let isStopped = false;
    const start = (): void => {
      if (!isStopped) timer = setTimeout(onPassed, ms);
    };
    if (this.#line.isConnecting) this.#line.opened.then(start, noop);
    else start();
    return () => {
      isStopped = true;
      clearTimeout(timer);
    };
  }

  /** Everybody who waited is told; the next one gets the error, as on the server. */
  #tellEnd(): void {
    try {
      this.#websocket.read();
    } catch {
      // Another wait of the same moment has told it.
    }
  }

  /** @throws {WebsocketExpectationError} It was no end that anybody can have wanted. */
  #checkEnd(expected: string, site: Site): void {
    if (this.#line.hasFailed) throw at(site, this.#line.explain(expected));
  }

  static {
    openClient = (way, settings, site) => new TestClient(way, settings, site);
    openedOf = (client) => client.#line.opened;
  }
}

function noop(): void {
  // Whoever has connected is told why the handshake failed.
}
