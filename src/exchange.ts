import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloseCode } from './close-codes.js';
import { onError } from './diagnostics.js';
import { describe, WebsocketClosedError } from './errors.js';
import { debug } from './notices.js';
import { setImmediate } from './real-timers.js';
import { awaitAnswer, endResponse, giveSink, shareHeaderText } from './response.js';
import { asError, failAlone, isError, type AnyHandler } from './serve-http.js';
import type { Next } from './types.js';
import { closeExchange, closeRequest } from './upgrade.js';
import { existingSignal, type EndListener, type Websocket } from './websocket.js';

/**
 * A WebSocket request with its response, from the first handler to 'close': runs the handlers, closes the websocket when
 * the last of them has ended, and ends the response when the websocket has.
 *
 * One object with the state of it, and no closure or promise that lasts as long as the connection: as an async
 * function it took 1.1 KB more of heap for each.
 */
export class Exchange implements EndListener {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  #websocket!: Websocket;
  // More than one where a wrapped handler calls another.
  #running = 0;
  #isPassedOn = false;
  /** The close code for what was answered where it was passed on to. */
  #answer: number | undefined;
  #isFailed = false;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.#req = req;
    this.#res = res;
  }

  /** Runs a handler on the websocket of this exchange. */
  run(handler: AnyHandler, websocket: Websocket, next: Next | undefined): void {
    this.#websocket = websocket;
    this.#running++;
    // Whoever has passed it on has passed it to this one.
    this.#isPassedOn = false;
    if (!this.#res.headersSent) shareHeaderText(this.#res);
    // A closure for those who ask for `next` only.
    const given = handler.length > 0 && handler.length < 3 ? next : this.#passOn(handler, next);
    let result: unknown;
    try {
      result = handler(this.#req as never, this.#res as never, given as Next);
    } catch (error) {
      this.#handlerFailed(handler, error, next);
      return;
    }
    if (!isThenable(result)) {
      this.#handlerEnded();
      return;
    }
    result.then(
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
    if (this.#running === 0) return;
    // A handler that ends with its websocket ends the response in order. Loggers and clean-up written for HTTP do not
    // wait for one that goes on.
    setImmediate(() => {
      if (this.#running > 0) closeExchange(this.#req, this.#res);
    });
  }

  #passOn(handler: AnyHandler, next: Next | undefined): Next {
    return (error) => {
      if (isError(error)) {
        this.#fail(handler, error, next);
      } else if (next !== undefined) {
        // The peer sees the end of what it is passed on to: a wrapped handler, or an answer.
        this.#isPassedOn = true;
        if (!this.#res.writableEnded) {
          awaitAnswer(this.#res, (code) => {
            this.#answered(code);
          });
        }
        next(error);
      }
    };
  }

  #answered(code: number): void {
    this.#answer = code;
    if (this.#running === 0) void this.#websocket.close(code);
  }

  #handlerFailed(handler: AnyHandler, reason: unknown, next: Next | undefined): void {
    this.#fail(handler, asError(reason), next);
    this.#handlerEnded();
  }

  #handlerEnded(): void {
    this.#running--;
    if (this.#running > 0) return;
    if (!this.#isPassedOn || this.#answer !== undefined) void this.#websocket.close(this.#answer);
    if (this.#isFailed) return;
    void this.#websocket.closed.then(() => {
      this.#end();
    });
  }

  #fail(handler: AnyHandler, error: unknown, next: Next | undefined): void {
    const websocket = this.#websocket;
    if (this.#isFailed || isQuietEnd(error, websocket)) return;
    this.#isFailed = true;
    debug(
      '%s: the handler failed: %s',
      this.#req.url,
      error instanceof Error ? String(error) : describe(error),
    );
    if (onError.hasSubscribers) onError.publish({ websocket, error });
    // Without a reason: what went wrong is not for the client.
    void websocket.close(CloseCode.internalError);
    // Express's last error handler destroys the socket of a response whose headers are sent, so the close comes first.
    void websocket.closed.then(() => {
      giveSink(this.#res);
      if (next !== undefined) next(error);
      else failAlone(handler, error, this.#res);
      this.#end();
    });
  }

  /** Ends the response as the end of any response: loggers log, sessions are saved, 'finish' and 'close' come. */
  #end(): void {
    endResponse(this.#res);
    closeRequest(this.#req);
  }
}

/** The peer has left, and that is all: an error that the close itself has caused. */
function isQuietEnd(error: unknown, websocket: Websocket): boolean {
  if (!websocket.isClosed()) return false;
  if (error instanceof WebsocketClosedError) return true;
  const signal = existingSignal(websocket);
  if (signal === undefined || typeof error !== 'object' || error === null) return false;
  // By its name and not by instanceof: in a test runner's sandbox the errors of Node are of another Error.
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  return name === 'AbortError' && (cause === undefined || cause === signal.reason);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
