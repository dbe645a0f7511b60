import type { IncomingMessage, ServerResponse } from 'node:http';
import type { refuse } from '../handshake/answer.js';
import {
  closeRequest,
  closeRequestAndResponse,
  discardOutput,
  reopenResponse,
  SWITCHING_PROTOCOLS,
} from '../handshake/websocket-response.js';
import { hasSharedHeader, hasSocket, markHeadersSent } from '../internals/node.js';
import { upgradeOf } from '../server/upgrade.js';
import { CloseCode, closeCodeBehind, closeCodeFor } from '../shared/close-codes.js';
import { WebsocketClosedError } from '../shared/errors.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { clearTimeout, setImmediate, setTimeout } from '../shared/real-timers.js';
import { isThenable } from '../shared/thenable.js';
import { onError } from '../websocket/diagnostics.js';
import {
  closeCodeOf,
  endListenerOf,
  existingSignal,
  isHandedOver,
  routeOf,
  type EndListener,
} from '../websocket/operations.js';
import type { Websocket } from '../websocket/websocket.js';
import { isAbort } from './aborts.js';
import type { Acceptor } from './accept.js';
import { MethodGuard } from './method-guard.js';
import {
  asError,
  endWebsocketResponse,
  forwardFailure,
  isError,
  textOf,
  type AnyHandler,
} from './serve-http.js';
import type { Next } from './types.js';

/** Milliseconds in which error handlers must answer. Then the response ends without their answer. */
const ERROR_HANDLER_TIMEOUT = 5_000;

/** The size of a close frame without a reason, in bytes (RFC 6455, 5.2 and 5.5.1). */
const BARE_CLOSE_FRAME = 4;

/**
 * Lists the phases of an exchange. While `handling`, only wrapped handlers use the websocket. Once a handler has called
 * `next()`, the exchange is `passed on`, and any later route may answer. When the response ends, it is `ended`.
 */
type Phase = 'handling' | 'passed on' | 'ended';

/**
 * Controls a WebSocket request and its response, from the handshake to 'close'. It runs the handlers, closes the websocket
 * when the last handler has ended, and ends the response when the websocket has ended.
 *
 * The state is in the fields of one object, and no closure or promise lasts as long as the connection. As an async
 * function, an exchange took 1.1 KB more heap.
 */
export class Exchange implements EndListener {
  readonly #res: ServerResponse;
  #websocket: Websocket | undefined;
  // The number of running handlers. It exceeds 1 when a wrapped handler calls another one.
  #running = 0;
  #phase: Phase = 'handling';
  /** The close code that follows from the app's answer. */
  #closeCode: number | undefined;
  #failure: { readonly error: unknown } | undefined;
  // The latest handler and its `next`. A library can fail after the handler has returned.
  #handler: AnyHandler | undefined;
  #next: Next | undefined;

  constructor(res: ServerResponse, websocket?: Websocket) {
    this.#res = res;
    this.#websocket = websocket;
  }

  /**
   * Completes the handshake of a request. Returns `undefined` if the request is refused, was answered before, or its client
   * has disconnected.
   *
   * @throws The error of a function among the options.
   */
  static open(
    acceptor: Acceptor,
    req: IncomingMessage,
    res: ServerResponse,
    refuseWith?: typeof refuse,
  ): Exchange | undefined {
    const exchange = new Exchange(res);
    exchange.#websocket = acceptor.open(req, res, exchange, refuseWith);
    return exchange.#websocket === undefined ? undefined : exchange;
  }

  get websocket(): Websocket {
    return this.#websocket as Websocket;
  }

