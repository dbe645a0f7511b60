import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isWebsocketUpgrade, refusal, type Refusal } from '../handshake/handshake.js';
import { tellRefusal } from '../handshake/answer.js';
import { DEFAULT_HANDSHAKE_TIMEOUT } from '../options/policy.js';
import { describe } from '../shared/errors.js';
import { debug, warnOnce } from '../shared/notices.js';
import { replaceClosingMethods } from './closing-methods.js';
import { DetachedConnection } from './detached-connection.js';
import { watchLeftRequest } from './neighbours.js';
import { hasAllHeaders, replayAsPlainHttp } from './plain-http.js';
import { MethodReplacement } from './replace-method.js';
import { isShuttingDown, stateOf, type Server } from './server-state.js';
import { Upgrade } from './upgrade.js';

/** A request as a server gets it: it always has a `url`. */
export type UpgradeRequest = IncomingMessage & { url: string };

/** Options of {@link attachWebsocket}. */
export interface AttachOptions {
  /**
   * Which upgrade requests enter our app, on a server where other libraries upgrade, too. The others never enter it and
   * nothing is written to their sockets.
   *
   * @default all, where nobody else listens; none, where others do
   */
  owns?: ((req: UpgradeRequest) => boolean) | undefined;
  /**
   * Milliseconds after which an upgrade request that no route has answered gets 503.
   *
   * @default 10_000
   */
  handshakeTimeout?: number | undefined;
}

const NOT_ANSWERED = refusal(503, 'nobody on this server has answered this upgrade request');

const SHUTTING_DOWN = refusal(503, 'the server is shutting down; try again in a moment');

const TOO_MANY_HEADERS = refusal(
  431,
  'this request has more headers than the server keeps; send fewer, or raise server.maxHeadersCount',
);

/**
 * Whose an upgrade request is: `ours` enters the app as a websocket, `plain` as the HTTP request that it also is,
 * `theirs` belongs to the other listeners, and that of `nobody` is refused.
 */
type Verdict = 'ours' | 'plain' | 'theirs' | 'nobody';

/** Gives a server its websockets, and takes them away again. */
export class Attachment {
  owns: AttachOptions['owns'];
  handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT;
  /** Whether the app has called `attachWebsocket`. */
  isAsked = false;
  #isActive = false;
  #isRestoring = false;
  /** The request that is being handed over, so that `owns` is asked once. */
  #judged: { readonly req: IncomingMessage; readonly verdict: Verdict } | undefined;
  readonly #server: Server;
  readonly #upgradeMethods: MethodReplacement[];
  readonly #closingMethods: MethodReplacement[];

