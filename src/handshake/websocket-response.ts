import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { closeResponse, forgetHeaders, hasSocket } from '../internals/node.js';
import { nextTick } from '../shared/real-timers.js';
import { publishFinish } from './http-channels.js';

/** The status of an accepted handshake (RFC 6455, 4.2.2). */
export const SWITCHING_PROTOCOLS = 101;

/**
 * Discards what an app writes to the response of a websocket. It takes the place of the response's socket, so it has the
 * methods that a response calls on a socket.
 */
class Sink extends Writable {
  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    // `res.destroy(error)` passes the error on to the socket. Node's server handles errors of a socket. Nobody handles
    // errors of a sink, so it drops them.
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
 * Lets the app write to the response of a websocket as if nothing had been sent: in a route, in an error handler, or in its
 * 404 handler. They see `headersSent` as `false`. Nothing is sent to the client.
 *
 * @param status The status that the client received. The response has it when it finishes, for loggers.
 * @param onAnswered Called when the response has closed, with the status that the app chose; with 500 if the app destroyed
 *   the response.
 */
export function reopenResponse(
  res: ServerResponse,
  status: number,
  onAnswered: (status: number) => void,
): void {
  // If headers were sent, Express's final handler would destroy the connection or do nothing.
  forgetHeaders(res);
  discardOutput(res, status, onAnswered);
}

/**
 * Discards what the app writes to the response, and leaves its headers sent. The parameters are those of
 * {@link reopenResponse}. Does nothing when the response has closed, or its output is discarded already.
 */
export function discardOutput(
  res: ServerResponse,
  status: number,
  onAnswered: (status: number) => void,
): void {
  if (res.closed || hasSocket(res)) return;
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
    // Destroying the sink emits 'close' on the response, unless the response has emitted it before, because the client left.
    if (res.closed) res.detachSocket(sink);
    else sink.destroy();
  });
  res.once('close', () => {
    forgetHeaders(res);
    onAnswered(answer);
  });
}

/**
 * Ends the response of a websocket, and emits 'finish' and 'close', so that loggers log and sessions are saved. Later
 * writes of the app are discarded, and do not throw.
 *
 * @throws The error of a middleware's `end`. Then 'close' comes nevertheless, and 'finish' only if the response has ended.
 */
export function endResponse(res: ServerResponse): void {
  const isDiscarded = hasSocket(res);
  if (!isDiscarded) res.statusCode = SWITCHING_PROTOCOLS;
  try {
    if (!res.writableEnded) res.end();
  } catch (error) {
    if (!res.writableEnded) closeUnfinished(res);
    else if (!isDiscarded) nextTick(closeFinished, res);
    throw error;
  }
  // The sink closes the response when it has finished.
  if (isDiscarded) return;
  // Without a socket Node emits 'finish' on the next tick.
  if (res.writableEnded) nextTick(closeFinished, res);
  // A middleware may delay the end: express-session saves first.
  else res.once('finish', closeOnNextTick);
}

function closeOnNextTick(this: ServerResponse): void {
  nextTick(closeFinished, this);
}

function closeFinished(res: ServerResponse): void {
  publishFinish(res);
  closeUnfinished(res);
}

function closeUnfinished(res: ServerResponse): void {
  closeResponse(res);
  forgetHeaders(res);
}

/** Closes a request and its response, as Node does when their connection has closed. Safe to call again. */
export function closeRequestAndResponse(req: IncomingMessage, res: ServerResponse): void {
  closeResponse(res);
  closeRequest(req);
}

/** Makes a request emit 'close'. */
export function closeRequest(req: IncomingMessage): void {
  // A request that is read to its end closes by itself. Destroying it would mark it as aborted.
  if (!req.destroyed) req.resume();
}
