import { Connection, type Target } from './connection.js';
import { encodeFrame, FrameReader, Opcode } from './frames.js';

export interface VisitsPlan {
  /** Visitors at the same time. Each one reconnects as soon as it has closed. */
  atOnce: number;
}

const HELLO = Buffer.from('hello');
const HELLO_FRAME = encodeFrame(Opcode.text, HELLO, true);
const CLOSE_FRAME = encodeFrame(Opcode.close, Buffer.from([1000 >> 8, 1000 & 0xff]), true);

/** Visitors connect, send hello, receive its echo, close cleanly, and reconnect. */
export class VisitsLoad {
  #visits = 0;
  #stopped = false;

  constructor(target: Target, plan: VisitsPlan) {
    for (let visitor = 0; visitor < plan.atOnce; visitor++) void this.#comeAndGo(target);
  }

  /** The number of visits so far. */
  get count(): number {
    return this.#visits;
  }

  stop(): void {
    this.#stopped = true;
  }

  async #comeAndGo(target: Target): Promise<void> {
    while (!this.#stopped) {
      try {
        await visit(await Connection.open(target));
      } catch (error) {
        // After stop() the server may have ended.
        if (!this.#stopped) throw error;
      }
      this.#visits++;
    }
  }
}

function visit(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    let echoed = false;
    let closed = false;
    const reader = new FrameReader((opcode, payload) => {
      if (opcode === Opcode.text && payload.equals(HELLO) && !echoed) {
        echoed = true;
        connection.socket.write(CLOSE_FRAME);
      } else if (opcode === Opcode.close && echoed) {
        closed = true;
        // The server should end first (RFC 6455, 7.1.1). We do not wait for servers that don't.
        connection.socket.end();
      } else reject(new Error(`expected the echo, got: ${payload.toString()}`));
    });
    connection.receive = (chunk) => {
      reader.read(chunk);
    };
    connection.onClose = () => {
      if (closed) resolve();
      else reject(new Error('the server closed the connection before the echo and the closing handshake'));
    };
    connection.socket.write(HELLO_FRAME);
  });
}
