import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { publishFinish, publishStart } from '../handshake/http-channels.js';
import { closeResponse, tellRefusal } from '../handshake/response.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, nextTick, setTimeout } from '../shared/real-timers.js';
import { DetachedConnection } from './detached-connection.js';
import { stateOf, type Server, type Undecided } from './server-state.js';

// Versioned and shared: a route that was wrapped by another copy of the package finds what ours has attached.
const KEY = Symbol.for('dwebsocket.upgrade.1');

/**
 * Where an upgrade request is: `pending` until a route accepts it, the app answers it, or the client leaves.
 */
type State = 'pending' | 'accepted' | 'answered' | 'gone';

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
  readonly #connection: DetachedConnection;
  #state: State = 'pending';
  #timer: NodeJS.Timeout | undefined;
  #resolveSettled: (() => void) | undefined;

  constructor(
    server: Server,
    req: IncomingMessage,
    connection: DetachedConnection,
    head: Buffer,
    timeout: number,
  ) {
    const { socket } = connection;
    this.server = server;
    this.req = req;
    this.socket = socket;
    this.#connection = connection;
    this.#head = head;
    this.res = createResponse(server, req, socket);
    this.res.shouldKeepAlive = false;
    Object.defineProperty(req, KEY, { value: this, writable: true });
    prepareShapes(req, this.res);
    stateOf(server).pending.add(this);
    socket.on('close', this.#onClientGone);
    this.res.on('finish', this.#onAnswered);
    this.res.assignSocket(socket);
    this.#timer = setTimeout(() => {
      this.#onTimeout();
    }, timeout).unref();
  }

  /** Sends the request through the app. */
  enter(): void {
    publishStart(this.server, this.req, this.res);
    this.server.emit('request', this.req, this.res);
  }

  /** Whether a route has taken the socket, an answer has begun, or the client has left. */
  get decided(): boolean {
    return (
      this.#state !== 'pending' || this.res.headersSent || this.res.writableEnded || this.socket.destroyed
    );
  }

  settled(): Promise<void> {
    if (this.decided) return Promise.resolve();
    return new Promise((resolve) => {
      const previous = this.#resolveSettled;
      this.#resolveSettled = () => {
        previous?.();
        resolve();
      };
    });
  }

  /** Takes the socket away from the response, which keeps its headers. The request no longer knows of its upgrade. */
  take(): { socket: Socket; head: Buffer } {
    this.#become('accepted');
    learnSymbols(this.req);
    (this.req as { [KEY]?: Upgrade | undefined })[KEY] = undefined;
    this.res.detachSocket(this.socket);
    // ws has its own listeners from now on.
    return { socket: this.#connection.release(), head: this.#head };
  }

  abandon(text: string): void {
    if (this.decided) {
      this.#resolveSettled?.();
      return;
    }
    this.refuse(refusal(503, text));
    this.#leave();
  }

  /** Refuses past the response, which no longer has a connection. */
  refuse(verdict: Refusal): void {
    tellRefusal(this.req, verdict.status, verdict.text);
    this.res.detachSocket(this.socket);
    this.#become('answered');
    this.#connection.answer(verdict);
  }

  readonly #onAnswered = (): void => {
    debug('%s: answered by the app with %d', this.req.url, this.res.statusCode);
    publishFinish(this.res);
    this.#become('answered');
    this.res.detachSocket(this.socket);
    this.#connection.end();
    this.#leave();
  };

  readonly #onClientGone = (): void => {
    debug('%s: the client left before it was answered', this.req.url);
    this.#become('gone');
    this.#leave();
  };

  #onTimeout(): void {
    // The answer that has begun may go on. No route can want what the client sends any more.
    if (this.decided) this.#connection.discardInput();
    else {
      this.abandon(
        'no route has answered this upgrade request in time; does a middleware forget to call next()?',
      );
    }
  }

  #become(state: State): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    stateOf(this.server).pending.delete(this);
    this.socket.removeListener('close', this.#onClientGone);
    this.res.removeListener('finish', this.#onAnswered);
    this.#resolveSettled?.();
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
