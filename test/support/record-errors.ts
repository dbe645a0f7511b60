import type { ErrorRequestHandler } from 'express';
import type { Inbox } from './inbox.js';

/** Returns an error handler for an app of Express that keeps what reaches it, and answers with 500. */
export function recordErrors(errors: Inbox<unknown>): ErrorRequestHandler {
  // Express counts the parameters.
  return (error, _req, res, _next) => {
    errors.push(error);
    res.sendStatus(500);
  };
}
