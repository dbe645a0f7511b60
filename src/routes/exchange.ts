import type { IncomingMessage, ServerResponse } from 'node:http';
import type { refuse } from '../handshake/answer.js';
import {
  awaitAnswer,
  closeExchange,
  closeRequest,
  endResponse,
  SWITCHED,
  takeAnswer,
} from '../handshake/response.js';
import { hasSharedHeader, markHeadersSent } from '../internals/node.js';
import { upgradeOf } from '../server/upgrade.js';
import { CloseCode, closeCodeBehind, closeCodeFor } from '../shared/close-codes.js';
import { WebsocketClosedError } from '../shared/errors.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { clearTimeout, setImmediate, setTimeout } from '../shared/real-timers.js';
import { onError } from '../websocket/diagnostics.js';
import { endListenerOf, existingSignal, type EndListener } from '../websocket/operations.js';
import type { Websocket } from '../websocket/websocket.js';
import { isAbort } from './aborts.js';
import type { Acceptor } from './accept.js';
import { MethodGuard } from './method-guard.js';
import { asError, failAlone, isError, textOf, type AnyHandler } from './serve-http.js';
import type { Next } from './types.js';

/** How long error handlers may take to answer before the response ends without them, in milliseconds. */
const ERROR_HANDLER_TIMEOUT = 5_000;

/** Bytes of a close frame without a reason (RFC 6455, 5.2 and 5.5.1). */
const BARE_CLOSE_FRAME = 4;

/**
 * Who may answer: `handlers` talk over the websocket, and those behind them only when they are `passed on` to; `nobody` any
 * more, when the response ends.
 */
type Turn = 'handlers' | 'passed on' | 'nobody';

/**
 * A WebSocket request with its response, from the handshake to 'close': runs the handlers, closes the websocket when
 * the last of them has ended, and ends the response when the websocket has.
 *
 * One object with the state of it, and no closure or promise that lasts as long as the connection: as an async
 * function it took 1.1 KB more of heap for each.
 */
