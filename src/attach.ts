import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAnswers } from './after-answers.js';
import { checkNames, checkTime } from './checks.js';
import { describe, optionError } from './errors.js';
import { isWebsocketUpgrade } from './handshake.js';
import { debug, warnOnce } from './notices.js';
import { DEFAULT_HANDSHAKE_TIMEOUT } from './options.js';
import { replayAsPlainHttp } from './plain-http.js';
import { clearTimeout, nextTick, setTimeout } from './real-timers.js';
import { tellRefusal } from './response.js';
import { checkServer, isShuttingDown, stateOf, type Server } from './server-state.js';
import { shieldSocket } from './shield.js';
import { closeWebsockets } from './shutdown.js';
import { answerRaw, Upgrade } from './upgrade.js';

/** A request as a server gets it: it always has a `url`. */
export type UpgradeRequest = http.IncomingMessage & { url: string };

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

const NOT_ANSWERED = 'nobody on this server has answered this upgrade request';

/** Gives a server its websockets, and takes them away again. */
class Attachment {
  owns: AttachOptions['owns'];
  handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT;
  /** Attached by itself to a server where others listened before: nothing of theirs is touched. */
  onlyWatches: boolean;
  #active = false;
  readonly #server: Server;
  readonly #undo: (() => void)[] = [];
  #undoClose: (() => void) | undefined;

  constructor(server: Server, onlyWatches: boolean) {
    this.#server = server;
    this.onlyWatches = onlyWatches;
  }

  attach(): void {
    if (this.#active) return;
    this.#active = true;
    const server = this.#server;
    // First in the line: where others listen, too, ours is asked whose the request is before they answer it.
    server.prependListener('upgrade', this.#onUpgrade);
    this.#undo.push(() => server.removeListener('upgrade', this.#onUpgrade), this.#answerBeforeUpgrade());
    this.#undoClose ??= this.#closeWithServer();
    debug('attached to a server with %d other upgrade listeners', this.#others());
  }

  detach(): void {
    if (!this.#active) return;
    this.#active = false;
    for (const undo of this.#undo.splice(0)) undo();
    void this.#leaveClose();
    debug('detached from a server');
  }

  /** Gives `close()` back when nothing is left that would keep its callback from coming. */
  async #leaveClose(): Promise<void> {
    const { open, pending } = stateOf(this.#server);
    while (open.size + pending.size > 0) {
      await Promise.all([
        ...Array.from(open, ({ closed }) => closed),
        ...Array.from(pending, (upgrade) => upgrade.settled()),
      ]);
    }
    if (this.#active) return;
    this.#undoClose?.();
    this.#undoClose = undefined;
  }

  #others(): number {
    return this.#server.listenerCount('upgrade') - 1;
  }

  readonly #onUpgrade = (req: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Looked at anew each time: http-proxy-middleware, for one, begins to listen with its first request.
    const others = this.#others() > 0;
    if (!isWebsocketUpgrade(req)) {
      if (others) return;
      afterAnswers(socket, () => {
        replayAsPlainHttp(this.#server, req, socket, head);
      });
    } else if (this.owns === undefined) {
      if (others) this.#leaveToOthers(req, socket);
      else this.#take(req, socket, head);
    } else if (!this.#isOwn(req)) {
      if (others) return;
      afterAnswers(socket, () => {
        this.#refuse(req, socket, NOT_ANSWERED);
      });
    } else if (others) {
      shieldSocket(socket, () => {
        this.#take(req, socket, head);
      });
    } else {
      this.#take(req, socket, head);
    }
  };

  #take(req: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    afterAnswers(socket, () => {
      if (isShuttingDown(this.#server)) {
        this.#refuse(req, socket, 'the server is shutting down; try again in a moment');
      } else {
        new Upgrade(this.#server, req, socket, head, this.handshakeTimeout).enter();
      }
    });
  }

  #isOwn(req: http.IncomingMessage): boolean {
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

  #leaveToOthers(req: http.IncomingMessage, socket: Duplex): void {
    debug('%s: left to the other upgrade listeners of this server', req.url);
    // The line must not name the path of this request: it may well be the other library's own.
    warnOnce(
      this.#server,
      'WEBSOCKET_SHARED_SERVER',
      "another library listens to 'upgrade' on this server, too, so the request for " +
        `${(req.url ?? '').replace(/\?.*/s, '')} was left to it. Where routes of dwebsocket are behind this server, ` +
        "say which requests are theirs: attachWebsocket(server, { owns: (req) => req.url.startsWith('/your/path') }); " +
        'where none are, say that: attachWebsocket(server, { owns: () => false })',
    );
    this.#expectAnAnswer(req, socket);
  }

  /** Whoever the request is for: a client must not hang because nobody answers it. */
  #expectAnAnswer(req: http.IncomingMessage, socket: Duplex): void {
    if (this.onlyWatches) return;
    const { bytesWritten } = socket as Socket;
    const timer = setTimeout(() => {
      socket.removeListener('close', stop);
      if (socket.destroyed || !socket.writable || (socket as Socket).bytesWritten !== bytesWritten) return;
      this.#refuse(req, socket, NOT_ANSWERED);
    }, this.handshakeTimeout).unref();
    const stop = (): void => {
      clearTimeout(timer);
    };
    socket.once('close', stop);
  }

  /** For requests that do not enter the app. */
  #refuse(req: http.IncomingMessage, socket: Duplex, text: string): void {
    tellRefusal(req, 503, text);
    answerRaw(socket, 503, text);
  }

  /**
   * Node has no event for the start of `close()`, so this is the one method that we replace: on a server with open
   * websockets its callback would never come (RFC 6455, 7.4.1: 1001 is for a server that goes down).
   */
  #closeWithServer(): () => void {
    const server = this.#server;
    return replaceMethod(server, 'close', (original) => (callback) => {
      stateOf(server).closeCalled = true;
      const ended = closeWebsockets(server);
      if (typeof callback !== 'function') return original.call(server, callback);
      // Node is done when the sockets are, which is a moment before their websockets have told their end.
      return original.call(server, (error: unknown) => {
        void ended.then(() => {
          nextTick(callback, error);
        });
      });
    });
  }

