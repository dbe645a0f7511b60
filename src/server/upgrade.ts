import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { publishFinish, publishStart } from '../handshake/http-channels.js';
import { tellRefusal } from '../handshake/response.js';
import { learnRouterSymbols, reserveFields } from '../internals/express.js';
import { closeResponse, createResponse } from '../internals/node.js';
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
    this.res = createResponse(server, req, socket.writableHighWaterMark);
    this.res.shouldKeepAlive = false;
    Object.defineProperty(req, KEY, { value: this, writable: true });
    prepareRequest(req, this.res);
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
    learnRouterSymbols(this.req);
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

/** The upgrade that a request is, or `undefined` where no attached server has brought it, or a route has taken it. */
export function upgradeOf(req: IncomingMessage): Upgrade | undefined {
  return (req as { [KEY]?: Upgrade })[KEY];
}

/** Reserves what the wrappers and Express put on a request. */
function prepareRequest(req: IncomingMessage, res: ServerResponse): void {
  const marked = req as { isWebsocket?: unknown; websocket?: unknown };
  marked.isWebsocket = undefined;
  marked.websocket = undefined;
  reserveFields(req, res);
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
