import { connect as connectSocket, type Socket } from 'node:net';
import { encodeFrame, FrameReader, Opcode } from './frames.js';
import { afterHandshake, handshakeRequest } from './handshake.js';
import type { Dialect } from './script.js';

export interface Target {
  host?: string;
  port: number;
  path: string;
  dialect: Dialect;
}

/** What is done with the bytes behind the handshake. The chunk is overwritten after the call. */
export type Receive = (chunk: Buffer) => void;

/** The same server for a connection with a part to play in a group: by its path, or by what Socket.IO lets one say. */
export function inRole(target: Target, role: 'member' | 'sender', group: number): Target {
  const path =
    target.dialect === 'socket.io'
      ? `${target.path}&role=${role}&group=${String(group)}`
      : `/${role}?group=${String(group)}`;
  return { ...target, path };
}

// One buffer for all connections: a chunk is looked at before the next is read. It makes a client that costs less
// than any server, and little memory for each connection.
const readBuffer = Buffer.allocUnsafe(256 * 1024);

/** A WebSocket client of the bare minimum: it does the handshake and hands over bytes. */
export class Connection {
  readonly socket: Socket;
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
        throw new Error('nothing was expected yet');
      };
      ready(this);
      if (rest.length > 0) this.receive(rest);
    };
    this.socket = connectSocket({
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
      else this.#fail(new Error('closed before the handshake was over'));
    });
    this.socket.write(handshakeRequest(`${host}:${String(target.port)}`, target.path));
  }

  /** Resolves when messages may be sent; whoever opened it sets `receive` then. */
  static open(target: Target): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const ready = target.dialect === 'socket.io' ? (it: Connection) => greetSocketIo(it, resolve) : resolve;
      new Connection(target, ready, reject);
    });
  }

  destroy(): void {
    this.onClose = () => undefined;
    this.#fail = () => undefined;
    this.socket.destroy();
  }
}

/** Engine.IO's open packet (0) comes, the default namespace is asked for (40) and granted (40). */
function greetSocketIo(connection: Connection, done: (connection: Connection) => void): void {
  const reader = new FrameReader((_opcode, payload) => {
    const packet = payload.toString();
    if (packet.startsWith('0')) connection.socket.write(encodeFrame(Opcode.text, Buffer.from('40'), true));
    else if (packet.startsWith('40')) done(connection);
    else throw new Error(`not the greeting of Socket.IO: ${packet}`);
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
