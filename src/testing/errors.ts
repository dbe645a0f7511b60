import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';
import { defineKind, WebsocketError } from '../shared/errors.js';

/** A test has waited for something that did not come; the message says for what, and what came. */
export class WebsocketExpectationError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_EXPECTATION';
  /** What was waited for: `a message within 1000 ms`. */
  readonly expected: string;
  /** What came: `the websocket closed with 1011, for the handler failed: TypeError: …`. */
  readonly came: string;

  /** @param cause What the handler failed with, where that is known. */
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
defineKind(WebsocketExpectationError, 'ERR_WEBSOCKET_EXPECTATION');

const MOST_OF_A_BODY = 300;

/** A handshake was answered like an ordinary request, and not with a websocket. */
export class WebsocketHandshakeError extends WebsocketError {
  declare readonly code: 'ERR_WEBSOCKET_HANDSHAKE';
  /** The status of the answer. */
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
defineKind(WebsocketHandshakeError, 'ERR_WEBSOCKET_HANDSHAKE');

/** What became of a handshake that has failed, for those who wait at its client. */
export function describeRefusal(error: Error): string {
  if (error instanceof WebsocketHandshakeError)
    return `the handshake was ${describeAnswer(error.status, error.headers, error.body)}`;
  return `the handshake failed: ${error instanceof WebsocketExpectationError ? error.came : error.message}`;
}

function describeAnswer(status: number, headers: IncomingHttpHeaders, body: string): string {
  const text = plainTextOf(body, headers['content-type']);
  const shown = text.length > MOST_OF_A_BODY ? `${text.slice(0, MOST_OF_A_BODY)}…` : text;
  const name = STATUS_CODES[status] ?? '';
  return `answered with ${String(status)} ${name}${shown === '' ? '' : `: ${shown}`}`;
}

/** Of the page of an error handler a person wants the sentence in it. */
function plainTextOf(body: string, type = ''): string {
  const text = type.startsWith('text/html')
    ? body.replace(/<(title|style|script)[^]*?<\/\1>|<[^>]*>/g, ' ')
    : body;
  return text.replace(/\s+/g, ' ').trim();
}

/** The place in a test where a wait began. */
export interface Site {
  stack?: string;
}

/** Remembers who has called the function that calls this one: a timer's own stack would show the test nothing. */
export function captureSite(): Site {
  const site: Site = {};
  Error.captureStackTrace(site, captureSite);
  return site;
}

/** Lets an error show where the wait began. */
export function at<E extends Error>(site: Site, error: E): E {
  const frames = (site.stack ?? '').split('\n').slice(2);
  error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