  get #req(): IncomingMessage {
    return this.#res.req;
  }

  /** Lets any later route use the websocket and answer, wrapped or not. `next` gets the errors of a library. */
  passOn(next: Next | undefined): void {
    this.#next = next;
    this.#phase = 'passed on';
    this.#reopenResponse(this.#res.statusCode);
  }

  /** Runs a handler on the websocket of this exchange. */
  run(handler: AnyHandler, next: Next | undefined): void {
    this.#running++;
    this.#handler = handler;
    this.#next = next;
    // An earlier next() led to this handler.
    if (this.#phase === 'passed on') this.#phase = 'handling';
    if (!this.#res.headersSent) markHeadersSent(this.#res);
    guard.install(this.#res);
    const { bytesWritten } = this.#req.socket;
    let result: unknown;
    try {
      result = handler(this.#req as never, this.#res as never, this.#createNext(handler, next));
    } catch (error) {
      this.#handlerFailed(handler, error, next);
      return;
    }
    if (!isThenable(result)) {
      this.#handlerReturned(bytesWritten);
      return;
    }
    // Does not call `result.then` directly, because a thenable may throw or call back twice.
    Promise.resolve(result).then(
      () => {
        this.#handlerEnded();
      },
      (error: unknown) => {
        this.#handlerFailed(handler, error, next);
      },
    );
  }

  /** Called when the connection has ended. */
  websocketEnded(): void {
    // If all handlers have ended, #handlerEnded ends the response.
    if (this.#running === 0 && this.#phase === 'handling') return;
    // Waits for one turn, because a handler that ends together with the websocket must end the response itself. If a handler
    // runs longer, 'close' comes now, so that loggers and clean-up code for HTTP need not wait for that handler.
    setImmediate(() => {
      if (this.#running > 0) closeRequestAndResponse(this.#req, this.#res);
      // After a failure, the error handlers end the response.
      else if (this.#phase === 'passed on' && this.#failure === undefined) this.#endPassedOn();
    });
  }

  /** Called when a listener of a library that has the websocket throws or rejects. */
  websocketFailed(error: unknown): void {
    this.#fail(this.#handler ?? routeOf(this.websocket), asError(error), this.#next);
  }

  /**
   * Called before a guarded method of the response runs.
   *
   * @throws A running handler sets headers, although the headers have been sent.
   */
  responseUsed(method: string, args: readonly unknown[]): void {
    // `render` with a callback sends nothing.
    if (method === 'render' && typeof args.at(-1) === 'function') return;
    if (this.#running > 0 && this.#phase === 'handling' && this.#failure === undefined)
      this.#usedByHandler(method);
    // The handler has ended, but an operation that it began still runs. That operation may answer late, as on any route.
    else if (this.#phase !== 'ended' && hasSharedHeader(this.#res)) this.#reopenResponse();
  }

  #usedByHandler(method: string): void {
    if (!BODY_METHODS.includes(method)) {
      if (this.#res.headersSent) throw headersSentError(method);
      return;
    }
    if (!this.websocket.isClosed()) {
      warnOnce(routeOf(this.websocket), 'WEBSOCKET_RESPONSE', `${pathOf(this.#req)}: ${describeUse(method)}`);
    }
    discardOutput(this.#res, SWITCHING_PROTOCOLS, (status) => {
      this.#answered(status);
    });
  }

  /** Creates the `next` of a handler. */
  #createNext(handler: AnyHandler, next: Next | undefined): Next {
    let hasFailed = false;
    return (error) => {
      if (isError(error)) {
        if (hasFailed) return;
        hasFailed = true;
        // A handler that this handler called with its own `next` has failed.
        if (error === this.#failure?.error) forwardFailure(handler, error, this.#res, next);
        else this.#fail(handler, error, next);
      } else if (next !== undefined) {
        // The next handler decides how the websocket ends: a wrapped handler by its end, any other by its answer.
        this.#phase = 'passed on';
        if (!this.#res.writableEnded) this.#reopenResponse();
        next(error);
      }
    };
  }

  #reopenResponse(status = SWITCHING_PROTOCOLS): void {
    reopenResponse(this.#res, status, (status) => {
      this.#answered(status);
    });
  }

  #answered(status: number): void {
    const isPassedOn = this.#phase === 'passed on';
    this.#closeCode = isPassedOn ? closeCodeBehind(status) : closeCodeFor(status);
    // A handler that has passed on the websocket may still use it.
    if (this.#running === 0 || !isPassedOn) void this.websocket.close(this.#closeCode);
  }

  /** Warns if a synchronous handler has sent nothing: probably the websocket should have stayed open. */
  #handlerReturned(bytesWritten: number): void {
    const isIdle =
      this.#running === 1 &&
      this.#phase === 'handling' &&
      this.#failure === undefined &&
      !hasSocket(this.#res) &&
      !this.websocket.isClosed() &&
      !isHandedOver(this.websocket);
    this.#handlerEnded();
    if (!isIdle) return;
    // Checks the bytes only after the close, because compressed messages are sent later.
    void this.websocket.closed.then(() => {
      if (this.#req.socket.bytesWritten - bytesWritten > BARE_CLOSE_FRAME) return;
      warnOnce(
        routeOf(this.websocket),
        'WEBSOCKET_HANDLER_RETURNED',
        `${pathOf(this.#req)}: the handler returned at once without sending, which closed the websocket. ` +
          'A websocket stays open while its handler runs: make the handler async, and let it wait, ' +
          'for example by "await req.websocket.closed" or "for await (const message of req.websocket)"',
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
    // A websocket that was handed over stays open. The same goes for one that was passed on, until somebody answers.
    const staysOpen = this.#phase === 'passed on' || isHandedOver(this.websocket);
    if (!staysOpen || this.#closeCode !== undefined) void this.websocket.close(this.#closeCode);
    void this.websocket.closed.then(() => {
      // After a failure, the error handlers end the response.
      if (this.#failure === undefined) this.#end();
    });
  }

  #fail(handler: object, error: unknown, next: Next | undefined): void {
    const { websocket } = this;
    if (this.#failure !== undefined) return;
    if (isCausedByClose(error, websocket)) {
      debug('%s: the handler ended because the websocket had closed: %s', this.#req.url, textOf(error));
      return;
    }
    this.#failure = { error };
    debug('%s: the handler failed: %s', this.#req.url, textOf(error));
    if (onError.hasSubscribers) onError.publish({ websocket, error });
    // Without a reason, because the client must not see details of the error.
    void websocket.close(CloseCode.internalError);
    void websocket.closed.then(() => {
      this.#callErrorHandlers(handler, error, next);
    });
  }

  /** Lets the error handlers answer as on any route. The response ends when they have answered, or after a timeout. */
  #callErrorHandlers(handler: object, error: unknown, next: Next | undefined): void {
    const res = this.#res;
    // pino-http logs the error that it finds here. Without it, the log would show only the status 101.
    (res as { err?: unknown }).err ??= error;
    this.#reopenResponse();
    if (!res.closed) {
      const timer = setTimeout(() => {
        timer.refresh();
        // The `end` of a middleware may do nothing after it has thrown. Then nothing else would close the response.
        if (this.#phase === 'ended') closeRequestAndResponse(this.#req, res);
        else this.#end();
      }, ERROR_HANDLER_TIMEOUT).unref();
      res.once('close', () => {
        clearTimeout(timer);
        closeRequest(this.#req);
      });
    }
    forwardFailure(handler, error, res, next);
  }

  /** Ends the response like any other: 'finish' and 'close' come, loggers log, and sessions are saved. */
  #end(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    endWebsocketResponse(routeOf(this.websocket), this.#res);
    closeRequest(this.#req);
  }

  /** Ends the response of an exchange that was passed on. A route may have ended it before. */
  #endPassedOn(): void {
    if (this.#res.closed) closeRequest(this.#req);
    else this.#end();
  }
}

/**
 * Returns the exchange of a request that was accepted. Another installed copy of the package may have created it.
 *
 * @throws {WebsocketError} An incompatible version of the package created it.
 */
export function exchangeOf(req: IncomingMessage): Exchange | undefined {
  const websocket = upgradeOf(req)?.websocket;
  return websocket && (endListenerOf(websocket) as Exchange | undefined);
}

/** The methods that set no headers. All other guarded methods do. */
const BODY_METHODS: readonly string[] = ['write', 'end', 'destroy'];

const HEADER_METHODS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead'];

// Methods of Express that set headers in a later turn of the event loop, where no caller could catch the error.
const LATE_METHODS = ['render', 'sendFile', 'sendfile', 'download'];

const guard = new MethodGuard<ServerResponse>(
  [...BODY_METHODS, ...HEADER_METHODS, ...LATE_METHODS],
  (res, method, args) => {
    exchangeOf(res.req)?.responseUsed(method, args);
  },
);

const ADVICE =
  'Send with req.websocket.send(), and close with req.websocket.close(code, reason). Use the response only if ' +
  'req.isWebsocket() returns false. To refuse a websocket with a status, answer in a middleware before acceptWebsocket or ' +
  'requireWebsocket; set headers and cookies there, too';

/** Creates an error with the code of Node's own error, and with a text that says what to do. */
function headersSentError(method: string): Error {
  const error = new Error(
    `this request is a websocket, and its response (101) has been sent, so res.${method}() comes too late. ${ADVICE}`,
  );
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' });
}

function describeUse(method: string): string {
  const effect = method === 'write' ? 'which sends nothing' : 'which closed the websocket';
  return `the handler called res.${method}() on a websocket, ${effect}. ${ADVICE}`;
}

/** Returns whether an error says only that a stream has closed. A pipeline rejects with it when one of its ends leaves. */
function isEndOfStream(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' ||
    code === 'ERR_STREAM_WRITE_AFTER_END' ||
    code === 'ERR_STREAM_DESTROYED'
  );
}

/** Returns whether the close of the websocket caused an error. If so, the handler has not failed. */
function isCausedByClose(error: unknown, websocket: Websocket): boolean {
  if (!websocket.isClosed()) return false;
  try {
    return (
      error instanceof WebsocketClosedError ||
      (existingSignal(websocket) !== undefined && isAbort(error)) ||
      (isHandedOver(websocket) && closeCodeOf(websocket) !== CloseCode.internalError && isEndOfStream(error))
    );
  } catch {
    // The error has a getter that throws.
    return false;
  }
}
