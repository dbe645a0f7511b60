/**
 * What we need of Node's HTTP that has no public name. Nothing else in `src` may use such a name;
 * test/internals/node.test.ts looks on each version of Node whether they are still there.
 */
import { ServerResponse, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';

type Server = HttpServer | HttpsServer;

type PrivateResponse = ServerResponse & {
  /** The text of the headers. Node reads any text here as "headers sent". */
  _header: string | null;
  /** Whether that text has been written to the socket. */
  _headerSent: boolean;
  /** Whether a body may be written; `writeHead(101)` sets it to `false`. */
  _hasBody: boolean;
  /** Whether 'close' has been emitted: `res.closed`. */
  _closed: boolean;
  /** Whether this is the last response that `maxRequestsPerSocket` lets through. */
  readonly maxRequestsOnConnectionReached?: boolean;
  /** Documented for `ClientRequest` only; both inherit it from `OutgoingMessage`. */
  getRawHeaderNames(): string[];
};

const HEADER = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';

/**
 * Marks the headers of a response as sent, by the 101.
 *
 * `writeHead` leaves the text of all headers on the response, where it takes 400 bytes until the websocket ends. So all
 * responses share a short text. It is marked as written, so that `end()` emits 'finish' without a socket.
 */
export function markHeadersSent(res: ServerResponse): void {
  (res as PrivateResponse)._header = HEADER;
  (res as PrivateResponse)._headerSent = true;
}

/** Returns whether {@link markHeadersSent} was called, and nothing was written since. */
export function hasSharedHeader(res: ServerResponse): boolean {
  return (res as PrivateResponse)._header === HEADER;
}

/** Resets a response to one whose headers have not been sent, and that may have a body. */
export function forgetHeaders(res: ServerResponse): void {
  (res as PrivateResponse)._header = null;
  (res as PrivateResponse)._hasBody = true;
}

/** Emits 'close' on a response that has no socket. Does nothing when it was emitted before. */
export function closeResponse(res: ServerResponse): void {
  if (res.closed) return;
  res.destroyed = true;
  (res as PrivateResponse)._closed = true;
  res.emit('close');
}

/** Returns the names of the headers that are set, spelled as they were set. */
export function rawHeaderNames(res: ServerResponse): string[] {
  return (res as PrivateResponse).getRawHeaderNames();
}

/** Returns whether Node closes the connection after this response, because of `maxRequestsPerSocket`. */
export function isLastOnConnection(res: ServerResponse): boolean {
  return (res as PrivateResponse).maxRequestsOnConnectionReached === true;
}

/** Returns the response that a socket belongs to. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/** Returns the server that accepted a socket. */
export function serverOf(socket: object | undefined): object | undefined {
  return (socket as { server?: object } | undefined)?.server;
}

/** Returns whether a server leaves a connection open whose client has ended its side. */
export function allowsHalfOpen(server: Server): boolean {
  return (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen === true;
}

// Node's types leave the options out.
type ResponseClass = new (req: IncomingMessage, options: { highWaterMark: number }) => ServerResponse;

// One symbol of Node for all servers.
let responseClassKey: symbol | undefined;

/** Creates a response as Node does: of the class that was given to `createServer`. */
export function createResponse(server: Server, req: IncomingMessage, highWaterMark: number): ServerResponse {
  responseClassKey ??= Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'ServerResponse',
  );
  const classes = server as unknown as Record<symbol, ResponseClass | undefined>;
  const Own = responseClassKey === undefined ? undefined : classes[responseClassKey];
  return new (Own ?? ServerResponse)(req, { highWaterMark });
}
