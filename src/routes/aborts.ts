import { WebsocketClosedError } from '../shared/errors.js';

// The names of abort errors: AbortError (Node, fetch, got), CanceledError (axios), APIUserAbortError (openai),
// RequestAbortedError (undici), CancelError, TaskCancelledException.
const NAME = /^\w*(?:Abort(?:ed)?|Cancel(?:l?ed|lation)?)(?:Error|Exception)$/;

// The codes of abort errors: ABORT_ERR (Node), ERR_CANCELED (axios), ERR_ABORTED (got), UND_ERR_ABORTED (undici), ABORTED
// (superagent), and 57014, PostgreSQL's query_canceled. ECONNABORTED is a timeout, and not an abort.
const CODE = /^(?:(?:[A-Z_]+_)?(?:ABORT_ERR|ABORTED|CANCELL?ED)|57014)$/;

// The messages of abort errors: an aborted response of node:http, openai, gRPC, and Connect. openai's error has only the
// name of its class, which a minifier changes.
const MESSAGE = /^(?:aborted$|Request was aborted\.$|1 CANCELLED\b|\[cancell?ed\])/;

// A chain of causes may be a cycle.
const MAX_DEPTH = 8;

/**
 * Returns whether an error reports an abort. Libraries use their own names and codes for it, or wrap the error in another
 * one.
 */
export function isAbort(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return false;
  if (error instanceof WebsocketClosedError) return true;
  const { name, code, message, cause, errors } = error as Record<string, unknown>;
  // Compares names, because instanceof fails for Node's errors in the sandbox of a test runner. Some libraries set only the
  // name of the class.
  const className = (error.constructor as { name?: unknown } | undefined)?.name;
  if (matches(NAME, name) || matches(NAME, className) || matches(CODE, code) || matches(MESSAGE, message)) {
    return true;
  }
  // An AggregateError is an abort only if all of its errors are.
  if (Array.isArray(errors) && errors.length > 0) return errors.every((each) => isAbort(each, depth + 1));
  return isAbort(cause, depth + 1);
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value);
}
