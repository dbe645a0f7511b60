import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Acceptor } from './accept.js';
import { CloseCode } from './close-codes.js';
import { onError } from './diagnostics.js';
import { WebsocketClosedError } from './errors.js';
import { debug, warnOnce } from './notices.js';
import { setImmediate } from './real-timers.js';
import { answer, giveSink } from './response.js';
import type { Next } from './types.js';
import { closeExchange } from './upgrade.js';
import { existingSignal, type Websocket } from './websocket.js';

/** A handler, whatever its types. */
export type AnyHandler = (req: never, res: never, next: Next) => unknown;

/**
 * Answers a plain HTTP request. Never rejects: Express 4 and Connect do not look at the promise of a handler, and
 * a rejection that nobody looks at ends the process.
 */
export async function serveHttp(
  handler: AnyHandler,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): Promise<void> {
  try {
    await handler(req as never, res as never, next ?? endOfLine(handler, res));
  } catch (error) {
    if (next !== undefined) next(error);
    else failAlone(handler, error, res);
  }
}

/** Answers a WebSocket request: opens it, runs the handler, and sees the exchange to its end. Never rejects. */
export async function serveWebsocket(
  handler: AnyHandler,
  acceptor: Acceptor,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): Promise<void> {
  let running = true;
  let websocket: Websocket | undefined;
  try {
    websocket = acceptor.open(req, res, () => {
      // A handler that ends with its websocket ends the response in order, below. Loggers and clean-up written for
      // HTTP do not wait for one that goes on.
      setImmediate(() => {
        if (running) closeExchange(req, res);
      });
    });
  } catch (error) {
    if (next !== undefined) next(error);
    else failAlone(handler, error, res);
    return;
  }
  if (websocket === undefined) return;
  const failure = await run(handler, websocket, req, res, next);
  // Express's last error handler destroys the socket of a response whose headers are sent, so the close comes first.
  await websocket.closed;
  running = false;
  giveSink(res);
  if (failure !== undefined) {
    if (next !== undefined) next(failure.error);
    else failAlone(handler, failure.error, res);
  }
  if (!res.writableEnded) res.end();
  if (!req.destroyed) req.resume();
}

/** Runs a handler and closes its websocket; what it failed with, if it did. */
async function run(
  handler: AnyHandler,
  websocket: Websocket,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): Promise<{ error: unknown } | undefined> {
  let failure: { error: unknown } | undefined;
  let isPassedOn = false;
  const fail = (error: unknown): void => {
    if (failure !== undefined || isQuietEnd(error, websocket)) return;
    debug('%s: the handler failed: %s', req.url, error);
    failure = { error };
    if (onError.hasSubscribers) onError.publish({ websocket, error });
    // Without a reason: what went wrong is not for the client.
    void websocket.close(CloseCode.internalError);
  };
  const passOn: Next = (error) => {
    if (error !== undefined && error !== 'route' && error !== 'router') {
      fail(error);
    } else {
      isPassedOn = true;
      next?.(error);
    }
  };
  try {
    await handler(req as never, res as never, passOn);
  } catch (error) {
    fail(error);
  }
  // The peer sees the end of the handler, unless it has handed the websocket to the next one.
  if (!isPassedOn) void websocket.close();
  return failure;
}

/** The peer has left, and that is all: an error that the close itself has caused. */
function isQuietEnd(error: unknown, websocket: Websocket): boolean {
  if (!websocket.isClosed()) return false;
  if (error instanceof WebsocketClosedError) return true;
  const signal = existingSignal(websocket);
  if (signal === undefined || !(error instanceof Error) || error.name !== 'AbortError') return false;
  return error.cause === undefined || error.cause === signal.reason;
}

/** On a bare server there is no `next` to tell. */
function failAlone(handler: AnyHandler, error: unknown, res: ServerResponse): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  warnOnce(handler, 'WEBSOCKET_HANDLER_FAILED', `a handler failed, and there is no next() to tell: ${text}`);
  if (!res.headersSent) answer(res, 500, 'Internal Server Error');
  else if (!res.writableEnded) res.end();
}

/** The `next` of a bare server, where nothing comes after the handler. */
function endOfLine(handler: AnyHandler, res: ServerResponse): Next {
  return (error) => {
    if (error !== undefined) failAlone(handler, error, res);
    else if (!res.headersSent) answer(res, 404, 'Not Found');
  };
}
