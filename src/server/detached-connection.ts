import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../handshake/handshake.js';
import { allowsHalfOpen, mayNeedDrain, responseOn } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { stateOf, type Detached, type Server } from './server-state.js';

/** Milliseconds between the end of the response and the destruction of a socket that the client keeps open. */
const LINGER = 1_000;

/**
 * Manages a connection that Node has handed over with 'upgrade', while it still uses HTTP.
 *
 * Node removes its parser and its listeners from such a socket, and removes the socket from its list
 * (`onParserExecuteCommon` in Node's lib/_http_server.js). This class does Node's work until the socket becomes a
 * websocket, returns to the parser, or closes. It relays 'drain', applies `server.timeout`, and ends a half-closed
 * connection. It keeps the socket on a list for `closeAllConnections()` and `closeIdleConnections()`.
 */
export class DetachedConnection implements Detached {
  readonly socket: Socket;
  readonly #server: Server;
  #state: 'new' | 'managed' | 'released' = 'new';
  #linger: NodeJS.Timeout | undefined;

  constructor(server: Server, socket: Duplex) {
    this.#server = server;
    // Tests and tunnels pass other duplex streams. Check that a method exists if not all streams have it.
    this.socket = socket as Socket;
    stateOf(server).detached.add(this);
  }

  /**
   * Listens to the socket. Must be called at the end of the turn in which the connection was taken over. Usually a route
   * accepts the websocket in this turn, and then there is nothing to listen to.
   */
  manage(): void {
    if (this.#state !== 'new') return;
    this.#state = 'managed';
    this.socket.on('error', ignore);
    this.socket.on('drain', this.#onDrain);
    this.socket.on('timeout', this.#onTimeout);
    this.socket.on('end', this.#onEnd);
    this.socket.on('close', this.#onClose);
  }

  /** Returns whether the connection is idle in Node's sense: no response is in progress. */
  get isIdle(): boolean {
    return this.#response?.writableEnded !== false && this.socket.writableLength === 0;
  }

  /**
   * Calls `proceed` once the earlier responses on this connection have finished, unless the connection closes first.
   *
   * A client may pipeline an upgrade request behind another request (RFC 9112, 9.3.2). Node emits 'upgrade' at once, while
   * the socket still belongs to the earlier response. Assigning the socket to a second response would throw, and end the
   * process.
   */
  afterEarlierResponses(proceed: () => void): void {
    const earlier = this.#response;
    if (earlier === undefined) {
      // The earlier response has set Node's `keepAliveTimeout` on the socket.
      this.#restartTimeout();
      proceed();
      return;
    }
    debug('an upgrade request waits for the response to the request before it');
    earlier.once('close', () => {
      // After 'upgrade', Node no longer destroys a request whose client disconnected before the response.
      if (!earlier.writableFinished) earlier.req.destroy(new ResetError());
      else if (this.socket.writable) this.afterEarlierResponses(proceed);
    });
  }

  /** Writes a response to the socket without a response object, and ends the connection. */
  answer({ status, text, headers }: Refusal): void {
    const body = `${text}\n`;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(
      `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}` +
        'Connection: close\r\n' +
        'Content-Type: text/plain; charset=utf-8\r\n' +
        `Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
    );
    this.end();
  }

  /** Ends the connection after the buffered response. Destroys the socket if the client keeps it open too long. */
  end(): void {
    this.discardInput();
    this.socket.end();
    this.#linger = setTimeout(() => {
      this.socket.destroy();
    }, LINGER).unref();
  }

  /**
   * Reads and discards what the client sends from now on.
   *
   * 'end' comes only after all earlier data has been read. And if unread data is left, closing the socket resets the TCP
   * connection, and the response may be lost.
   */
  discardInput(): void {
    this.socket.resume();
  }

  /** Stops managing the socket, and returns it. The caller must listen to 'error' in the same turn of the event loop. */
  release(): Socket {
    const { socket } = this;
    const wasManaged = this.#state === 'managed';
    this.#state = 'released';
    stateOf(this.#server).detached.delete(this);
    if (!wasManaged) return socket;
    socket.removeListener('error', ignore);
    socket.removeListener('drain', this.#onDrain);
    socket.removeListener('timeout', this.#onTimeout);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('close', this.#onClose);
    return socket;
  }

  /** Returns the response that the socket belongs to. */
  get #response(): ServerResponse | undefined {
    return responseOn(this.socket);
  }

  #restartTimeout(): void {
    (this.socket as Partial<Socket>).setTimeout?.(this.#server.timeout || 0);
  }

  readonly #onDrain = (): void => {
    const response = this.#response;
    if (response !== undefined && mayNeedDrain(response)) response.emit('drain');
  };

  readonly #onTimeout = (): void => {
    const hadListener = [this.#response, this.#server].map((emitter) =>
      emitter?.emit('timeout', this.socket),
    );
    if (!hadListener.includes(true)) this.socket.destroy();
  };

  readonly #onEnd = (): void => {
    if (!allowsHalfOpen(this.#server)) this.socket.end();
  };

  readonly #onClose = (): void => {
    clearTimeout(this.#linger);
    this.release();
  };
}

/** Is like the error with which Node destroys a request when its client disconnects. */
class ResetError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('aborted');
  }
}

function ignore(): void {
  // 'close' follows.
}
