import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader, Opcode } from './frames.js';
import { afterHandshake, handshakeRequest } from './handshake.js';
import { openStream } from './http2-stream.js';
import type { Dialect } from './script.js';

export interface Target {
  host?: string;
  port: number;
  path: string;
  dialect: Dialect;
}

/** Receives the bytes after the handshake. The chunk is overwritten after the call. */
export type Receive = (chunk: Buffer) => void;

/** Returns the target for a member or a sender of a group: named by the path, or by the query of Socket.IO. */
export function inRole(target: Target, role: 'member' | 'sender', group: number): Target {
  const path =
    target.dialect === 'socket.io'
      ? `${target.path}&role=${role}&group=${String(group)}`
      : `/${role}?group=${String(group)}`;
  return { ...target, path };
}

// One buffer for all connections: each chunk is processed before the next is read. So a client takes less CPU than any
// server, and little memory.
const readBuffer = Buffer.allocUnsafe(256 * 1024);

/** A minimal WebSocket client: makes the handshake, and passes on bytes. */
export class Connection {
  readonly socket: Duplex;
  receive: Receive;
  onClose: () => void;
  #fail: ((error: Error) => void) | undefined;

  private constructor(target: Target, ready: (connection: Connection) => void, fail: (error: Error) => void) {
    const host = target.host ?? '127.0.0.1';
    this.#fail = fail;
    this.onClose = () => {
      throw new Error('the server closed a connection');
    };
    let received = Buffer.alloc(0);
    this.receive = (chunk) => {
      received = Buffer.concat([received, chunk]);
      const rest = afterHandshake(received);
      if (rest === undefined) return;
      this.#fail = undefined;
      this.receive = () => {
        throw new Error('the server sent data before the first request');
      };
      ready(this);
      if (rest.length > 0) this.receive(rest);
    };
    this.socket =
      target.dialect === 'http2'
        ? openStream(`http://${host}:${String(target.port)}`, target.path, (chunk) => {
            this.receive(chunk);
          })
        : connectSocket({
            host,
            port: target.port,
            noDelay: true,
            onread: {
              buffer: readBuffer,
              callback: (count, buffer) => {
                try {
                  this.receive((buffer as Buffer).subarray(0, count));
                } catch (error) {
                  if (this.#fail === undefined) throw error;
                  this.#fail(error as Error);
                }
                return true;
              },
            },
          });
    this.socket.on('error', (error) => {
      if (this.#fail === undefined) throw error;
      this.#fail(error);
    });
    this.socket.on('close', () => {
      if (this.#fail === undefined) this.onClose();
      else this.#fail(new Error('the server closed the connection before the handshake was complete'));
    });
    if (target.dialect !== 'http2')
      this.socket.write(handshakeRequest(`${host}:${String(target.port)}`, target.path));
  }

  /** Opens a connection. Resolves when messages may be sent; the caller then sets `receive`. */
  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const ready = target.dialect === 'socket.io' ? (it: Connection) => greetSocketIo(it, resolve) : resolve;
      new Connection(target, ready, reject);
    });
  }

  /** Does the same without the greeting of Socket.IO. Calls `ready` before the first byte after the handshake. */
  static openRaw(target: Target, ready: (connection: Connection) => void): Promise<Connection> {
    return new Promise((resolve, reject) => {
      new Connection(
        target,
        (connection) => {
          ready(connection);
          resolve(connection);
        },
        reject,
      );
    });
  }

  /** From now on, the server may end the connection. */
  expectEnd(): void {
    this.onClose = () => undefined;
    this.#fail = () => undefined;
  }

  destroy(): void {
    this.expectEnd();
    this.socket.destroy();
  }
}

/** Waits for Engine.IO's open packet (0), requests the default namespace (40), and waits for its confirmation (40). */
function greetSocketIo(connection: Connection, done: (connection: Connection) => void): void {
  const reader = new FrameReader((_opcode, payload) => {
    const packet = payload.toString();
    if (packet.startsWith('0')) connection.socket.write(encodeFrame(Opcode.text, Buffer.from('40'), true));
    else if (packet.startsWith('40')) done(connection);
    else throw new Error(`expected a handshake packet of Socket.IO, got: ${packet}`);
  });
  connection.receive = (chunk) => {
    reader.read(chunk);
  };
}

/** Opens `count` connections, a few at a time, so that no accept queue overflows. */
export async function openMany<C>(count: number, open: (index: number) => Promise<C>): Promise<C[]> {
  const connections: C[] = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => open(first + index));
    connections.push(...(await Promise.all(some)));
  }
  return connections;
}

const AT_ONCE = 100;
