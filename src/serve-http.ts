import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe } from './errors.js';
import { warnOnce } from './notices.js';
import { answer } from './response.js';
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
    await handler(req as never, res as never, next ?? endOfLine(handler, res));
  } catch (reason) {
    const error = asError(reason);
    if (next !== undefined) next(error);
    else failAlone(handler, error, res);
  }
}

/** Whether what `next` is called with is an error: Express and Connect go on with the next handler for all else. */
export function isError(error: unknown): boolean {
  return Boolean(error) && error !== 'route' && error !== 'router';
}

/** What a handler has failed with, as an error that reaches the error handlers: `Promise.reject()` would not. */
export function asError(reason: unknown): unknown {
  return isError(reason) ? reason : new Error(`the handler failed with ${describe(reason)}`);
}

/** On a bare server there is no `next` to tell. */
export function failAlone(handler: AnyHandler, error: unknown, res: ServerResponse): void {
  warnOfFailure(handler, error);
  if (!res.headersSent) answer(res, 500, 'Internal Server Error');
  else if (!res.writableEnded) res.end();
}

/** One warning for each `about`. */
export function warnOfFailure(about: object, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : describe(error);
  warnOnce(about, 'WEBSOCKET_HANDLER_FAILED', `a handler failed, and there is no next() to tell: ${text}`);
}

/** The `next` of a bare server, where nothing comes after the handler. */
function endOfLine(handler: AnyHandler, res: ServerResponse): Next {
  return (error) => {
    if (isError(error)) failAlone(handler, error, res);
    else if (!res.headersSent) answer(res, 404, 'Not Found');
  };
}
