import { Connection, openMany, type Target } from './connection.js';
import { encodeFrame, FrameReader, Opcode } from './frames.js';

const CLOSE_FRAME = encodeFrame(Opcode.close, Buffer.from([1000 >> 8, 1000 & 0xff]), true);

/** Many open connections with little traffic. Each can echo once, and close. */
export class Crowd {
  #members: Member[] = [];

  async grow(target: Target, count: number): Promise<void> {
    const members = await openMany(count, async () => new Member(await Connection.open(target)));
    this.#members = this.#members.concat(members);
  }

  /** Sends a different message on each connection, some at a time, and waits for the echoes. */
  async echoOnce(): Promise<void> {
    await openMany(this.#members.length, (index) =>
      (this.#members[index] as Member).echo(`I am ${String(index)}`),
    );
  }

  /** Closes all. Resolves when the server has answered each close and all sockets have ended. */
  async close(): Promise<number> {
    const closed = await openMany(this.#members.length, (index) => (this.#members[index] as Member).close());
    this.#members = [];
    return closed.length;
  }

  leave(): void {
    for (const member of this.#members) member.connection.destroy();
    this.#members = [];
  }
}

class Member {
  readonly connection: Connection;
  #reader: FrameReader | undefined;
  #waiting: { opcode: number; text: string; resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.receive = (chunk) => {
      this.#reader ??= new FrameReader((opcode, payload) => {
        this.#onFrame(opcode, payload);
      });
      this.#reader.read(chunk);
    };
  }

  echo(text: string): Promise<void> {
    return this.#ask(Opcode.text, text, encodeFrame(Opcode.text, Buffer.from(text), true));
  }

  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => (this.connection.onClose = resolve));
    await this.#ask(Opcode.close, '\u0003\u00e8', CLOSE_FRAME);
    this.connection.socket.end();
    await ended;
  }

  #ask(opcode: number, text: string, frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { opcode, text, resolve, reject };
      this.connection.socket.write(frame);
    });
  }

  #onFrame(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.ping) {
      this.connection.socket.write(encodeFrame(Opcode.pong, payload, true));
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const text = payload.toString('latin1');
    if (waiting?.opcode === opcode && waiting.text === text) waiting.resolve();
    else {
      const error = new Error(`unexpected frame: opcode ${String(opcode)}, ${text}`);
      if (waiting === undefined) throw error;
      waiting.reject(error);
    }
  }
}
