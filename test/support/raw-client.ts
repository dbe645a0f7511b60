import { connect, type Socket } from 'node:net';
import { DEADLINE } from './inbox.js';
import { FrameReader, Opcode, type RawFrame } from './raw-frames.js';

/** RFC 6455, section 1.3: its key and the answer that belongs to it. */
export const RFC_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const RFC_ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export interface HandshakeOptions {
  path?: string;
  /** Added to the usual headers, or in place of one; `undefined` leaves a header out. */
  headers?: Record<string, string | undefined>;
  method?: string;
  httpVersion?: string;
}

export interface RawClientOptions extends HandshakeOptions {
  host?: string;
  localAddress?: string;
  /** Does not end its side when the server ends its own. */
  allowHalfOpen?: boolean;
  /** A stream that is connected already, in place of a connection to the port. */
  socket?: Socket | undefined;
  /** Bytes in the same segment as the handshake, behind it. */
  early?: Buffer;
  /** What to send in place of a handshake. */
  request?: Buffer | string;
}

export interface RawResponse {
  status: number;
  headers: Map<string, string>;
  /** Header lines as they came. */
  head: string;
  /** What had come behind the head; the whole body, once `ended` has resolved. */
  body(): string;
}

export function handshakeRequest(options: HandshakeOptions = {}): string {
  const { path = '/', method = 'GET', httpVersion = '1.1' } = options;
  const headers: Record<string, string | undefined> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': RFC_KEY,
    'Sec-WebSocket-Version': '13',
    ...options.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return [`${method} ${path} HTTP/${httpVersion}`, ...lines, '', ''].join('\r\n');
}

/**
 * A client that writes any bytes and reads whole frames: for what no honest client would do.
 *
 * Every wait has a deadline and rejects with what had come until then.
 */
export class RawClient {
  readonly socket: Socket;
  /** Every frame since the 101, oldest first. */
  readonly frames: RawFrame[] = [];
  /** Resolves when the server has ended its side: `'end'` (FIN), or the error code (`'ECONNRESET'`). */
  readonly ended: Promise<string>;
  #end: string | undefined;
  #reader = new FrameReader();
  #head = '';
  #afterHead: Buffer[] = [];
  #response: RawResponse | undefined;
  #next = 0;
  #listeners = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#end ??= how;
        this.#notify();
        resolve(this.#end);
      };
      socket.on('end', () => end('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      socket.on('close', () => end('close'));
    });
  }

  /** The bytes that are left when no whole frame is. */
  get rest(): Buffer {
    return this.#reader.rest;
  }

  /** Messages, pings, pongs and closes in separate rows, as they came. */
  framesOf(...opcodes: number[]): RawFrame[] {
    return this.frames.filter((frame) => opcodes.includes(frame.opcode));
  }

  write(...chunks: (Buffer | string)[]): void {
    for (const chunk of chunks) this.socket.write(chunk);
  }

  /** Writes byte by byte, with a turn of the event loop behind each, so that a server reads them one by one. */
  async writeSlowly(bytes: Buffer): Promise<void> {
    for (let i = 0; i < bytes.length && !this.socket.destroyed; i++) {
      this.socket.write(bytes.subarray(i, i + 1));
      await new Promise(setImmediate);
    }
  }

  /** The answer to the handshake. */
  async response(deadline?: number): Promise<RawResponse> {
    await this.until(() => this.#response !== undefined, 'an answer', deadline);
    return this.#response!;
  }

  /** The next frame, or `null` when the server has ended the connection. */
  async nextFrame(deadline?: number): Promise<RawFrame | null> {
    await this.until(() => this.frames.length > this.#next || this.#end !== undefined, 'a frame', deadline);
    return this.frames[this.#next++] ?? null;
  }

  /** Resolves as soon as `condition` holds; looks after each chunk. Rejects when it can hold no more, at the end. */
  async until(condition: () => boolean, what: string, deadline = DEADLINE): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (condition()) resolve();
        else if (this.#end !== undefined)
          reject(new Error(`expected ${what} before the end; ${this.#describe()}`));
        else return;
        stop();
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`expected ${what} within ${deadline} ms; ${this.#describe()}`));
      }, deadline);
      const stop = () => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** How the server ended the connection. */
  async end(deadline?: number): Promise<string> {
    await this.until(() => this.#end !== undefined, 'the end of the connection', deadline);
    return this.#end ?? '';
  }

  /** RST: the peer is told nothing but that the connection is gone. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#response === undefined) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.#response = parseHead(this.#head.slice(0, end), () => Buffer.concat(this.#afterHead).toString());
      chunk = Buffer.from(this.#head.slice(end + 4), 'latin1');
    }
    if (this.#response.status === 101) this.frames.push(...this.#reader.push(chunk));
    else this.#afterHead.push(chunk);
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #describe(): string {
    const frames = this.frames.slice(-5).map((frame) => {
      const hex = frame.bytes.subarray(0, 24).toString('hex');
      return frame.bytes.length > 24 ? `${hex}… (${String(frame.bytes.length)} bytes)` : hex;
    });
    return (
      `status ${String(this.#response?.status)}, ${String(this.frames.length)} frames [${frames.join(', ')}], ` +
      `${String(this.rest.length)} bytes more, end: ${String(this.#end)}`
    );
  }
}

/** Connects and sends the handshake; does not wait for its answer. */
export async function connectRaw(port: number, options: RawClientOptions = {}): Promise<RawClient> {
  const {
    host = '127.0.0.1',
    localAddress,
    allowHalfOpen = false,
    early = Buffer.alloc(0),
    request = handshakeRequest(options),
  } = options;
  const socket =
    options.socket ??
    connect({ port, host, allowHalfOpen, ...(localAddress !== undefined && { localAddress }) });
  const client = new RawClient(socket);
  if (options.socket === undefined) {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  }
  const bytes = Buffer.concat([Buffer.from(request), early]);
  if (bytes.length > 0) client.write(bytes);
  return client;
}

/** Connects and waits for the 101. */
export async function openRaw(port: number, options: RawClientOptions = {}): Promise<RawClient> {
  const client = await connectRaw(port, options);
  const response = await client.response();
  if (response.status !== 101) {
    client.destroy();
    throw new Error(`expected a 101, got: ${response.head}\n${response.body()}`);
  }
  return client;
}

/** Data frames in the order of their coming. */
export function messagesOf(client: RawClient): RawFrame[] {
  return client.framesOf(Opcode.continuation, Opcode.text, Opcode.binary);
}

function parseHead(head: string, body: () => string): RawResponse {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name) ?? ''}, ${value}` : value);
  }
  return { status: Number(statusLine.split(' ')[1]), headers, head, body };
}
