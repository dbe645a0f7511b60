import type { OutgoingHttpHeaders } from 'node:http';
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { warnOnce } from '../shared/notices.js';
import { setImmediate } from '../shared/real-timers.js';
import { SocketLike } from '../shared/socket-like.js';
import { writeTrailers, type RequestBody } from './request-text.js';
import { ResponseReader, type ResponseTarget } from './response-reader.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** What a `net.Socket` or a `tls.TLSSocket` tells about its connection. */
const OF_THE_CONNECTION = [
  'alpnProtocol',
  'authorizationError',
  'authorized',
  'encrypted',
  'getCertificate',
  'getCipher',
  'getPeerCertificate',
  'getProtocol',
  'getSession',
  'localAddress',
  'localFamily',
  'localPort',
  'remoteAddress',
  'remoteFamily',
  'remotePort',
  'servername',
];

// Kept on the stream, so that all streams share their listeners.
const SOCKET = Symbol('socket');
type Carrier = ServerHttp2Stream & { [SOCKET]: Http2Socket };

let onStreamData: (this: Carrier, data: Buffer) => void;
let onStreamEnd: (this: Carrier) => void;
let onStreamTrailers: (this: Carrier, headers: object, flags: number, rawTrailers: string[]) => void;
let onStreamTimeout: (this: Carrier) => void;
let onStreamAborted: (this: Carrier) => void;
let onStreamClose: (this: Carrier) => void;

type Done = (error?: Error | null) => void;

/**
 * Makes an HTTP/2 stream look like the socket of an HTTP/1.1 connection with one request.
 *
 * A server reads the request from it, and writes the response. After a 101 both sides pass on bytes unchanged, so the socket
 * carries a websocket (RFC 8441). The end of a side is END_STREAM. A reset is RST_STREAM with CANCEL (RFC 8441, 5).
 */
export class Http2Socket extends SocketLike implements ResponseTarget {
  bytesRead = 0;
  bytesWritten = 0;
  /** The session that carries the stream. */
  readonly session: ServerHttp2Session;
  readonly #server: object;
  readonly #stream: ServerHttp2Stream;
  readonly #body: RequestBody;
  /** Reads the response. `undefined` after a 101. */
  #response: ResponseReader | undefined;
  #requestTrailers = '';
  #isReading = false;
  #hasTimeout = false;

  /**
   * @param server The server that accepted the session.
   * @param head The head of the request, in HTTP/1.1.
   */
  constructor(
    server: object,
    stream: ServerHttp2Stream,
    session: ServerHttp2Session,
    head: string,
    body: RequestBody,
  ) {
    super({ allowHalfOpen: true, decodeStrings: false });
    this.#server = server;
    this.#stream = stream;
    this.session = session;
    this.#body = body;
    this.#response = new ResponseReader(this);
    (stream as Carrier)[SOCKET] = this;
    stream.on('error', ignore);
    stream.on('aborted', onStreamAborted);
    stream.on('close', onStreamClose);
    this.push(Buffer.from(head, 'latin1'));
  }

  /** The server that accepted the session. */
  get server(): object {
    return this.#server;
  }

  set server(_parser: object) {
    // Node sets the server whose parser reads the request.
  }

  override _read(): void {
    // Before the 101, a websocket has nothing to read.
    if (this.#isReading) this.#stream.resume();
    else if (this.#body !== 'none') this.#read();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    if (this.#response === undefined) this.#forward(chunk, encoding, done);
    else this._writev([{ chunk, encoding }], done);
  }

  override _writev(chunks: { chunk: Buffer | string; encoding: BufferEncoding }[], done: Done): void {
    const last = chunks.length - 1;
    this.#stream.cork();
    try {
      for (const [index, { chunk, encoding }] of chunks.entries()) {
        this.#forward(chunk, encoding, index === last ? done : undefined);
      }
    } catch (error) {
      this.#warn(error);
      done(error as Error);
    }
    this.#stream.uncork();
  }

  /** @throws The response cannot be sent over HTTP/2. */
  #forward(chunk: Buffer | string, encoding: BufferEncoding, done: Done | undefined): void {
    const stream = this.#stream;
    this.bytesWritten += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
    if (this.#response === undefined) {
      if (typeof chunk === 'string') stream.write(chunk, encoding, done);
      else stream.write(chunk, done);
      return;
    }
    this.#response.read(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    if (done === undefined) return;
    if (stream.writableNeedDrain) stream.once('drain', done);
    else done();
  }

  override _final(done: Done): void {
    const stream = this.#stream;
    // Node would send a response with the status 200, or make a part of a response look whole.
    if (!stream.headersSent || this.#response?.isIncomplete === true) {
      this.destroy();
      done();
      return;
    }
    // A response without a body has ended the stream already.
    if (stream.writableEnded) done();
    else stream.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#stream.destroyed) this.#endStream(error);
    done(error);
  }

  #endStream(error: Error | null): void {
    const stream = this.#stream;
    const isWhole = this.#response?.isIncomplete === false && stream.headersSent;
    if (isWhole && (this.writableFinished || isParseError(error))) {
      stream.end();
      this.#refuseRest();
    } else if (this.#response !== undefined) {
      // `close` would first end the stream, so that a part of a response would look whole.
      // Later, because Node may be reading from the session.
      setImmediate(() => stream.destroy(error ?? new ResetError()));
    } else if (!this.writableFinished || !this.readableEnded) {
      stream.close(NGHTTP2_CANCEL);
    }
  }

