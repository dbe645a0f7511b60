import type { IncomingMessage, ServerResponse } from 'node:http';
import { answer } from '../handshake/answer.js';
import { endResponse } from '../handshake/websocket-response.js';
import { describe } from '../shared/errors.js';
import { pathOf, warnOnce } from '../shared/notices.js';
import type { Next } from './types.js';

/** Stands for a handler of any type. */
export type AnyHandler = (req: never, res: never, next: Next) => unknown;

/**
 * Runs a handler on a plain HTTP request. Never rejects: Express 4 and Connect ignore the promise of a handler, and an
 * unhandled rejection ends the process.
 */
export async function serveHttp(
  handler: AnyHandler,
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
): Promise<void> {
  try {
    await handler(req as never, res as never, next ?? finalHandler(handler, res));
  } catch (reason) {
    forwardFailure(handler, asError(reason), res, next);
  }
}

/** Returns the `next` that a router passes, or `undefined`: a bare server passes nothing, and find-my-way passes params. */
export function asNext(next: unknown): Next | undefined {
  return typeof next === 'function' ? (next as Next) : undefined;
}

/** Returns whether an argument of `next` is an error. With any other value, Express and Connect run the next handler. */
export function isError(error: unknown): boolean {
  return Boolean(error) && error !== 'route' && error !== 'router';
}

/** Turns the reason of a failure into an error. Otherwise `Promise.reject()` would not reach the error handlers. */
export function asError(reason: unknown): unknown {
  return isError(reason) ? reason : new Error(`the handler failed with ${describe(reason)}; throw an Error`);
}

/**
 * Passes a failure to `next`. Without a `next`, as on a bare server, warns once for each `about`, and answers with 500.
 *
 * Does not throw if `next` does: promises and listeners call this function, and there the error would end the process. It
 * also answers with 500 then, unless there is an answer.
 */
export function forwardFailure(
  about: object,
  error: unknown,
  res: ServerResponse,
  next: Next | undefined,
): void {
  if (next === undefined) {
    answerFailure(about, error, res);
    return;
  }
  try {
    next(error);
  } catch (thrown) {
    warnOfMiddleware(about, thrown, res.req);
    answerInternalError(res);
  }
}

/**
 * Warns of a failure, once for each `about`, and answers with 500. It is for a bare server, which has no `next` for the error.
 */
export function answerFailure(about: object, error: unknown, res: ServerResponse): void {
  warnOfFailure(about, error);
  answerInternalError(res);
}

function answerInternalError(res: ServerResponse): void {
  try {
    if (!res.headersSent) answer(res, 500, 'Internal Server Error');
    else if (!res.writableEnded) res.end();
  } catch {
    // A hook of a middleware may throw again. Without this catch, its error would end the process.
    res.destroy();
  }
}

/** Warns of a failure, once for each `about`. */
export function warnOfFailure(about: object, error: unknown): void {
  const text = textOf(error, true);
  warnOnce(
    about,
    'WEBSOCKET_HANDLER_FAILED',
    `a handler failed, and there is no next() for its error; catch it in the handler: ${text}`,
  );
}

/**
 * Ends the response of a websocket. If the `end` of a middleware throws, warns once for each `about`: timers, promises and
 * listeners call this function, and there the error would end the process.
 */
export function endWebsocketResponse(about: object, res: ServerResponse): void {
  try {
    endResponse(res);
  } catch (error) {
    warnOfMiddleware(about, error, res.req);
  }
}

function warnOfMiddleware(about: object, error: unknown, req: IncomingMessage): void {
  warnOnce(
    about,
    'WEBSOCKET_RESPONSE_FAILED',
    `${pathOf(req)}: a middleware has failed in res.end() or next(), where no caller could catch its error. ` +
      `Correct the cause: ${textOf(error, true)}`,
  );
}

/** Returns the text of an error. Does not throw, even if a getter of the error does. */
export function textOf(error: unknown, withStack = false): string {
  try {
    if (!(error instanceof Error)) return describe(error);
    return withStack && typeof error.stack === 'string' ? error.stack : String(error);
  } catch {
    return 'an error without a readable message';
  }
}

/** Returns a `next` for a bare server, where no other handler follows: it answers with 404, or with 500 for an error. */
function finalHandler(handler: AnyHandler, res: ServerResponse): Next {
  return (error) => {
    if (isError(error)) answerFailure(handler, error, res);
    else if (!res.headersSent) answer(res, 404, 'Not Found');
  };
}
