import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
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
