import { ServerResponse, STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refusal, type Refusal } from './handshake.js';
import { publishFinish, publishStart } from './http-channels.js';
import { debug } from './notices.js';
import { clearTimeout, nextTick, setTimeout } from './real-timers.js';
import { closeResponse, tellRefusal } from './response.js';
import { stateOf, type Server, type Undecided } from './server-state.js';

/** How long a client that has its answer may keep the socket before it is destroyed. */
const LINGER = 1_000;

// Versioned and shared: a route that was wrapped by another copy of the package finds what ours has attached.
const KEY = Symbol.for('dwebsocket.upgrade.1');

/** What a response writes to: of a net.Socket no more than this is used. */
type Socket = Parameters<ServerResponse['assignSocket']>[0];

/**
 * One upgrade request on its way through the app, with a real response: either a route takes its socket, or the app
 * answers as it would answer any request, and the connection ends.
 */
export class Upgrade implements Undecided {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly server: Server;
  readonly socket: Socket;
  readonly #head: Buffer;
  #timer: NodeJS.Timeout | undefined;
  #decided = false;
  #onDecided: (() => void) | undefined;

  constructor(server: Server, req: IncomingMessage, socket: Duplex, head: Buffer, timeout: number) {
    this.server = server;
    this.req = req;
    this.socket = socket as Socket;
    this.#head = head;
    this.res = createResponse(server, req, this.socket);
    this.res.shouldKeepAlive = false;
    Object.defineProperty(req, KEY, { value: this, writable: true });
    prepareShapes(req, this.res);
    stateOf(server).pending.add(this);
    // From the first tick on: a peer may reset the connection while middleware still decides.
    socket.on('error', ignore);
    socket.on('drain', this.#relayDrain);
    socket.on('close', this.#onClientGone);
    this.res.on('finish', this.#onAnswered);
    this.res.assignSocket(this.socket);
    this.#timer = setTimeout(() => {
      this.#onTimeout();
    }, timeout).unref();
  }

  /** Sends the request through the app. */
  enter(): void {
    publishStart(this.server, this.req, this.res);
    this.server.emit('request', this.req, this.res);
  }

  /** Whether a route has taken the socket, the app has answered, or the client has left. */
  get decided(): boolean {
    return this.#decided || this.res.headersSent || this.res.writableEnded || this.socket.destroyed;
  }

  /** Resolves when it is decided. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const previous = this.#onDecided;
      this.#onDecided = () => {
        previous?.();
        resolve();
      };
    });
  }

  /** Takes the socket away from the response, which keeps its headers. The request no longer knows of its upgrade. */
  take(): { socket: Socket; head: Buffer } {
    this.#decide();
    learnSymbols(this.req);
    this.res.detachSocket(this.socket);
    (this.req as { [KEY]?: Upgrade | undefined })[KEY] = undefined;
    // ws has its own from now on.
    this.socket.removeListener('error', ignore);
    return { socket: this.socket, head: this.#head };
  }

  /** Ends a request that nobody has answered; the app sees a client that has left. */
  abandon(text: string): void {
    if (this.decided) return;
    this.refuse(refusal(503, text));
    this.#leave();
  }

  /** Refuses past the response, which no longer has a connection. */
  refuse({ status, text, headers }: Refusal): void {
    tellRefusal(this.req, status, text);
    this.#decide();
    this.res.detachSocket(this.socket);
    answerRaw(this.socket, status, text, headers);
  }

  readonly #relayDrain = (): void => {
    // Node relays it only to the responses that it has made itself.
    if (this.res.writableNeedDrain) this.res.emit('drain');
  };

  readonly #onAnswered = (): void => {
    if (this.#decided) return;
    debug('%s: answered by the app with %d', this.req.url, this.res.statusCode);
    publishFinish(this.res);
    this.#decide();
    this.res.detachSocket(this.socket);
    endSocket(this.socket);
    this.#leave();
  };

  readonly #onClientGone = (): void => {
    if (this.#decided) return;
    debug('%s: the client left before it was answered', this.req.url);
    this.#decide();
    this.#leave();
  };

  #onTimeout(): void {
    this.abandon(
      'no route has answered this upgrade request in time; does a middleware forget to call next()?',
    );
  }

