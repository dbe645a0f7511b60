import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { CloseCode } from './close-codes.js';
import { onRefused } from './diagnostics.js';
import type { Refusal } from './handshake.js';
import { debug } from './notices.js';

/** Tells operators that a handshake gets a status of ours. */
export function tellRefusal(request: IncomingMessage, status: number, reason: string): void {
  debug('%s: refused with %d, %s', request.url, status, reason);
  if (onRefused.hasSubscribers) onRefused.publish({ request, status, reason });
}

/** Refuses with an ordinary HTTP response, after which the connection closes. */
export function refuse(req: IncomingMessage, res: ServerResponse, { status, text, headers }: Refusal): void {
  tellRefusal(req, status, text);
  res.setHeader('Connection', 'close');
  answer(res, status, text, headers);
}

/** Answers with a text that a person understands. */
export function answer(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  const body = `${text}\n`;
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

/** Somewhere for a response to write to when its connection has become a websocket. */
class Sink extends Writable {
  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }
}

type Socket = Parameters<ServerResponse['assignSocket']>[0];

/** Gives the response of a websocket a sink, so that it can be ended like any other and 'finish' and 'close' come. */
export function giveSink(res: ServerResponse): void {
  if (res.socket !== null) return;
  const sink = new Sink() as Writable & Socket;
  res.once('finish', () => {
    sink.destroy();
  });
  res.assignSocket(sink);
}

// Not in Node's types: the text of the headers, while or after they are sent.
type WithHeader = ServerResponse & { _header: string | null };

/**
 * `writeHead` leaves the text of all headers on the response, to be sent; it never is, and takes 400 bytes for as long
 * as the websocket lives. That there is one is what says that headers are sent, so all responses share a short one.
 */
export function shareHeaderText(res: ServerResponse): void {
  (res as WithHeader)._header = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
}

/**
 * Lets a response whose connection has been taken be answered by whoever the request is passed on to: a route, an error
 * handler, or the 404 of an app that has neither. Nothing of it goes over the wire; `answered` is called when it has ended,
 * with the close code that says the same.
 */
export function awaitAnswer(res: ServerResponse, answered: (code: number) => void): void {
  // Express's final handler does nothing where headers have been sent, and nobody would see that nothing more comes.
  forgetHeaders(res);
  // Over, or passed on before.
  if (res.closed || res.socket !== null) return;
  giveSink(res);
  const sent = res.statusCode;
  // A response that is destroyed has failed, too.
  let code: number = CloseCode.internalError;
  res.once('prefinish', () => {
    if (res.statusCode < 500) code = CloseCode.normal;
    // For loggers: this is what the client has got.
    res.statusCode = sent;
  });
  res.once('close', () => {
    // What still comes goes nowhere, as with any client that has left, and is no error.
    forgetHeaders(res);
    answered(code);
  });
}

function forgetHeaders(res: ServerResponse): void {
  (res as WithHeader)._header = null;
}

/**
 * Ends the response of a websocket: loggers log, sessions are saved.
 *
 * Where nobody listens to it and nobody has put an `end` of their own on it, there is nothing to see, and it goes without
 * a sink: a twentieth of what a short visit costs.
 */
export function endResponse(res: ServerResponse): void {
  if (LISTENED_TO.some((event) => res.listenerCount(event) > 0) || Object.hasOwn(res, 'end')) giveSink(res);
  if (!res.writableEnded) res.end();
}

const LISTENED_TO = ['finish', 'close', 'prefinish'] as const;
