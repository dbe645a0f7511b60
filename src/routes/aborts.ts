import { WebsocketClosedError } from '../shared/errors.js';

// What libraries call an abort: AbortError (Node, fetch, got), CanceledError (axios), APIUserAbortError (openai),
// RequestAbortedError (undici), CancelError, TaskCancelledException.
const NAME = /^\w*(?:Abort(?:ed)?|Cancel(?:l?ed|lation)?)(?:Error|Exception)$/;

// ABORT_ERR (Node), ERR_CANCELED (axios), ERR_ABORTED (got), UND_ERR_ABORTED (undici), ABORTED (superagent), and the
// query_canceled of PostgreSQL. Not ECONNABORTED, which is a time-out.
const CODE = /^(?:(?:[A-Z_]+_)?(?:ABORT_ERR|ABORTED|CANCELL?ED)|57014)$/;

// An aborted response of node:http; gRPC; Connect.
const MESSAGE = /^(?:aborted$|1 CANCELLED\b|\[cancell?ed\])/;

// A cause may lead back to its error.
const MAX_DEPTH = 8;

/**
 * Whether an error says that something was aborted, whatever a library has made of the abort: a name or code of its own, or
 * an error around it.
 */
export function isAbort(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return false;
  if (error instanceof WebsocketClosedError) return true;
  const { name, code, message, cause, errors } = error as Record<string, unknown>;
  // By names and not by instanceof: in a test runner's sandbox the errors of Node are of another Error. Some libraries
  // name only the class.
  const className = (error.constructor as { name?: unknown } | undefined)?.name;
  if (matches(NAME, name) || matches(NAME, className) || matches(CODE, code) || matches(MESSAGE, message)) {
    return true;
  }
  // Of an AggregateError: one that is no abort is a failure.
  if (Array.isArray(errors) && errors.length > 0) return errors.every((each) => isAbort(each, depth + 1));
  return isAbort(cause, depth + 1);
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value);
}