export class Exchange implements EndListener {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  /** What warnings are given once for: the options of the route. */
  readonly #route: object;
  #websocket: Websocket | undefined;
  // More than one where a wrapped handler calls another.
  #running = 0;
  #turn: Turn = 'handlers';
  /** The close code for what was answered. */
  #answer: number | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, route: object, websocket?: Websocket) {
    this.#req = req;
    this.#res = res;
    this.#route = route;
    this.#websocket = websocket;
  }

  /**
   * Completes the handshake of a request; `undefined` when it was refused, or when the client has left or been answered.
   *
   * @throws What a function among the options has thrown.
   */
  static open(
    acceptor: Acceptor,
    req: IncomingMessage,
    res: ServerResponse,
    refuseWith?: typeof refuse,
  ): Exchange | undefined {
    const exchange = new Exchange(req, res, acceptor.policy);
    exchange.#websocket = acceptor.open(req, res, exchange, refuseWith);
    return exchange.#websocket === undefined ? undefined : exchange;
  }

  get websocket(): Websocket {
    return this.#websocket as Websocket;
  }

  /** Lets any later route talk over the websocket and answer, wrapped or not. */
  leaveToApp(): void {
    this.#turn = 'passed on';
    this.#awaitAnswer(this.#res.statusCode);
  }

  /** Runs a handler on the websocket of this exchange. */
  run(handler: AnyHandler, next: Next | undefined): void {
    this.#running++;
    // An earlier next() has led to this handler.
    if (this.#turn === 'passed on') this.#turn = 'handlers';
    if (!this.#res.headersSent) markHeadersSent(this.#res);
    guard.install(this.#res);
    const { bytesWritten } = this.#req.socket;
    let result: unknown;
    try {
      result = handler(this.#req as never, this.#res as never, this.#passOn(handler, next));
    } catch (error) {
      this.#handlerFailed(handler, error, next);
      return;
    }
    if (!isThenable(result)) {
      this.#handlerReturned(bytesWritten);
      return;
    }
    // Not its own `then`, which may throw, or call back twice.
    Promise.resolve(result).then(
      () => {
        this.#handlerEnded();
      },
      (error: unknown) => {
        this.#handlerFailed(handler, error, next);
      },
    );
  }

  /** The connection has ended. */
  websocketEnded(): void {
    // Handlers that have ended end the response when the websocket has closed.
    if (this.#running === 0 && this.#turn === 'handlers') return;
    // Who ends with the websocket ends the response in order. Loggers and clean-up written for HTTP do not wait for one
    // that goes on.
    setImmediate(() => {
      if (this.#running > 0) closeExchange(this.#req, this.#res);
      else if (this.#turn === 'passed on') this.#endLeft();
    });
  }

  /**
   * Somebody calls a method of the response.
   *
   * @throws A running handler sets headers, which cannot be sent any more.
   */
  responseUsed(method: string, args: readonly unknown[]): void {
    // `render` with a callback only makes a text.
    if (method === 'render' && typeof args.at(-1) === 'function') return;
    if (this.#running > 0 && this.#turn === 'handlers' && this.#failure === undefined)
      this.#usedByHandler(method);
    // The handler has ended, and something that it has begun goes on: as on any route, it may answer late.
    else if (this.#turn !== 'nobody' && hasSharedHeader(this.#res)) this.#awaitAnswer();
  }

  #usedByHandler(method: string): void {
    if (!BODY_METHODS.includes(method)) {
      if (this.#res.headersSent) throw headersSent(method);
      return;
    }
    if (!this.websocket.isClosed()) {
      warnOnce(this.#route, 'WEBSOCKET_RESPONSE', `${pathOf(this.#req)}: ${responseUseless(method)}`);
    }
    takeAnswer(this.#res, SWITCHED, (status) => {
      this.#answered(status);
    });
  }

  #passOn(handler: AnyHandler, next: Next | undefined): Next {
    let hasFailed = false;
    return (error) => {
      if (isError(error)) {
        if (hasFailed) return;
        hasFailed = true;
        // A handler inside of this one has failed, and was given this `next`.
        if (error === this.#failure?.error) this.#tellApp(handler, error, next);
        else this.#fail(handler, error, next);
      } else if (next !== undefined) {
        // The peer sees the end of what it is passed on to: a wrapped handler, or an answer.
        this.#turn = 'passed on';
        if (!this.#res.writableEnded) this.#awaitAnswer();
        next(error);
      }
    };
  }

  #awaitAnswer(status = SWITCHED): void {
    awaitAnswer(this.#res, status, (status) => {
      this.#answered(status);
    });
  }

  #answered(status: number): void {
    const isPassedOn = this.#turn === 'passed on';
    this.#answer = isPassedOn ? closeCodeBehind(status) : closeCodeFor(status);
    // A handler that has passed it on may still talk.
    if (this.#running === 0 || !isPassedOn) void this.websocket.close(this.#answer);
  }

  /** A handler that returns at once and has done nothing was hardly meant to close the websocket. */
  #handlerReturned(bytesWritten: number): void {
    const isIdle =
      this.#running === 1 &&
      this.#turn === 'handlers' &&
      this.#failure === undefined &&
      this.#res.socket === null &&
      !this.websocket.isClosed();
    this.#handlerEnded();
    if (!isIdle) return;
    // Only now, since compression sends later.
    void this.websocket.closed.then(() => {
      if (this.#req.socket.bytesWritten - bytesWritten > BARE_CLOSE_FRAME) return;
      warnOnce(
        this.#route,
        'WEBSOCKET_HANDLER_RETURNED',
        `${pathOf(this.#req)}: the handler returned at once, which closed the websocket, and it had sent nothing. ` +
          'A websocket is open as long as its handler runs: make the handler async, and await in it what it waits for, ' +
          'such as "await req.websocket.closed"',
      );
    });
  }

  #handlerFailed(handler: AnyHandler, reason: unknown, next: Next | undefined): void {
    this.#fail(handler, asError(reason), next);
    this.#handlerEnded();
  }

  #handlerEnded(): void {
    this.#running--;
    if (this.#running > 0) return;
    if (this.#turn !== 'passed on' || this.#answer !== undefined) void this.websocket.close(this.#answer);
    if (this.#failure !== undefined) return;
    void this.websocket.closed.then(() => {
      this.#end();
    });
  }

  #fail(handler: AnyHandler, error: unknown, next: Next | undefined): void {
    const { websocket } = this;
    if (this.#failure !== undefined) return;
    if (isQuietEnd(error, websocket)) {
      debug('%s: the handler ended since the websocket had closed: %s', this.#req.url, textOf(error));
      return;
    }
    this.#failure = { error };
    debug('%s: the handler failed: %s', this.#req.url, textOf(error));
    if (onError.hasSubscribers) onError.publish({ websocket, error });
    // Without a reason: what went wrong is not for the client.
    void websocket.close(CloseCode.internalError);
    void websocket.closed.then(() => {
      this.#letAppAnswer(handler, error, next);
    });
  }

  /** The error handlers answer as on any route; the response ends when they have, or after a time. */
  #letAppAnswer(handler: AnyHandler, error: unknown, next: Next | undefined): void {
    const res = this.#res;
    // Where pino-http looks for it; the status that it logs is 101.
    (res as { err?: unknown }).err ??= error;
    this.#awaitAnswer();
    if (!res.closed) {
      const timer = setTimeout(() => {
        this.#end();
      }, ERROR_HANDLER_TIMEOUT).unref();
      res.once('close', () => {
        clearTimeout(timer);
        closeRequest(this.#req);
      });
    }
    this.#tellApp(handler, error, next);
  }

  #tellApp(handler: AnyHandler, error: unknown, next: Next | undefined): void {
    if (next !== undefined) next(error);
    else failAlone(handler, error, this.#res);
  }

  /** Ends the response as the end of any response: loggers log, sessions are saved, 'finish' and 'close' come. */
  #end(): void {
    if (this.#turn === 'nobody') return;
    this.#turn = 'nobody';
    endResponse(this.#res);
    closeRequest(this.#req);
  }

  /** The same where a route may have ended the response with its websocket. */
  #endLeft(): void {
    if (this.#res.closed) closeRequest(this.#req);
    else this.#end();
  }
}

/**
 * Returns the exchange of a request that was accepted. It can be that of another installed copy of the package.
 *
 * @throws {WebsocketError} It is of a version that this one does not know.
 */
export function exchangeOf(req: IncomingMessage): Exchange | undefined {
  const websocket = upgradeOf(req)?.websocket;
  return websocket && (endListenerOf(websocket) as Exchange | undefined);
}

/** Those that send something; the others set headers, or do both. */
const BODY_METHODS: readonly string[] = ['write', 'end', 'destroy'];

const HEADER_METHODS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead'];

// Of Express: these set headers on a later turn, where nobody could catch the error.
const LATE_METHODS = ['render', 'sendFile', 'sendfile', 'download'];

const guard = new MethodGuard<ServerResponse>(
  [...BODY_METHODS, ...HEADER_METHODS, ...LATE_METHODS],
  (res, method, args) => {
    exchangeOf(res.req)?.responseUsed(method, args);
  },
);

const INSTEAD =
  'Send with req.websocket.send(), and close with req.websocket.close(code, reason). Answer plain HTTP where ' +
  'req.isWebsocket() is false. To refuse a websocket with a status, answer in a middleware before acceptWebsocket or ' +
  'requireWebsocket; set headers and cookies there, too';

/** Node's error, by its code, with a text that says what to do. */
function headersSent(method: string): Error {
  const error = new Error(
    `this request is a websocket, and its response, the 101, has been sent: res.${method}() comes too late. ${INSTEAD}`,
  );
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' });
}

function responseUseless(method: string): string {
  const effect = method === 'write' ? 'which sends nothing' : 'which closed the websocket';
  return `the handler called res.${method}() on a websocket, ${effect}. ${INSTEAD}`;
}

/** The peer has left, and that is all: an error that the close itself has caused. */
function isQuietEnd(error: unknown, websocket: Websocket): boolean {
  if (!websocket.isClosed()) return false;
  try {
    return (
      error instanceof WebsocketClosedError || (existingSignal(websocket) !== undefined && isAbort(error))
    );
  } catch {
    // An error with a getter that throws.
    return false;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch {
    // A getter that throws: the promise made of it rejects.
    return true;
  }
}
