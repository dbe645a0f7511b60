import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Imitates a network between clients and Redis that can fail. */
export class Proxy {
  readonly port: number;
  /** The port to which it connects. */
  target: number;
  /** The connections of clients, in order. */
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

  /** Resolves with the connection of this number as soon as it exists. */
  async accept(index: number): Promise<Socket> {
    while (this.connections.length <= index) await once(this.#server, 'connection');
    return this.connections[index]!;
  }

  /** Drops all data of a connection from now on, without closing it. */
  mute(connection: Socket): void {
    this.#muted.add(connection);
  }

  /** Holds the data of clients back. Returns a function that sends it on. */
  hold(): () => void {
    const held = [...this.connections];
    for (const connection of held) connection.pause();
    return () => {
      for (const connection of held) connection.resume();
    };
  }

  /** Closes all connections. */
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
