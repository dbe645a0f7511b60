import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { publishFinish, publishStart } from '../handshake/http-channels.js';
import { tellRefusal } from '../handshake/answer.js';
import { closeExchange } from '../handshake/response.js';
import { learnRouterSymbols, reserveFields } from '../internals/express.js';
import { createResponse } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, nextTick, setTimeout } from '../shared/real-timers.js';
import { DetachedConnection } from './detached-connection.js';
import { stateOf, type Server, type Undecided } from './server-state.js';
import type { Websocket } from '../websocket/websocket.js';

// Versioned and shared: a route that was wrapped by another copy of the package finds what ours has attached.
const KEY = Symbol.for('dwebsocket.upgrade.1');

/**
 * Where an upgrade request is: `pending` until its answer begins, a route accepts it, or the client leaves. `gone` also
 * stands for a client that leaves while it is accepted.
 */
export type UpgradeState = 'pending' | 'answered' | 'accepted' | 'gone';

/** What an upgrade needs only while it is pending. */
interface Waiting {
  readonly connection: DetachedConnection;
  readonly head: Buffer;
  readonly timer: NodeJS.Timeout;
  readonly onAnswered: () => void;
  readonly onClientGone: () => void;
  /** Those who wait in `settled()`. */
  readonly settle: (() => void)[];
}

/**
 * One upgrade request on its way through the app, with a real response: either a route takes its socket, or the app
 * answers as it would answer any request, and the connection ends.
 */
export class Upgrade implements Undecided {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly server: Server;
  /** The websocket of a request that a route has accepted. */
  websocket: Websocket | undefined;
  #state: UpgradeState = 'pending';
  #waiting: Waiting | undefined;

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
    this.res = createResponse(server, req, socket.writableHighWaterMark);
    this.res.shouldKeepAlive = false;
    Object.defineProperty(req, KEY, { value: this });
    prepareRequest(req, this.res);
    stateOf(server).pending.add(this);
    this.#waiting = {
      connection,
      head,
      timer: setTimeout(() => {
        this.#onTimeout(connection);
      }, timeout).unref(),
      onAnswered: () => {
        this.#onAnswered(connection);
      },
      onClientGone: () => {
        this.#onClientGone();
      },
      settle: [],
    };
    socket.on('close', this.#waiting.onClientGone);
    this.res.on('finish', this.#waiting.onAnswered);
    this.res.assignSocket(socket);
  }

  /** Sends the request through the app. */
  enter(): void {
    publishStart(this.server, this.req, this.res);
    this.server.emit('request', this.req, this.res);
  }

  /** An answer that has begun, and a socket that is destroyed, count before their events come. */
  get state(): UpgradeState {
    if (this.#waiting === undefined) return this.#state;
    if (this.res.headersSent || this.res.writableEnded) return 'answered';
    return this.#waiting.connection.socket.destroyed ? 'gone' : 'pending';
  }

  settled(): Promise<void> {
    if (this.state !== 'pending') return Promise.resolve();
    return new Promise((resolve) => this.#waiting?.settle.push(resolve));
  }

  /** Takes the socket away from the response, which keeps its headers. The state must be `pending`. */
  accept(): { socket: Socket; head: Buffer } {
    const { connection, head } = this.#become('accepted');
    learnRouterSymbols(this.req);
    this.res.detachSocket(connection.socket);
    // ws has its own listeners from now on.
    return { socket: connection.release(), head };
  }

  /** Ends an upgrade that was accepted, and whose client has left before it got its websocket. */
  lose(): void {
    this.#state = 'gone';
    closeExchange(this.req, this.res);
  }

  abandon(text: string): void {
    if (this.state === 'pending') {
      this.refuse(refusal(503, text));
      this.#leave();
    } else if (this.#waiting !== undefined) {
      // The answer that has begun may go on.
      for (const resolve of this.#waiting.settle) resolve();
    }
  }

  /** Refuses past the response, which no longer has a connection. Does nothing when an answer or a websocket is there. */
  refuse(verdict: Refusal): void {
    if (this.#waiting === undefined) return;
    tellRefusal(this.req, verdict.status, verdict.text);
    const { connection } = this.#become('answered');
    this.res.detachSocket(connection.socket);
    connection.answer(verdict);
  }

  #onAnswered(connection: DetachedConnection): void {
    debug('%s: answered by the app with %d', this.req.url, this.res.statusCode);
    publishFinish(this.res);
    this.#become('answered');
    this.res.detachSocket(connection.socket);
    connection.end();
    this.#leave();
  }

  #onClientGone(): void {
    debug('%s: the client left before it was answered', this.req.url);
    this.#become('gone');
    this.#leave();
  }

  #onTimeout(connection: DetachedConnection): void {
    // The answer that has begun may go on. No route can want what the client sends any more.
    if (this.state !== 'pending') connection.discardInput();
    else {
      this.abandon(
        'no route has answered this upgrade request in time; does a middleware forget to call next()?',
      );
    }
  }

  /** Leaves `pending`; returns what was needed until then. */
  #become(state: UpgradeState): Waiting {
    const waiting = this.#waiting as Waiting;
    this.#waiting = undefined;
    this.#state = state;
    clearTimeout(waiting.timer);
    stateOf(this.server).pending.delete(this);
    waiting.connection.socket.removeListener('close', waiting.onClientGone);
    this.res.removeListener('finish', waiting.onAnswered);
    for (const resolve of waiting.settle) resolve();
    return waiting;
  }

  /** The exchange is over: 'close' comes on both, as with any request. */
  #leave(): void {
    nextTick(() => {
      closeExchange(this.req, this.res);
    });
  }
}

/** The upgrade that a request is; `undefined` where no attached server has brought it. */
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
