import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate } from '../shared/real-timers.js';
import { SocketLike } from '../shared/socket-like.js';

/** Bytes that a TCP receiver buffers for a process that does not read. */
const RECEIVE_BUFFER = 65_536;

let connections = 0;

/**
 * Forms one end of a connection without a network and a port. It does not keep the process alive.
 *
 * It behaves like a `net.Socket` for the HTTP parser, for middleware and for this package. As over a network, data arrives
 * after the call that sends it. Chunks that are written during a pending write arrive in one piece. A side that does not
 * read stops the other side.
 */
class MemorySocket extends SocketLike {
  readonly remoteAddress = '127.0.0.1';
  readonly remoteFamily = 'IPv4';
  readonly remotePort: number;
  readonly localAddress = '127.0.0.1';
  readonly localFamily = 'IPv4';
  readonly localPort: number;
  timeout = 0;
  bytesRead = 0;
  bytesWritten = 0;
  #peer!: MemorySocket;
  // Completes the peer's pending write.
  #acknowledge: (() => void) | undefined;

  constructor(localPort: number, remotePort: number, allowHalfOpen: boolean) {
    super({ allowHalfOpen, readableHighWaterMark: RECEIVE_BUFFER });
    this.localPort = localPort;
    this.remotePort = remotePort;
  }

  static join(client: MemorySocket, server: MemorySocket): void {
    client.#peer = server;
    server.#peer = client;
  }

  override _read(): void {
    const acknowledge = this.#acknowledge;
    this.#acknowledge = undefined;
    acknowledge?.();
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
    this.#acknowledge?.();
    setImmediate(() => {
      this.#peer.#receiveEnd();
      done(error);
    });
  }

  #receive(chunk: Buffer, acknowledge: () => void): void {
    this.bytesRead += chunk.length;
    if (this.push(chunk)) acknowledge();
    else this.#acknowledge = acknowledge;
  }

  #receiveEnd(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  // This socket never times out.
  setTimeout(timeout: number): this {
    this.timeout = timeout;
    return this;
  }

  address(): { address: string; family: string; port: number } {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort };
  }

  override resetAndDestroy(): this {
    this.#peer.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
    return this.destroy();
  }
}

function brokenPipe(): Error {
  return Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
}

/** Creates both ends of a connection in memory. With `tls`, the server's end looks like one with a completed TLS handshake. */
export function createSocketPair(tls: boolean): { client: Socket; server: Socket } {
  // No real connection has port 0, so the two ports identify this connection.
  const client = new MemorySocket(++connections, 0, false);
  const server = new MemorySocket(0, client.localPort, true);
  MemorySocket.join(client, server);
  if (tls) Object.assign(server, { encrypted: true });
  return { client: client as Duplex as Socket, server: server as Duplex as Socket };
}