  /**
   * Where Node asks before it hands a request over (22.21, 24.9 and later), requests that are not ours stay with its
   * parser.
   */
  #answerBeforeUpgrade(): () => void {
    const server = this.#server as Server & {
      shouldUpgradeCallback?: (req: http.IncomingMessage) => boolean;
    };
    if (typeof server.shouldUpgradeCallback !== 'function') return () => undefined;
    return replaceMethod(server, 'shouldUpgradeCallback', (original) => (req) => {
      if (this.#others() === 0 && !isWebsocketUpgrade(req as http.IncomingMessage)) return false;
      return original.call(server, req);
    });
  }
}

/** A method, whatever it takes and returns. */
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Puts an own method in the place of another; returns what undoes it, if nobody has replaced ours meanwhile. */
function replaceMethod(target: object, name: string, make: (original: Method) => Method): () => void {
  const holder = target as Record<string, Method>;
  const own = Object.getOwnPropertyDescriptor(holder, name);
  const replacement = make(holder[name] as Method);
  Object.defineProperty(holder, name, {
    value: replacement,
    configurable: true,
    writable: true,
    enumerable: false,
  });
  return () => {
    if (holder[name] !== replacement) return;
    if (own === undefined) Reflect.deleteProperty(holder, name);
    else Object.defineProperty(holder, name, own);
  };
}

/**
 * Gives a server to this package, or says which upgrade requests are ours where other libraries upgrade, too.
 *
 * An app whose server is made by `app.listen()` or `http.createServer(app)` needs no such call. Can be called at any
 * time, before or after other listeners are added, and again to change an option.
 *
 * @returns A function that detaches: later upgrade requests are not ours, open websockets stay (until the server closes).
 *   Can be called twice.
 * @throws {WebsocketOptionError} An option that cannot be.
 * @throws {TypeError} `server` is no server.
 * @example attachWebsocket(server, { owns: (req) => req.url.startsWith('/chat/') });
 */
export function attachWebsocket(server: Server, options: AttachOptions = {}): () => void {
  checkServer(server, 'attachWebsocket');
  checkNames(options, ['owns', 'handshakeTimeout']);
  const { owns, handshakeTimeout } = options;
  if (owns !== undefined && typeof owns !== 'function') {
    throw optionError(TypeError, 'owns', 'a function (req) => boolean', owns);
  }
  if (handshakeTimeout !== undefined) checkTime(handshakeTimeout, 'handshakeTimeout');
  const attachment = attachmentOf(server);
  attachment.onlyWatches = false;
  if (owns !== undefined) attachment.owns = owns;
  if (handshakeTimeout !== undefined) attachment.handshakeTimeout = handshakeTimeout;
  attachment.attach();
  return () => {
    attachment.detach();
  };
}

function attachmentOf(server: Server): Attachment {
  const state = stateOf(server);
  const attachment = (state.attachment as Attachment | undefined) ?? new Attachment(server, false);
  state.attachment = attachment;
  return attachment;
}

const ACCEPTED = 'net.server.socket';
// On Node's own channel object, which outlives the modules that a test runner loads anew for each file.
const WATCHER = Symbol.for('dwebsocket.watcher.1');
let watching = false;

/**
 * Attaches every server of this process to which somebody connects, before the first byte is parsed. Called when the
 * first route is wrapped, never on import.
 */
export function watchServers(): void {
  if (watching) return;
  watching = true;
  const holder = channel(ACCEPTED) as { [WATCHER]?: (message: unknown) => void };
  if (holder[WATCHER] !== undefined) unsubscribe(ACCEPTED, holder[WATCHER]);
  holder[WATCHER] = onConnection;
  subscribe(ACCEPTED, onConnection);
}

function onConnection(message: unknown): void {
  const { server } = (message as { socket: { server?: unknown } }).socket;
  if (!(server instanceof http.Server || server instanceof https.Server)) return;
  // Also when it has been detached: that was asked for.
  if (stateOf(server).attachment !== undefined) return;
  attachmentOf(server).onlyWatches = server.listenerCount('upgrade') > 0;
  attachmentOf(server).attach();
}
