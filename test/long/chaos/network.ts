import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pause } from './pause.js';

/** The way of one process to the server. */
export class Way {
  readonly port: number;
  /** Where new connections lead. */
  target: number;
  /** Milliseconds that each piece takes. */
  latency = 0;
  isRefusing = false;
  #stalled: Promise<void> | undefined;
  #resume: (() => void) | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => {
      if (this.isRefusing) {
        client.destroy();
        return;
      }
      const server = connect(this.target, '127.0.0.1');
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('data', (data) => void this.#pass(one, other, data));
        one.on('error', () => {});
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  static async open(target: number): Promise<Way> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Way(server, target);
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing gets through, and nobody learns it. */
  stall(): void {
    this.#stalled = new Promise((resolve) => (this.#resume = resolve));
  }

  /** Ends all that was wrong. */
  heal(): void {
    this.#stalled = undefined;
    this.#resume?.();
    this.latency = 0;
    this.isRefusing = false;
  }

  async close(): Promise<void> {
    this.heal();
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  async #pass(from: Socket, to: Socket, data: Buffer): Promise<void> {
    if (this.#stalled !== undefined || this.latency > 0) {
      from.pause();
      if (this.latency > 0) await pause(this.latency);
      await this.#stalled;
      from.resume();
    }
    if (to.write(data) || to.destroyed) return;
    from.pause();
    to.once('drain', () => from.resume());
  }
}
