/**
 * Holds every private name of Node's HTTP that the package uses. No other file in `src` may use such names.
 * test/internals/node.test.ts checks on each version of Node that they still exist.
 */
import type { EventEmitter } from 'node:events';
import { ServerResponse, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Settings } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { isBun, isSubstitute, setHeadersSent, writeToSocket } from './bun.js';

type Server = HttpServer | HttpsServer;

type PrivateResponse = ServerResponse & {
  /** The text of the headers. For Node, a non-null value means "headers sent". */
  _header: string | null;
  /** Whether that text has been written to the socket. */
  _headerSent: boolean;
  /** Whether the response may have a body. A response with the status 101 has none. */
  _hasBody: boolean;
  /** Whether the response has emitted 'close'. `res.closed` returns this field. */
  _closed: boolean;
  /** Whether this is the last response that `maxRequestsPerSocket` allows on the connection. */
  readonly maxRequestsOnConnectionReached?: boolean;
  readonly writeHeader: ServerResponse['writeHead'];
  /** Documented only for `ClientRequest`. Both classes inherit it from `OutgoingMessage`. */
  getRawHeaderNames(): string[];
};

const HEADER = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';

/**
 * Marks the headers of a response as sent, because the 101 was sent.
 *
 * `writeHead` stores the text of all headers on the response. This would take 400 bytes until the websocket ends. So all
 * responses share one short text. It is marked as written, so that `end()` emits 'finish' without a socket.
 */
export function markHeadersSent(res: ServerResponse): void {
  (res as PrivateResponse)._header = HEADER;
  (res as PrivateResponse)._headerSent = true;
  (res as PrivateResponse)._hasBody = false;
  setHeadersSent(res, true);
}

/**
 * Returns whether `writeHead` of a response may be the function of middleware or a tracer.
 *
 * Node's own function has a second, deprecated name. From Node 26 on that name has a wrapper, so this returns `true`.
 */
export function mayHaveHeaderHooks(res: ServerResponse): boolean {
  return res.writeHead !== (ServerResponse.prototype as unknown as PrivateResponse).writeHeader;
}

/** Returns whether {@link markHeadersSent} was called, and no other headers were written since. */
export function hasSharedHeader(res: ServerResponse): boolean {
  return (res as PrivateResponse)._header === HEADER;
}

/** Resets a response: its headers are not sent, and it may have a body. */
export function forgetHeaders(res: ServerResponse): void {
  (res as PrivateResponse)._header = null;
  (res as PrivateResponse)._hasBody = true;
  setHeadersSent(res, false);
}

/** Emits 'close' on a response that has no socket. Does nothing if 'close' was emitted before. */
export function closeResponse(res: ServerResponse): void {
  if (res.closed) return;
  res.destroyed = true;
  (res as PrivateResponse)._closed = true;
  res.emit('close');
}

/** Returns whether a response is assigned to a socket. */
export function hasSocket({ socket }: ServerResponse): boolean {
  return socket !== null && !isSubstitute(socket);
}

/** Returns the names of the headers, in the spelling in which they were set. */
export function rawHeaderNames(res: ServerResponse): string[] {
  return (res as PrivateResponse).getRawHeaderNames();
}

/** Returns whether Node closes the connection after this response because of `maxRequestsPerSocket`. */
export function isLastOnConnection(res: ServerResponse): boolean {
  return (res as PrivateResponse).maxRequestsOnConnectionReached === true;
}

type PrivateEmitter = EventEmitter & { _events: object; readonly _eventsCount: number };

// Instances of a class are no dictionaries. This one inherits nothing, so that an event may have any name.
const NoEvents = function () {
  // has no fields
} as unknown as new () => object;
NoEvents.prototype = Object.create(null) as object;

/**
 * Replaces the table of the listeners of an emitter that has none, and will hardly get any. V8 stores Node's empty table as a
 * dictionary, which would take 180 bytes. But it takes longer to remove a listener from this one.
 */
export function shrinkEmptyEvents(emitter: EventEmitter): void {
  if ((emitter as PrivateEmitter)._eventsCount === 0) (emitter as PrivateEmitter)._events = new NoEvents();
}

/** Returns the response that currently uses a socket. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/** Returns whether a response may wait for 'drain'. Bun does not tell it of a response without a native handle. */
export function mayNeedDrain(res: ServerResponse): boolean {
  return res.writableNeedDrain || isBun;
}

/** Returns the server that accepted a socket. */
export function serverOf(socket: object | undefined): object | undefined {
  return (socket as { server?: object } | undefined)?.server;
}

/** Returns the settings that a server of `node:http2` sends to its clients. */
export function http2SettingsOf(server: object): Settings {
  const fields = server as Record<symbol, { settings?: Settings } | undefined>;
  const key = Object.getOwnPropertySymbols(server).find((symbol) => fields[symbol]?.settings !== undefined);
  return (key === undefined ? undefined : fields[key]?.settings) ?? {};
}

/** Returns whether a server keeps a connection open after the client has ended its side. */
export function allowsHalfOpen(server: Server): boolean {
  return (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen === true;
}

// Node's types lack the options.
type ResponseClass = new (req: IncomingMessage, options: { highWaterMark: number }) => ServerResponse;

// Node uses one symbol for all servers.
let responseClassKey: symbol | undefined;

/** Creates a response of the class that was passed to `createServer`, as Node does. */
export function createResponse(server: Server, req: IncomingMessage, highWaterMark: number): ServerResponse {
  responseClassKey ??= Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'ServerResponse',
  );
  const classes = server as unknown as Record<symbol, ResponseClass | undefined>;
  const Custom = responseClassKey === undefined ? undefined : classes[responseClassKey];
  const res = new (Custom ?? ServerResponse)(req, { highWaterMark });
  writeToSocket(res);
  return res;
}
