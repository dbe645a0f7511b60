import { Connection, type Target } from './connection.js';
import { encodeFrame, FrameReader, Opcode } from './frames.js';

export interface VisitsPlan {
  /** Visitors at the same time; each comes again as soon as it has gone. */
  atOnce: number;
}

const HELLO = Buffer.from('hello');
const HELLO_FRAME = encodeFrame(Opcode.text, HELLO, true);
const CLOSE_FRAME = encodeFrame(Opcode.close, Buffer.from([1000 >> 8, 1000 & 0xff]), true);

/** Visitors connect, say hello, hear it back, close cleanly, and come again. */
export class VisitsLoad {
  #visits = 0;
  #stopped = false;

  constructor(target: Target, plan: VisitsPlan) {
    for (let visitor = 0; visitor < plan.atOnce; visitor++) void this.#comeAndGo(target);
  }

  /** Visits so far. */
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
        // When it has been stopped the server may be gone.
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
        // The server ends first (RFC 6455, 7.1.1); those that don't are not waited for.
        connection.socket.end();
      } else reject(new Error(`not the echo: ${payload.toString()}`));
    });
    connection.receive = (chunk) => {
      reader.read(chunk);
    };
    connection.onClose = () => {
      if (closed) resolve();
      else reject(new Error('closed before the echo and the closing handshake'));
    };
    connection.socket.write(HELLO_FRAME);
  });
}
