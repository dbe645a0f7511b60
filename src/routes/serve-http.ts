import type { IncomingMessage, ServerResponse } from 'node:http';
import { answer } from '../handshake/answer.js';
import { describe } from '../shared/errors.js';
import { warnOnce } from '../shared/notices.js';
import type { Next } from './types.js';

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
    await handler(req as never, res as never, next ?? finalHandler(handler, res));
  } catch (reason) {
    const error = asError(reason);
    if (next !== undefined) next(error);
    else failAlone(handler, error, res);
  }
}

/** The `next` of a router; `undefined` on a bare server, and where something else is given (find-my-way: the params). */
export function asNext(next: unknown): Next | undefined {
  return typeof next === 'function' ? (next as Next) : undefined;
}

/** Whether what `next` is called with is an error: Express and Connect go on with the next handler for all else. */
export function isError(error: unknown): boolean {
  return Boolean(error) && error !== 'route' && error !== 'router';
}

/** What a handler has failed with, as an error that reaches the error handlers: `Promise.reject()` would not. */
export function asError(reason: unknown): unknown {
  return isError(reason) ? reason : new Error(`the handler failed with ${describe(reason)}`);
}

/** On a bare server there is no `next` to call with an error. */
export function failAlone(handler: AnyHandler, error: unknown, res: ServerResponse): void {
  warnOfFailure(handler, error);
  try {
    if (!res.headersSent) answer(res, 500, 'Internal Server Error');
    else if (!res.writableEnded) res.end();
  } catch {
    // A hook of a middleware fails each time. Thrown here, it would end the process.
    res.destroy();
  }
}

/** One warning for each `about`. */
export function warnOfFailure(about: object, error: unknown): void {
  const text = textOf(error, true);
  warnOnce(about, 'WEBSOCKET_HANDLER_FAILED', `a handler failed, and there is no next() to tell: ${text}`);
}

/** The text of an error, also of one whose getters throw. */
export function textOf(error: unknown, withStack = false): string {
  try {
    if (!(error instanceof Error)) return describe(error);
    return withStack && typeof error.stack === 'string' ? error.stack : String(error);
  } catch {
    return 'an error without a text';
  }
}

/** The `next` of a bare server, where nothing comes after the handler. */
function finalHandler(handler: AnyHandler, res: ServerResponse): Next {
  return (error) => {
    if (isError(error)) failAlone(handler, error, res);
    else if (!res.headersSent) answer(res, 404, 'Not Found');
  };
}
