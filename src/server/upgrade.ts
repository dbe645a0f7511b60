import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { reportRefusal } from '../handshake/answer.js';
import { refusal, type Refusal } from '../handshake/handshake.js';
import { publishFinish, publishStart } from '../handshake/http-channels.js';
import { closeRequestAndResponse } from '../handshake/websocket-response.js';
import { forgetParsedUrl, learnRouterSymbols, reserveFields } from '../internals/express.js';
import { createResponse } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, nextTick, setTimeout } from '../shared/real-timers.js';
import type { Websocket } from '../websocket/websocket.js';
import { DetachedConnection } from './detached-connection.js';
import { stateOf, type PendingUpgrade, type Server } from './server-state.js';

// The key has a version, and all copies of the package share it. So a route of one copy finds the upgrade that another copy
// has stored on the request.
const KEY = Symbol.for('dwebsocket.upgrade.1');

/**
 * Lists the states of an upgrade request. It is `pending` until its response begins, a route accepts it, or the client
 * disconnects. It is `gone` if the client disconnects, also while a route is accepting the request.
 */
export type UpgradeState = 'pending' | 'answered' | 'accepted' | 'gone';

/** Holds the fields that an upgrade needs only while it is pending. */
interface Pending {
  readonly connection: DetachedConnection;
  readonly head: Buffer;
  // Set if the app has neither accepted nor refused the request in its first turn.
  timer: NodeJS.Timeout | undefined;
  onClientGone: (() => void) | undefined;
  /** The `resolve` functions of the promises of `settled()`. */
  readonly resolvers: (() => void)[];
}

/**
 * Represents one upgrade request, with a real response. Either a route accepts it and takes its socket, or the app answers
 * as it answers any request. After such an answer the connection ends.
 */
export class Upgrade implements PendingUpgrade {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly server: Server;
  /** The websocket of a request that a route has accepted. */
  websocket: Websocket | undefined;
  #state: UpgradeState = 'pending';
  #pending: Pending | undefined;

  constructor(server: Server, req: IncomingMessage, connection: DetachedConnection, head: Buffer) {
    const { socket } = connection;
    this.server = server;
    this.req = req;
    this.res = createResponse(server, req, socket.writableHighWaterMark);
    this.res.shouldKeepAlive = false;
    Object.defineProperty(req, KEY, { value: this });
    prepareRequest(req, this.res);
    stateOf(server).pending.add(this);
    this.#pending = { connection, head, timer: undefined, onClientGone: undefined, resolvers: [] };
    this.res.on('finish', onFinish);
    this.res.assignSocket(socket);
  }

  /**
   * Emits 'request' on the server, so that the app handles the request. The app has `timeout` milliseconds to accept the
   * request or to begin a response.
   */
  emitRequest(timeout: number): void {
    publishStart(this.server, this.req, this.res);
    try {
      this.server.emit('request', this.req, this.res);
    } finally {
      if (this.#pending !== undefined) this.#await(this.#pending, timeout);
    }
  }

  #await(pending: Pending, timeout: number): void {
    const { connection } = pending;
    pending.timer = setTimeout(() => {
      this.#onTimeout(connection);
    }, timeout).unref();
    pending.onClientGone = () => {
      this.#onClientGone();
    };
    connection.socket.on('close', pending.onClientGone);
  }

  /** Returns the state. It changes as soon as a response begins or the socket is destroyed, before their events come. */
  get state(): UpgradeState {
    if (this.#pending === undefined) return this.#state;
    if (this.res.headersSent || this.res.writableEnded) return 'answered';
    return this.#pending.connection.socket.destroyed ? 'gone' : 'pending';
  }

  settled(): Promise<void> {
    if (this.state !== 'pending') return Promise.resolve();
    return new Promise((resolve) => this.#pending?.resolvers.push(resolve));
  }

  /** Detaches the socket from the response, and returns it. The response keeps its headers. The state must be `pending`. */
  accept(): { socket: Socket; head: Buffer } {
    const { connection, head } = this.#settle('accepted');
    learnRouterSymbols(this.req);
    forgetParsedUrl(this.req);
    this.res.detachSocket(connection.socket);
    // From now on ws listens to the socket.
    return { socket: connection.release(), head };
  }

  /** Ends an upgrade that was accepted, but whose handshake could not be completed. */
  fail(): void {
    this.#state = 'gone';
    closeRequestAndResponse(this.req, this.res);
  }

  abandon(text: string): void {
    if (this.state === 'pending') {
      this.refuse(refusal(503, text));
      this.#emitClose();
    } else if (this.#pending !== undefined) {
      // The response has begun, and the app may finish it.
      for (const resolve of this.#pending.resolvers) resolve();
    }
  }

  /** Writes a refusal to the socket, without the response object. Does nothing if the request is no longer pending. */
  refuse(verdict: Refusal): void {
    if (this.#pending === undefined) return;
    reportRefusal(this.req, verdict.status, verdict.text);
    const { connection } = this.#settle('answered');
    this.res.detachSocket(connection.socket);
    connection.answer(verdict);
  }

  /** Called when the app has answered. */
  onAnswered(): void {
    debug('%s: answered by the app with %d', this.req.url, this.res.statusCode);
    publishFinish(this.res);
    const { connection } = this.#settle('answered');
    this.res.detachSocket(connection.socket);
    connection.end();
    this.#emitClose();
  }

  #onClientGone(): void {
    debug('%s: the client disconnected before the response', this.req.url);
    this.#settle('gone');
    this.#emitClose();
  }

  #onTimeout(connection: DetachedConnection): void {
    // The response has begun, and the app may finish it. No route can accept the websocket, so discard the client's data.
    if (this.state !== 'pending') connection.discardInput();
    else {
      this.abandon(
        'no route has answered this upgrade request in time; make sure that each middleware calls next() or answers',
      );
    }
  }

  /** Changes the state from `pending` to another one, and returns the fields of the pending upgrade. */
  #settle(state: UpgradeState): Pending {
    const pending = this.#pending as Pending;
    this.#pending = undefined;
    this.#state = state;
    stateOf(this.server).pending.delete(this);
    this.res.removeListener('finish', onFinish);
    if (pending.onClientGone !== undefined) {
      clearTimeout(pending.timer);
      pending.connection.socket.removeListener('close', pending.onClientGone);
    }
    for (const resolve of pending.resolvers) resolve();
    return pending;
  }

  /** Emits 'close' on the request and the response, as Node does for any request. */
  #emitClose(): void {
    nextTick(() => {
      closeRequestAndResponse(this.req, this.res);
    });
  }
}

function onFinish(this: ServerResponse): void {
  upgradeOf(this.req)?.onAnswered();
}

/** Returns the upgrade of a request, or `undefined` if the request did not come through an attached server. */
export function upgradeOf(req: IncomingMessage): Upgrade | undefined {
  return (req as { [KEY]?: Upgrade })[KEY];
}

/** Reserves the properties that the wrappers and Express add to a request. */
function prepareRequest(req: IncomingMessage, res: ServerResponse): void {
  const marked = req as { isWebsocket?: unknown; websocket?: unknown };
  marked.isWebsocket = undefined;
  marked.websocket = undefined;
  reserveFields(req, res);
}