  #decide(): void {
    this.#decided = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    stateOf(this.server).pending.delete(this);
    this.socket.removeListener('drain', this.#relayDrain);
    this.socket.removeListener('close', this.#onClientGone);
    this.res.removeListener('finish', this.#onAnswered);
    this.#onDecided?.();
  }

  /** The exchange is over: 'close' comes on both, as with any request. */
  #leave(): void {
    nextTick(() => {
      closeExchange(this.req, this.res);
    });
  }
}

// Under which a server holds the class that was given to `createServer`: one symbol of Node for all servers.
let responseClassKey: symbol | undefined;

/** As Node makes one: of the server's own class. */
function createResponse(server: Server, req: IncomingMessage, socket: Socket): ServerResponse {
  responseClassKey ??= Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'ServerResponse',
  );
  // Node's types leave the options out.
  type ResponseClass = new (req: IncomingMessage, options: object) => ServerResponse;
  const own =
    responseClassKey && (server as unknown as Record<symbol, ResponseClass | undefined>)[responseClassKey];
  return new (own ?? ServerResponse)(req, { highWaterMark: socket.writableHighWaterMark });
}

/** The upgrade that a request is, or `undefined` where no attached server has brought it, or a route has taken it. */
export function upgradeOf(req: IncomingMessage): Upgrade | undefined {
  return (req as { [KEY]?: Upgrade })[KEY];
}

/**
 * Names what Express and our wrappers are going to put on a request and its response, before Express changes their
 * prototypes: V8 makes each property that is added after that a hidden class for this one object. Named before, all
 * requests share theirs, which saves 2 KB of 9.6 for as long as a websocket lives.
 *
 * To Express, Connect and their middleware a property that is `undefined` is one that is not there.
 */
function prepareShapes(req: Routed, res: ServerResponse & { locals?: unknown }): void {
  req.isWebsocket = undefined;
  req.websocket = undefined;
  req.res = undefined;
  req.next = undefined;
  req.baseUrl = undefined;
  req.originalUrl = undefined;
  req._parsedUrl = undefined;
  req.route = undefined;
  req.params = undefined;
  for (const symbol of routingSymbols) (req as unknown as Record<symbol, unknown>)[symbol] = undefined;
  res.locals = undefined;
  res.statusCode = 200;
  (res as { statusMessage: string | undefined }).statusMessage = undefined;
}

/** A request with what Express and our wrappers put on it. */
interface Routed extends IncomingMessage {
  isWebsocket?: unknown;
  websocket?: unknown;
  res?: unknown;
  next?: unknown;
  baseUrl?: unknown;
  originalUrl?: unknown;
  _parsedUrl?: unknown;
  route?: unknown;
  params?: unknown;
}

// Express 5's router keeps the matched route under a symbol that is its own: learned from the first request that came
// through it.
let routingSymbols: readonly symbol[] = [];

function learnSymbols(req: IncomingMessage): void {
  if (routingSymbols.length > 0) return;
  routingSymbols = Object.getOwnPropertySymbols(req).filter((symbol) =>
    symbol.description?.startsWith('router.'),
  );
}

/** What Node does with a request and its response when their connection is gone; harmless when done before. */
export function closeExchange(req: IncomingMessage, res: ServerResponse): void {
  closeResponse(res);
  closeRequest(req);
}

/** Brings 'close' on a request. */
export function closeRequest(req: IncomingMessage): void {
  // Read to its end, a request closes by itself and is not taken for one that was broken off.
  if (!req.destroyed) req.resume();
}

/** Answers on a socket that has no response. */
export function answerRaw(
  socket: Duplex,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  socket.on('error', ignore);
  const body = `${text}\n`;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}` +
      'Connection: close\r\n' +
      'Content-Type: text/plain; charset=utf-8\r\n' +
      `Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
  );
  endSocket(socket);
}

/** Ends the connection without cutting off an answer that is still on its way, and without waiting for ever. */
function endSocket(socket: Duplex): void {
  // What the client sends meanwhile is read and dropped: closed with unread data, TCP would reset the connection and
  // the answer could be lost.
  socket.resume();
  socket.end();
  const timer = setTimeout(() => {
    socket.destroy();
  }, LINGER).unref();
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

function ignore(): void {
  // A connection that breaks is told by 'close'.
}
