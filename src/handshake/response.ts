import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { closeResponse, forgetHeaders } from '../internals/node.js';
import { nextTick } from '../shared/real-timers.js';
import { publishFinish } from './http-channels.js';

/** The status of an accepted handshake (RFC 6455, 4.2.2). */
export const SWITCHED = 101;

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

/** Does what Node does with a request and its response when their connection is gone; harmless when done before. */
export function closeExchange(req: IncomingMessage, res: ServerResponse): void {
  closeResponse(res);
  closeRequest(req);
}

/** Brings 'close' on a request. */
export function closeRequest(req: IncomingMessage): void {
  // Read to its end, a request closes by itself and is not taken for one that was broken off.
  if (!req.destroyed) req.resume();
}
