import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** Connects to a server, and waits until it has said that it takes websockets. */
export async function openSession(
  url: string,
  options: Parameters<typeof connect>[1] = {},
): Promise<ClientHttp2Session> {
  const session = connect(url, { rejectUnauthorized: false, ...options });
  session.on('error', () => undefined);
  await new Promise((resolve, reject) => {
    session.once('remoteSettings', resolve);
    session.once('close', reject);
  });
  return session;
}

/** Sends an extended CONNECT (RFC 8441, 5). */
export function requestWebsocket(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':authority': 'localhost',
    ':path': path,
    'sec-websocket-version': '13',
    ...headers,
  });
  stream.on('error', () => undefined);
  return stream;
}

/**
 * A stream of HTTP/2 that a client for HTTP/1.1 can use as its socket: its handshake becomes an extended CONNECT, and a 200
 * becomes a 101. FIN is END_STREAM, and RST is RST_STREAM with CANCEL.
 */
export class Http2Tunnel extends Duplex {
  readonly #session: ClientHttp2Session;
  #head = '';
  #stream: ClientHttp2Stream | undefined;
  #wantsData = false;

  constructor(session: ClientHttp2Session) {
    super({ allowHalfOpen: false });
    this.#session = session;
  }

  asSocket(): Socket {
    return this as Duplex as Socket;
  }

  setNoDelay(): this {
    return this;
  }

  resetAndDestroy(): this {
    this.#stream?.close(NGHTTP2_CANCEL);
    return this.destroy();
  }

  override _read(): void {
    this.#wantsData = true;
    this.#stream?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#stream !== undefined) {
      this.#stream.write(chunk, () => {
        done();
      });
      return;
    }
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end !== -1) {
      this.#request(this.#head.slice(0, end));
      const rest = this.#head.slice(end + 4);
      if (rest !== '') this.#stream!.write(rest, 'latin1');
    }
    done();
  }

  override _final(done: () => void): void {
    if (this.#stream === undefined) done();
    else
      this.#stream.end(() => {
        done();
      });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream?.close(NGHTTP2_CANCEL);
    done(error);
  }

  #request(head: string): void {
    const [first = '', ...lines] = head.split('\r\n');
    const headers = lines
      .map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ])
      .filter(([name]) => !/^(?:host|connection|upgrade|sec-websocket-key)$/.test(name as string));
    const stream = requestWebsocket(
      this.#session,
      first.split(' ')[1] as string,
      Object.fromEntries(headers) as Record<string, string>,
    );
    this.#stream = stream;
    stream.on('response', ({ ':status': status, ...fields }) => {
      const texts = Object.entries(fields).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      this.push(`HTTP/1.1 ${status === 200 ? '101' : String(status)} -\r\n${texts.join('')}\r\n`);
      stream.on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) stream.pause();
      });
      stream.on('end', () => this.push(null));
    });
    stream.on('close', () => {
      if (stream.rstCode === NGHTTP2_NO_ERROR) this.push(null);
      else this.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    });
    if (!this.#wantsData) stream.pause();
  }
}
