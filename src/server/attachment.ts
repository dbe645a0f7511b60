import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { reportRefusal } from '../handshake/answer.js';
import { isWebsocketUpgrade, refusal, type Refusal } from '../handshake/handshake.js';
import { Http2Bridge, isHttp2Server } from '../http2/http2-bridge.js';
import { DEFAULT_HANDSHAKE_TIMEOUT } from '../options/policy.js';
import { describe } from '../shared/errors.js';
import { debug, warnOnce } from '../shared/notices.js';
import { replaceClosingMethods } from './closing-methods.js';
import { DetachedConnection } from './detached-connection.js';
import { watchForeignRequest } from './other-listeners.js';
import { hasAllHeaders, replayAsPlainHttp } from './plain-http.js';
import { MethodReplacement } from './replace-method.js';
import { isShuttingDown, SHUTTING_DOWN, stateOf, type Server } from './server-state.js';
import { Upgrade } from './upgrade.js';

/** Describes a request that a server received: it always has a `url`. */
export type UpgradeRequest = IncomingMessage & { url: string };

/** Lists the options of {@link attachWebsocket}. */
export interface AttachOptions {
  /**
   * Returns whether an upgrade request belongs to this app. If other libraries listen to 'upgrade' on the server, they get
   * each request for which this function returns `false`. Such a request never reaches the app, and this package writes
   * nothing to its socket.
   *
   * @default all requests if no other library listens to 'upgrade'; no request if one does
   */
  owns?: ((req: UpgradeRequest) => boolean) | undefined;
  /**
   * Limits, in milliseconds, how long a route may take to answer an upgrade request. After it the client gets 503.
   *
   * @default 10_000
   */
  handshakeTimeout?: number | undefined;
}

const NOT_ANSWERED = refusal(
  503,
  'no listener on this server has answered this upgrade request; check its path',
);

const TOO_MANY_HEADERS = refusal(
  431,
  'this request has more headers than server.maxHeadersCount allows; send fewer, or raise that limit',
);

/**
 * Says who handles an upgrade request: `ours` reaches the app as a WebSocket request, and `plain` as a plain HTTP request.
 * `theirs` goes to the other listeners. A request of `nobody` is refused.
 */
type Destination = 'ours' | 'plain' | 'theirs' | 'nobody';

type StreamArguments = [ServerHttp2Stream, IncomingHttpHeaders, number, string[]];

/** Attaches this package to a server, and detaches it: adds an 'upgrade' listener, and replaces methods of the server. */
export class Attachment {
  owns: AttachOptions['owns'];
  handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT;
  /** Whether the app has called `attachWebsocket`. */
  isExplicit = false;
  #isActive = false;
  #isRestoring = false;
  /** The destination of the current request, so that `owns` is called once for each request. */
  #current: { readonly req: IncomingMessage; readonly destination: Destination } | undefined;
  readonly #server: Server;
  readonly #upgradeMethods: MethodReplacement[];
  readonly #closingMethods: MethodReplacement[];
  readonly #http2: Http2Bridge | undefined;

