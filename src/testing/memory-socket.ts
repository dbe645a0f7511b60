import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate } from '../shared/real-timers.js';

/** What the receiving end of TCP keeps for a process that does not read. */
const RECEIVE_BUFFER = 65_536;

let connections = 0;

/**
 * One end of a connection that needs no network and no port, and keeps nothing alive.
 *
 * It is to the HTTP parser, to middleware and to the core what a `net.Socket` is. As over a network nothing arrives
 * within the call that sends it, what is written while a segment is on its way arrives in one piece, and who does not
 * read holds up the other end.
 */
class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remoteFamily = 'IPv4';
  readonly remotePort: number;
  readonly localAddress = '127.0.0.1';
  readonly localFamily = 'IPv4';
  readonly localPort: number;
  readonly connecting = false;
  readonly pending = false;
  timeout = 0;
  bytesRead = 0;
  bytesWritten = 0;
  #peer!: MemorySocket;
  // The peer's write that has not been taken yet.
  #taken: (() => void) | undefined;

  constructor(localPort: number, remotePort: number, allowHalfOpen: boolean) {
    super({ allowHalfOpen, readableHighWaterMark: RECEIVE_BUFFER });
    this.localPort = localPort;
    this.remotePort = remotePort;
  }

  static join(client: MemorySocket, server: MemorySocket): void {
    client.#peer = server;
    server.#peer = client;
  }

  get readyState(): string {
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.bytesWritten += chunk.length;
    setImmediate(() => {
      if (this.#peer.destroyed) done(brokenPipe());
      else this.#peer.#receive(chunk, done);
    });
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer' as BufferEncoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      this.#peer.#receiveEnd();
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#taken?.();
    setImmediate(() => {
      this.#peer.#receiveEnd();
      done(error);
    });
  }

  #receive(chunk: Buffer, taken: () => void): void {
    this.bytesRead += chunk.length;
    if (this.push(chunk)) taken();
    else this.#taken = taken;
  }

  #receiveEnd(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  // What else a net.Socket has. Nothing times out here, and there is no handle that could keep the process alive.

  setTimeout(timeout: number): this {
    this.timeout = timeout;
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): { address: string; family: string; port: number } {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort };
  }

  destroySoon(): void {
    if (this.writableFinished) {
      this.destroy();
      return;
    }
    this.once('finish', () => this.destroy());
    if (!this.writableEnded) this.end();
  }

  resetAndDestroy(): this {
    this.#peer.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
    return this.destroy();
  }
}

function brokenPipe(): Error {
  return Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
}

/** Both ends of a connection in memory; `tls`: as the server sees one whose TLS handshake is done. */
export function createSocketPair(tls: boolean): { client: Socket; server: Socket } {
  // Port 0 is nobody's, so the two ports tell this connection from all others.
  const client = new MemorySocket(++connections, 0, false);
  const server = new MemorySocket(0, client.localPort, true);
  MemorySocket.join(client, server);
  if (tls) Object.assign(server, { encrypted: true });
  return { client: client as Duplex as Socket, server: server as Duplex as Socket };
}
