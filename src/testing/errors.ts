import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import { defineKind, WebsocketError } from '../shared/errors.js';

/** Says what a test waited for, and what happened instead. */
export class WebsocketExpectationError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_EXPECTATION';
  /** What the test expected: `a message within 1000 ms`. */
  readonly expected: string;
  /** What happened instead: `the websocket closed with 1011, because the handler failed: TypeError: …`. */
  readonly came: string;

  /** @param cause The error of the handler, if known. */
  constructor(expected: string, came: string, cause?: unknown) {
    super(
      'ERR_WEBSOCKET_EXPECTATION',
      `expected ${expected}; ${came}`,
      cause === undefined ? undefined : { cause },
    );
    this.expected = expected;
    this.came = came;
  }
}
defineKind(WebsocketExpectationError, 'WebsocketExpectationError', 'ERR_WEBSOCKET_EXPECTATION');

const MAX_SHOWN_BODY = 300;

/** Says that the server answered a handshake with an ordinary response. */
export class WebsocketHandshakeError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_HANDSHAKE';
  /** The status of the response. */
  readonly status: number;
  /** Its headers, with names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Its body. */
  readonly body: string;

  constructor(path: string, status: number, headers: IncomingHttpHeaders, body: string) {
    super(
      'ERR_WEBSOCKET_HANDSHAKE',
      `expected ${path} to become a websocket; it was ${describeAnswer(status, headers, body)}`,
    );
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}
defineKind(WebsocketHandshakeError, 'WebsocketHandshakeError', 'ERR_WEBSOCKET_HANDSHAKE');

/** Describes why a handshake has failed. */
export function describeRefusal(error: Error): string {
  if (error instanceof WebsocketHandshakeError)
    return `the handshake was ${describeAnswer(error.status, error.headers, error.body)}`;
  return `the handshake failed: ${error instanceof WebsocketExpectationError ? error.came : error.message}`;
}

function describeAnswer(status: number, headers: IncomingHttpHeaders, body: string): string {
  const text = plainTextOf(body, headers['content-type']);
  const shown = text.length > MAX_SHOWN_BODY ? `${text.slice(0, MAX_SHOWN_BODY)}…` : text;
  const name = STATUS_CODES[status] ?? '';
  return `answered with ${String(status)} ${name}${shown === '' ? '' : `: ${shown}`}`;
}

/** Returns a body as one line of text. Removes the tags of an HTML page, so that the error message remains. */
function plainTextOf(body: string, type = ''): string {
  const text = type.startsWith('text/html')
    ? body.replace(/<(title|style|script)[^]*?<\/\1>|<[^>]*>/g, ' ')
    : body;
  return text.replace(/\s+/g, ' ').trim();
}

/** Holds the stack of the place in a test where a wait began. */
export interface CallSite {
  stack?: string;
}

/** Captures the caller of the function that calls this one. The stack of a timer would not show the test. */
export function captureCallSite(): CallSite {
  const callSite: CallSite = {};
  Error.captureStackTrace(callSite, captureCallSite);
  return callSite;
}

/** Gives an error the stack of the place where the wait began. */
export function withCallSite<E extends Error>(callSite: CallSite, error: E): E {
  const frames = (callSite.stack ?? '').split('\n').slice(2);
  error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