  constructor(server: Server) {
    this.#server = server;
    this.#http2 = isHttp2Server(server) ? new Http2Bridge(server) : undefined;
    this.#upgradeMethods = [this.#emitBeforeOthers(), this.#answerBeforeUpgrade()];
    this.#closingMethods = replaceClosingMethods(server);
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  attach(): void {
    // Node emits 'upgrade' only if a listener exists, and another library may have removed all listeners.
    if (this.#own() === 0) this.#server.prependListener('upgrade', this.#onUpgrade);
    if (this.#isActive) return;
    this.#isActive = true;
    for (const method of [...this.#upgradeMethods, ...this.#closingMethods]) method.install();
    this.#http2?.announce(true);
    debug('attached to a server with %d other upgrade listeners', this.#others());
  }

  detach(): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#server.removeListener('upgrade', this.#onUpgrade);
    for (const method of this.#upgradeMethods) method.remove();
    this.#http2?.announce(false);
    void this.#restoreClosing();
    debug('detached from a server');
  }

  /** Called when the websockets of the server are about to close. */
  retire(): void {
    this.#http2?.retireSessions();
  }

  /** Restores `close()` and the other closing methods once all connections that they must reach have closed. */
  async #restoreClosing(): Promise<void> {
    if (this.#isRestoring) return;
    this.#isRestoring = true;
    const { open, detached } = stateOf(this.#server);
    while (open.size + detached.size > 0) {
      await Promise.all([
        ...Array.from(open, ({ closed }) => closed),
        ...Array.from(detached, ({ socket }) => new Promise((resolve) => socket.once('close', resolve))),
      ]);
    }
    this.#isRestoring = false;
    if (this.#isActive) return;
    for (const method of this.#closingMethods) method.remove();
  }

  #own(): number {
    return this.#server.listenerCount('upgrade', this.#onUpgrade);
  }

  // Counted for each request: http-proxy-middleware, for example, begins to listen with its first request.
  #others(): number {
    return this.#server.listenerCount('upgrade') - this.#own();
  }

  /**
   * Replaces the server's `emit`, so that our requests reach no other 'upgrade' listener.
   *
   * Node passes the same socket to all 'upgrade' listeners. Any of them may use it: `ws` without a path accepts every
   * request, and others end foreign requests after an `await`.
   */
  #emitBeforeOthers(): MethodReplacement {
    return new MethodReplacement(this.#server, 'emit', (original) => (event, ...args) => {
      if (event === 'stream' && this.#http2 !== undefined && this.#isActive) {
        const [stream, headers, , rawHeaders] = args as StreamArguments;
        return this.#http2.serve(stream, headers, rawHeaders) || original.call(this.#server, event, ...args);
      }
      if (event !== 'upgrade' || !this.#isActive) return original.call(this.#server, event, ...args);
      const [req, socket, head] = args as [IncomingMessage, Duplex, Buffer];
      try {
        return this.#handle(req, socket, head) || original.call(this.#server, event, ...args);
      } finally {
        this.#current = undefined;
      }
    });
  }

  /** Handles a request that has bypassed our `emit`: other code may call each listener directly. */
  readonly #onUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (this.#current?.req === req) return;
    this.#handle(req, socket, head);
    this.#current = undefined;
  };

  /**
   * Replaces `shouldUpgradeCallback`, which Node has from 22.21 and 24.9 on. Node calls it before it emits 'upgrade', so
   * plain requests stay in Node's parser.
   */
  #answerBeforeUpgrade(): MethodReplacement {
    return new MethodReplacement(this.#server, 'shouldUpgradeCallback', (original) => (req) => {
      const isPlain = this.#isActive && this.#destinationOf(req as IncomingMessage) === 'plain';
      const isUpgraded = !isPlain && original.call(this.#server, req);
      if (!isUpgraded) this.#current = undefined;
      return isUpgraded;
    });
  }

  #destinationOf(req: IncomingMessage): Destination {
    if (this.#current?.req !== req) this.#current = { req, destination: this.#decide(req) };
    return this.#current.destination;
  }

  /**
   * Decides the destination of a request. If there are other listeners, a request is for this app only if `owns` says so. If
   * there are none, `owns` can exclude only WebSocket requests: no other code would answer a plain one.
   */
  #decide(req: IncomingMessage): Destination {
    const kind = isWebsocketUpgrade(req) ? 'ours' : 'plain';
    if (this.#others() > 0) return this.owns !== undefined && this.#isOwn(req) ? kind : 'theirs';
    return kind === 'plain' || this.owns === undefined || this.#isOwn(req) ? kind : 'nobody';
  }

  /** Sends a request to its destination. Returns `false` if the other listeners must handle it. */
  #handle(req: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    switch (this.#destinationOf(req)) {
      case 'theirs':
        if (this.owns === undefined) this.#watch(req, socket);
        return false;
      case 'nobody':
        this.#takeOver(socket, (connection) => {
          refuse(req, connection, NOT_ANSWERED);
        });
        return true;
      case 'plain':
        this.#takeOver(socket, (connection) => {
          if (hasAllHeaders(this.#server, req)) replayAsPlainHttp(this.#server, req, connection, head);
          else refuse(req, connection, TOO_MANY_HEADERS);
        });
        return true;
      case 'ours':
        this.#takeOver(socket, (connection) => {
          this.#enter(req, connection, head);
        });
        return true;
    }
  }

  /** Takes a socket over from Node, and calls `proceed` once the earlier responses on it have finished. */
  #takeOver(socket: Duplex, proceed: (connection: DetachedConnection) => void): void {
    const connection = new DetachedConnection(this.#server, socket);
    try {
      connection.afterEarlierResponses(() => {
        proceed(connection);
      });
    } finally {
      connection.manage();
    }
  }

  #enter(req: IncomingMessage, connection: DetachedConnection, head: Buffer): void {
    if (!hasAllHeaders(this.#server, req)) refuse(req, connection, TOO_MANY_HEADERS);
    else if (isShuttingDown(this.#server)) refuse(req, connection, SHUTTING_DOWN);
    else new Upgrade(this.#server, req, connection, head).emitRequest(this.handshakeTimeout);
  }

  #watch(req: IncomingMessage, socket: Duplex): void {
    const { handshakeTimeout } = this;
    const isOurs = this.isExplicit || stateOf(this.#server).servesRoutes;
    watchForeignRequest({ server: this.#server, isOurs, handshakeTimeout }, req, socket, () => {
      this.#takeOver(socket, (connection) => {
        refuse(req, connection, NOT_ANSWERED);
      });
    });
  }

  #isOwn(req: IncomingMessage): boolean {
    try {
      const answer: unknown = this.owns?.(req as UpgradeRequest);
      if (typeof answer === 'boolean') return answer;
      this.#warnAboutOwns(`returned ${describe(answer)}`);
    } catch (error) {
      // An error that an 'upgrade' listener throws would end the process.
      this.#warnAboutOwns(`threw ${String(error)}`);
    }
    return false;
  }

  #warnAboutOwns(what: string): void {
    warnOnce(
      this.#server,
      'WEBSOCKET_OWNS',
      `the function given as owns to attachWebsocket ${what}, so this app did not handle the upgrade request; ` +
        'return true or false, and no promise',
    );
  }
}

/** Returns the attachment of a server, and creates it on the first call. */
export function attachmentOf(server: Server): Attachment {
  const state = stateOf(server);
  const attachment = (state.attachment as Attachment | undefined) ?? new Attachment(server);
  state.attachment = attachment;
  return attachment;
}

/** Refuses a request that never reaches the app. */
function refuse(req: IncomingMessage, connection: DetachedConnection, refused: Refusal): void {
  reportRefusal(req, refused.status, refused.text);
  connection.answer(refused);
}