  /** HTTP/2 does not allow all that HTTP/1.1 allows. */
  #warn(error: unknown): void {
    const what = error instanceof Error ? error.message : String(error);
    warnOnce(
      this.#server,
      'WEBSOCKET_HTTP2',
      `a response could not be sent over HTTP/2, and was reset: ${what}`,
    );
  }

  /** Tells the client that the rest of its request is not needed. The response must have ended (RFC 9113, 8.1). */
  #refuseRest(): void {
    const stream = this.#stream;
    // Node would send the reset before END_STREAM, if both come in one turn.
    setImmediate(() => {
      if (!stream.readableEnded) stream.close(NGHTTP2_NO_ERROR);
    });
  }

  /** Receives the head of the response. */
  head(status: number, headers: OutgoingHttpHeaders): void {
    const fields = { ...headers, ':status': status };
    if (status === 101) {
      // Any 2xx accepts, and there is no key to answer (RFC 8441, 5).
      delete headers['sec-websocket-accept'];
      this.#stream.respond({ ...headers, ':status': 200 });
      this.#response = undefined;
      this.#read();
    } else if (status < 200) {
      this.#stream.additionalHeaders(fields);
    } else {
      this.#stream.respond(fields);
      // What the client sends after a refusal is discarded.
      this.#read();
    }
  }

  /** Receives a part of the body of the response. */
  body(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  setTimeout(ms: number, callback?: () => void): this {
    if (callback !== undefined) this.once('timeout', callback);
    if (!this.#hasTimeout) this.#stream.on('timeout', onStreamTimeout);
    this.#hasTimeout = true;
    this.#stream.setTimeout(ms);
    return this;
  }

  address(): object {
    const { session } = this;
    return {
      address: ofSession(session, 'localAddress'),
      family: ofSession(session, 'localFamily'),
      port: ofSession(session, 'localPort'),
    };
  }

  /** Begins to read what the client sends after the head of the request. */
  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    if (this.#body === 'chunked') this.#stream.on('trailers', onStreamTrailers);
    this.#stream.on('end', onStreamEnd);
    this.#stream.on('data', onStreamData);
  }

  #onData(data: Buffer): void {
    this.bytesRead += data.length;
    // A message may stay in a queue. It must not retain the memory of all streams that came with it.
    const chunk = data.length < data.buffer.byteLength ? copy(data) : data;
    let mayGoOn: boolean;
    if (this.#body !== 'chunked' || this.#response === undefined) mayGoOn = this.push(chunk);
    else {
      this.push(`${data.length.toString(16)}\r\n`, 'latin1');
      this.push(chunk);
      mayGoOn = this.push('\r\n', 'latin1');
    }
    if (!mayGoOn) this.#stream.pause();
  }

  #onEnd(): void {
    if (this.#body === 'chunked') this.push(`0\r\n${this.#requestTrailers}\r\n`, 'latin1');
    // The end of a request is not the end of its connection: over HTTP/1.1 that would end the response, too.
    if (this.#response === undefined || this.writableEnded) this.push(null);
  }

  #onTrailers(rawTrailers: readonly string[]): void {
    this.#requestTrailers = writeTrailers(rawTrailers);
  }

  /** Called when the client has reset the stream. Node would keep the stream until somebody has read its data. */
  #onAborted(): void {
    if (this.destroyed) return;
    this.destroy(new ResetError());
    setImmediate(() => this.#stream.destroy());
  }

  /** Called when the stream has closed: both sides have ended, or one has reset it, or the session is lost. */
  #onClose(): void {
    if (this.destroyed) return;
    if (this.#stream.rstCode !== NGHTTP2_NO_ERROR) this.destroy(new ResetError());
    else if (!this.#isReading || !this.writableFinished) this.destroy();
  }

  static {
    onStreamData = function (data) {
      this[SOCKET].#onData(data);
    };
    onStreamEnd = function () {
      this[SOCKET].#onEnd();
    };
    onStreamTrailers = function (_headers, _flags, rawTrailers) {
      this[SOCKET].#onTrailers(rawTrailers);
    };
    onStreamTimeout = function () {
      this[SOCKET].emit('timeout');
    };
    onStreamAborted = function () {
      this[SOCKET].#onAborted();
    };
    onStreamClose = function () {
      this[SOCKET].#onClose();
    };
    // What a socket knows of its connection. The session answers until it is destroyed.
    for (const name of OF_THE_CONNECTION) {
      Object.defineProperty(this.prototype, name, {
        get(this: Http2Socket) {
          return ofSession(this.session, name);
        },
        configurable: true,
      });
    }
  }
}

function ofSession(session: ServerHttp2Session, name: string): unknown {
  // The socket of a destroyed session throws. That of a closed TCP connection is silent.
  if (session.destroyed) return undefined;
  return (session.socket as unknown as Record<string, unknown>)[name];
}

/** Copies bytes to memory of their own. Node's pool would retain its 8 KiB for each. */
function copy(data: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(data.length);
  data.copy(own);
  return own;
}

/** Returns whether Node could not parse the request. Then it writes a response, and destroys the socket at once. */
function isParseError(error: unknown): boolean {
  return String((error as { code?: unknown } | null)?.code).startsWith('HPE_');
}

/** Is like the error of a socket whose peer has reset the connection. */
class ResetError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('read ECONNRESET');
  }
}

function ignore(): void {
  // 'close' follows.
}
