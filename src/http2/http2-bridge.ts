import { createServer, IncomingMessage, maxHeaderSize, type Server as HttpServer } from 'node:http';
import type {
  Http2SecureServer,
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import { http2SettingsOf } from '../internals/node.js';
import { debug } from '../shared/notices.js';
import { Http2Socket } from './http2-socket.js';
import { asksForWebsocket, writeRequestHead } from './request-text.js';

/** Stands for a server of `node:http2`. */
export type AnyHttp2Server = Http2Server | Http2SecureServer;

/**
 * The bytes that a client may send on one stream before the server has read them. They add to the option `maxQueue`. Newer
 * versions of Node allow 4 MiB. A setting of the app stays.
 */
const STREAM_WINDOW = 262_144;

/** The same for all streams of a session. Data counts here only until Node has received it. */
const SESSION_WINDOW = 1_048_576;

/** Returns whether a value is a server of `node:http2`. Node does not export the classes. */
export function isHttp2Server(server: object): server is AnyHttp2Server {
  return typeof (server as { updateSettings?: unknown }).updateSettings === 'function';
}

/**
 * Serves requests of HTTP/2 as if each had come over an HTTP/1.1 connection of its own: websockets (RFC 8441), and the plain
 * requests of apps that need the request and the response of `node:http`, as Express does.
 *
 * Each such stream becomes a socket, from which Node's HTTP/1.1 parser reads. The events 'upgrade' and 'request' of the parser
 * are emitted on the HTTP/2 server.
 */
export class Http2Bridge {
  readonly #server: AnyHttp2Server;
  readonly #parser: HttpServer;
  /** The sessions that have carried a websocket. */
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(server: AnyHttp2Server) {
    this.#server = server;
    // A head comes at once. HTTP/2 has its own limits of time.
    this.#parser = createServer({ requestTimeout: 0, headersTimeout: 0 });
    for (const event of ['upgrade', 'request']) {
      this.#parser.on(event, (...args: unknown[]) => server.emit(event, ...args));
    }
  }

  /** Announces websockets to clients that connect from now on (RFC 8441, 3), or no longer. */
  announce(enableConnectProtocol: boolean): void {
    const { initialWindowSize = STREAM_WINDOW } = http2SettingsOf(this.#server);
    this.#server.updateSettings({ enableConnectProtocol, initialWindowSize });
  }

  /** Serves the request of a stream. Returns `false` if the request is left to Node. */
  serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): boolean {
    const isWebsocket = asksForWebsocket(headers);
    if (!isWebsocket && (headers[':method'] === 'CONNECT' || !this.#needsHttp1())) return false;
    const session = stream.session as ServerHttp2Session | undefined;
    if (session === undefined || stream.destroyed) return true;
    const hasBody = !isWebsocket && !stream.endAfterHeaders;
    const body = !hasBody ? 'none' : headers['content-length'] === undefined ? 'chunked' : 'counted';
    const head = writeRequestHead(headers, rawHeaders, body);
    if (head === undefined || head.length > maxHeaderSize) {
      const status = head === undefined ? 400 : 431;
      debug('an HTTP/2 request is refused with %d', status);
      stream.on('error', ignore);
      stream.respond({ ':status': status }, { endStream: true });
      return true;
    }
    if (isWebsocket) this.#carry(session);
    this.#parser.emit('connection', new Http2Socket(this.#server, stream, session, head, body));
    return true;
  }

  /** Tells the clients of all sessions with websockets to open no further streams on them (GOAWAY, RFC 9113, 6.8). */
  retireSessions(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Returns whether the app is one of Express: it gives each request a prototype that is made for `node:http`. */
  #needsHttp1(): boolean {
    return this.#server
      .listeners('request')
      .some((app) => (app as { request?: unknown }).request instanceof IncomingMessage);
  }

  #carry(session: ServerHttp2Session): void {
    if (this.#sessions.has(session)) return;
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if ((session.state.localWindowSize ?? 0) < SESSION_WINDOW) session.setLocalWindowSize(SESSION_WINDOW);
  }
}

function ignore(): void {
  // 'close' follows.
}