  constructor(server: Server) {
    this.#server = server;
    this.#upgradeMethods = [this.#emitBeforeOthers(), this.#answerBeforeUpgrade()];
    this.#closingMethods = replaceClosingMethods(server);
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  attach(): void {
    // Node hands an upgrade over only where somebody listens, and others may have removed all listeners.
    if (this.#own() === 0) this.#server.prependListener('upgrade', this.#onUpgrade);
    if (this.#isActive) return;
    this.#isActive = true;
    for (const method of [...this.#upgradeMethods, ...this.#closingMethods]) method.install();
    debug('attached to a server with %d other upgrade listeners', this.#others());
  }

  detach(): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#server.removeListener('upgrade', this.#onUpgrade);
    for (const method of this.#upgradeMethods) method.remove();
    void this.#restoreClosing();
    debug('detached from a server');
  }

  /** Restores `close()` and its like when no connection is left that they must reach. */
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

  // Looked at anew each time: http-proxy-middleware, for one, begins to listen with its first request.
  #others(): number {
    return this.#server.listenerCount('upgrade') - this.#own();
  }

  /**
   * Node gives one socket to all 'upgrade' listeners, and they act on it whenever they like: `ws` without a path takes it,
   * others end what is not theirs after an `await`. So a request that is ours reaches no other listener.
   */
  #emitBeforeOthers(): MethodReplacement {
    return new MethodReplacement(this.#server, 'emit', (original) => (event, ...args) => {
      if (event !== 'upgrade' || !this.#isActive) return original.call(this.#server, event, ...args);
      const [req, socket, head] = args as [IncomingMessage, Duplex, Buffer];
      try {
        return this.#handle(req, socket, head) || original.call(this.#server, event, ...args);
      } finally {
        this.#judged = undefined;
      }
    });
  }

  /** For a request that has come past our `emit`: somebody may call the listeners one by one. */
  readonly #onUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (this.#judged?.req === req) return;
    this.#handle(req, socket, head);
    this.#judged = undefined;
  };

  /**
   * Where Node asks before it hands a request over (22.21, 24.9 and later), requests that are not ours stay with its
   * parser.
   */
  #answerBeforeUpgrade(): MethodReplacement {
    return new MethodReplacement(this.#server, 'shouldUpgradeCallback', (original) => (req) => {
      const isPlain = this.#isActive && this.#judge(req as IncomingMessage) === 'plain';
      const isUpgraded = !isPlain && original.call(this.#server, req);
      if (!isUpgraded) this.#judged = undefined;
      return isUpgraded;
    });
  }

  #judge(req: IncomingMessage): Verdict {
    if (this.#judged?.req !== req) this.#judged = { req, verdict: this.#decide(req) };
    return this.#judged.verdict;
  }

  #decide(req: IncomingMessage): Verdict {
    const kind = isWebsocketUpgrade(req) ? 'ours' : 'plain';
    if (this.#others() > 0) return this.owns !== undefined && this.#isOwn(req) ? kind : 'theirs';
    return kind === 'plain' || this.owns === undefined || this.#isOwn(req) ? kind : 'nobody';
  }

  /** Acts on an upgrade request; `false` leaves it to the other listeners. */
  #handle(req: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    switch (this.#judge(req)) {
      case 'theirs':
        if (this.owns === undefined) this.#watch(req, socket);
        return false;
      case 'nobody':
        this.#whenItsTurn(socket, (connection) => {
          refuse(req, connection, NOT_ANSWERED);
        });
        return true;
      case 'plain':
        this.#whenItsTurn(socket, (connection) => {
          if (hasAllHeaders(this.#server, req)) replayAsPlainHttp(this.#server, req, connection, head);
          else refuse(req, connection, TOO_MANY_HEADERS);
        });
        return true;
      case 'ours':
        this.#whenItsTurn(socket, (connection) => {
          this.#enter(req, connection, head);
        });
        return true;
    }
  }

  /** Takes a socket over from Node, and goes on once the earlier requests on it are answered. */
  #whenItsTurn(socket: Duplex, proceed: (connection: DetachedConnection) => void): void {
    const connection = new DetachedConnection(this.#server, socket);
    connection.afterAnswers(() => {
      proceed(connection);
    });
  }

  #enter(req: IncomingMessage, connection: DetachedConnection, head: Buffer): void {
    if (!hasAllHeaders(this.#server, req)) refuse(req, connection, TOO_MANY_HEADERS);
    else if (isShuttingDown(this.#server)) refuse(req, connection, SHUTTING_DOWN);
    else new Upgrade(this.#server, req, connection, head, this.handshakeTimeout).enter();
  }

  #watch(req: IncomingMessage, socket: Duplex): void {
    const { handshakeTimeout } = this;
    const isOurs = this.isAsked || stateOf(this.#server).servesRoutes;
    watchLeftRequest({ server: this.#server, isOurs, handshakeTimeout }, req, socket, (connection) => {
      connection.afterAnswers(() => {
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
      // An error thrown by a listener of 'upgrade' would end the process.
      this.#warnAboutOwns(`threw ${String(error)}`);
    }
    return false;
  }

  #warnAboutOwns(what: string): void {
    warnOnce(
      this.#server,
      'WEBSOCKET_OWNS',
      `the function given as owns to attachWebsocket ${what}, and the upgrade request was left to others; ` +
        'it must return true or false at once',
    );
  }
}

/** The attachment of a server, which is created when it is first asked for. */
export function attachmentOf(server: Server): Attachment {
  const state = stateOf(server);
  const attachment = (state.attachment as Attachment | undefined) ?? new Attachment(server);
  state.attachment = attachment;
  return attachment;
}

/** For requests that do not enter the app. */
function refuse(req: IncomingMessage, connection: DetachedConnection, verdict: Refusal): void {
  tellRefusal(req, verdict.status, verdict.text);
  connection.answer(verdict);
}
