import { Connection, type Target } from './connection.js';
import { encodeFrame, FrameReader, Opcode } from './frames.js';
import { encodeMessage } from './script.js';

/** What a client of Socket.IO shows to recover the state of its earlier connection. */
export interface Recovery {
  /** The private id of the session. */
  pid: string;
  /** The id of the last message. */
  offset: string;
}

/** Called with each text, and over Socket.IO with its id, if the server gives one. */
export type OnText = (text: string, offset?: string) => void;

/**
 * A minimal client for text: plain WebSocket, or the event `message` of Socket.IO.
 *
 * It takes about the same CPU in both dialects. Unlike the client of Socket.IO, it has no timers: it reconnects when the load
 * says so.
 */
export class Client {
  /** The private id of the session. Only a server of Socket.IO with connection state recovery sends it. */
  pid: string | undefined;
  readonly #isPlain: boolean;
  readonly #onText: OnText;
  readonly #recovery: Recovery | undefined;
  readonly #reader = new FrameReader((opcode, payload) => this.#onFrame(opcode, payload));
  #connection: Connection | undefined;
  #onOpen: (() => void) | undefined;

  private constructor(dialect: Target['dialect'], onText: OnText, recovery: Recovery | undefined) {
    this.#isPlain = dialect === 'plain';
    this.#onText = onText;
    this.#recovery = recovery;
  }

  /** Resolves when messages may be sent. Texts may arrive before. */
  static async open(target: Target, onText: OnText, recovery?: Recovery): Promise<Client> {
    const client = new Client(target.dialect, onText, recovery);
    const opened = new Promise<void>((resolve) => (client.#onOpen = resolve));
    await Connection.openRaw(target, (connection) => {
      client.#connection = connection;
      connection.receive = (chunk) => {
        client.#reader.read(chunk);
      };
    });
    if (!client.#isPlain) await opened;
    return client;
  }

  send(text: string): void {
    const dialect = this.#isPlain ? 'plain' : 'socket.io';
    this.#connection?.socket.write(encodeMessage({ dialect, binary: false }, Buffer.from(text), true));
  }

  /** From now on, the server may end the connection. */
  expectEnd(): void {
    this.#connection?.expectEnd();
  }

  destroy(): void {
    this.#connection?.destroy();
  }

  #onFrame(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.ping) this.#write(Opcode.pong, payload);
    else if (opcode === Opcode.close)
      throw new Error(`the server closed a connection: ${payload.toString()}`);
    else if (this.#isPlain) this.#onText(payload.toString());
    else this.#onPacket(payload.toString());
  }

  /** Handles a packet of Engine.IO: open (0), ping (2), or a message (4), which is a packet of Socket.IO. */
  #onPacket(packet: string): void {
    if (packet.startsWith('42')) {
      const [, text, offset] = JSON.parse(packet.slice(2)) as [string, string, string?];
      this.#onText(text, offset);
    } else if (packet.startsWith('40')) {
      this.pid = (JSON.parse(packet.slice(2)) as { pid?: string }).pid;
      this.#onOpen?.();
    } else if (packet.startsWith('0')) {
      const recovery = this.#recovery === undefined ? '' : JSON.stringify(this.#recovery);
      this.#write(Opcode.text, Buffer.from(`40${recovery}`));
    } else if (packet === '2') {
      this.#write(Opcode.text, Buffer.from('3'));
    } else {
      throw new Error(`received an unexpected packet of Socket.IO: ${packet}`);
    }
  }

  #write(opcode: number, payload: Buffer): void {
    this.#connection?.socket.write(encodeFrame(opcode, payload, true));
  }
}
