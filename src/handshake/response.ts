import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { closeResponse, forgetHeaders, isLastOnConnection } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { nextTick } from '../shared/real-timers.js';
import { onRefused } from '../websocket/diagnostics.js';
import type { Refusal } from './handshake.js';
import { publishFinish } from './http-channels.js';

/** The status of an accepted handshake (RFC 6455, 4.2.2). */
export const SWITCHED = 101;

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

/**
 * The header `Connection` for an answer that names an upgrade. Node leaves out what it would say there itself: whether the
 * connection stays.
 */
export function connectionWithUpgrade(res: ServerResponse): string {
  const isLast =
    !res.shouldKeepAlive ||
    isLastOnConnection(res) ||
    // An earlier middleware has said so.
    /(?:^|,)\s*close\s*(?:,|$)/i.test(String(res.getHeader('Connection')));
  if (isLast) return 'Upgrade, close';
  // HTTP/1.0 closes unless the answer says otherwise.
  return res.req.httpVersionMinor === 0 ? 'Upgrade, keep-alive' : 'Upgrade';
}

/**
 * Takes what is written to the response of a websocket, and drops it. It stands where a response has its socket, so it
 * has the methods that a response calls there.
 */
class Sink extends Writable {
  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    // `res.destroy(error)` gives the error to the socket; of a socket Node's server catches it.
    done();
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}

type Socket = Parameters<ServerResponse['assignSocket']>[0];

/**
 * Lets the app answer a response whose connection has been taken: a route, an error handler, or the 404 of an app that
 * has neither. `headersSent` is `false` for them; nothing goes over the wire.
 *
 * @param status What the client got; loggers see it in the end.
 * @param answered Called with the status of the answer when the response has closed; 500 when it was destroyed.
 */
export function awaitAnswer(res: ServerResponse, status: number, answered: (status: number) => void): void {
  // Express's final handler would destroy the connection, or do nothing, where headers have been sent.
  forgetHeaders(res);
  takeAnswer(res, status, answered);
}

/** The same for a response whose headers stay sent. Does nothing when it has closed, or is taken already. */
export function takeAnswer(res: ServerResponse, status: number, answered: (status: number) => void): void {
  if (res.closed || res.socket !== null) return;
  const sink = new Sink() as unknown as Socket;
  res.assignSocket(sink);
  let answer = 500;
  res.once('prefinish', () => {
    answer = res.statusCode;
    res.statusCode = status;
    res.statusMessage = STATUS_CODES[status] ?? '';
  });
  res.once('finish', () => {
    publishFinish(res);
    // Emits 'close' on the response, which a client that has left has done before.
    if (res.closed) res.detachSocket(sink);
    else sink.destroy();
  });
  res.once('close', () => {
    forgetHeaders(res);
    answered(answer);
  });
}

/**
 * Ends the response of a websocket: loggers log, sessions are saved, 'finish' and 'close' come. What the app still writes to
 * it goes nowhere, and nothing throws.
 */
export function endResponse(res: ServerResponse): void {
  if (res.socket !== null) {
    // Its sink closes it.
    if (!res.writableEnded) res.end();
    return;
  }
  res.statusCode = SWITCHED;
  if (!res.writableEnded) res.end();
  // Without a socket Node emits 'finish' on the next tick.
  if (res.writableEnded) nextTick(closeForGood, res);
  // A middleware ends it later: express-session saves first.
  else res.once('finish', closeOnNextTick);
}

function closeOnNextTick(this: ServerResponse): void {
  nextTick(closeForGood, this);
}

function closeForGood(res: ServerResponse): void {
  publishFinish(res);
  closeResponse(res);
  forgetHeaders(res);
}
