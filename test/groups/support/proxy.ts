import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A network between a client and Redis that can fail. */
export class Proxy {
  readonly port: number;
  /** The port to which new connections lead. */
  target: number;
  /** The connections of clients, in the order in which they came. */
  readonly connections: Socket[] = [];
  readonly #server: Server;
  readonly #muted = new Set<Socket>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => {
      this.connections.push(client);
      const redis = connect(this.target, '127.0.0.1');
      this.#pipe(client, redis, client);
      this.#pipe(redis, client, client);
    });
  }

  static async start(target: number): Promise<Proxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Proxy(server, target);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The connection with this number, as soon as it is there. */
  async accept(index: number): Promise<Socket> {
    while (this.connections.length <= index) await once(this.#server, 'connection');
    return this.connections[index]!;
  }

  /** From now on what either side of a connection says is lost, and neither side learns it. */
  mute(connection: Socket): void {
    this.#muted.add(connection);
  }

  /** Keeps what clients say; returns a function that lets it through. */
  hold(): () => void {
    const held = [...this.connections];
    for (const connection of held) connection.pause();
    return () => {
      for (const connection of held) connection.resume();
    };
  }

  /** Breaks all connections. */
  cut(): void {
    for (const connection of this.connections.splice(0)) connection.destroy();
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const connection of this.connections) connection.destroy();
    await once(this.#server, 'close');
  }

  #pipe(from: Socket, to: Socket, client: Socket): void {
    from.on('data', (data) => {
      if (!this.#muted.has(client)) to.write(data);
    });
    from.on('close', () => to.destroy());
    from.on('error', () => {});
  }
}
