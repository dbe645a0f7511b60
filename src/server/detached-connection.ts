import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../handshake/handshake.js';
import { allowsHalfOpen, responseOn } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { stateOf, type Detached, type Server } from './server-state.js';

/** How long a client that has its answer may keep the socket before it is destroyed. */
const LINGER = 1_000;

/**
 * A connection that Node has handed over with 'upgrade', for as long as it speaks HTTP.
 *
 * Node removes its parser and its listeners from such a socket and strikes it off its list (`onParserExecuteCommon` in
 * Node's lib/_http_server.js). Until the socket becomes a websocket, returns to the parser or closes, this class does
 * what Node did: it relays 'drain', obeys `server.timeout`, ends a half-closed connection, and keeps the socket on a list
 * for `closeAllConnections()` and `closeIdleConnections()`.
 */
export class DetachedConnection implements Detached {
  readonly socket: Socket;
  readonly #server: Server;
  #linger: NodeJS.Timeout | undefined;

  constructor(server: Server, socket: Duplex) {
    this.#server = server;
    // Tests and tunnels bring other duplex streams: what not all of them have is looked for before it is used.
    this.socket = socket as Socket;
    stateOf(server).detached.add(this);
    socket.on('error', ignore);
    socket.on('drain', this.#onDrain);
    socket.on('timeout', this.#onTimeout);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
  }

  /** As Node defines it: no response is under way. */
  get isIdle(): boolean {
    return this.#response?.writableEnded !== false && this.socket.writableLength === 0;
  }

  /**
   * Calls `proceed` once the earlier responses on this connection have finished, unless the connection ends first.
   *
   * A client may send an upgrade request right behind another request (RFC 9112, 9.3.2). Node hands it over at once, while
   * the socket still belongs to the earlier response: to assign it to a second one throws, and would end the process.
   */
  afterAnswers(proceed: () => void): void {
    const earlier = this.#response;
    if (earlier === undefined) {
      // A response that finished meanwhile has left Node's `keepAliveTimeout` on the socket.
      this.#restartTimeout();
      proceed();
      return;
    }
    debug('an upgrade request waits for the answer to the request before it');
    earlier.once('close', () => {
      // Node no longer tells a request that its client has left before the answer.
      if (!earlier.writableFinished) earlier.req.destroy(new ResetError());
      else if (this.socket.writable) this.afterAnswers(proceed);
    });
  }

  /** Answers without a response object, and ends the connection. */
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

  /** Ends the connection without cutting off an answer that is under way, and without waiting for ever. */
  end(): void {
    this.discardInput();
    this.socket.end();
    this.#linger = setTimeout(() => {
      this.socket.destroy();
    }, LINGER).unref();
  }

  /**
   * Reads what the client sends from now on, and drops it.
   *
   * The end of a client shows only when everything before it has been read. And TCP resets a connection that is closed
   * with unread data: the answer could be lost.
   */
  discardInput(): void {
    this.socket.resume();
  }

  /** Leaves the socket to somebody else, who must listen to 'error' before this turn of the event loop ends. */
  release(): Socket {
    const { socket } = this;
    stateOf(this.#server).detached.delete(this);
    socket.removeListener('error', ignore);
    socket.removeListener('drain', this.#onDrain);
    socket.removeListener('timeout', this.#onTimeout);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('close', this.#onClose);
    return socket;
  }

  /** The response that the socket belongs to. */
  get #response(): ServerResponse | undefined {
    return responseOn(this.socket);
  }

  #restartTimeout(): void {
    (this.socket as Partial<Socket>).setTimeout?.(this.#server.timeout || 0);
  }

  readonly #onDrain = (): void => {
    const response = this.#response;
    if (response?.writableNeedDrain === true) response.emit('drain');
  };

  readonly #onTimeout = (): void => {
    const heard = [this.#response, this.#server].map((emitter) => emitter?.emit('timeout', this.socket));
    if (!heard.includes(true)) this.socket.destroy();
  };

  readonly #onEnd = (): void => {
    if (!allowsHalfOpen(this.#server)) this.socket.end();
  };

  readonly #onClose = (): void => {
    clearTimeout(this.#linger);
    this.release();
  };
}

/** What Node destroys a request with when its client leaves. */
class ResetError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('aborted');
  }
}

function ignore(): void {
  // 'close' follows.
}
