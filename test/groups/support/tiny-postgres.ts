import { EventEmitter } from 'node:events';
import type { PostgresClient } from './postgres-backplane.js';

/** Imitates LISTEN and NOTIFY of PostgreSQL in memory. */
export class TinyPostgres {
  readonly #clients = new Set<TinyClient>();
  #isUp = true;

  /** The number of open connections. */
  get size(): number {
    return this.#clients.size;
  }

  readonly connect = async (): Promise<PostgresClient> => {
    // As over a network, a query that has begun still runs.
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#isUp) throw new Error('connect ECONNREFUSED');
    const client = new TinyClient(this.#clients);
    this.#clients.add(client);
    return client;
  };

  stop(): void {
    this.#isUp = false;
    for (const client of this.#clients) void client.end();
  }

  begin(): void {
    this.#isUp = true;
  }
}

class TinyClient extends EventEmitter implements PostgresClient {
  readonly #clients: Set<TinyClient>;
  readonly #channels = new Set<string>();

  constructor(clients: Set<TinyClient>) {
    super();
    this.#clients = clients;
  }

  async query(sql: string, [channel = '', payload = '']: string[] = []): Promise<unknown> {
    // Replies come on a later turn, in the order of the queries.
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#clients.has(this)) throw new Error('Connection terminated');
    const [command, name = ''] = sql.split(' ');
    if (sql === 'SELECT 1') return undefined;
    if (Buffer.byteLength(payload) >= 8_000) throw new Error('payload string too long');
    if (command === 'LISTEN') this.#channels.add(name);
    else if (command === 'UNLISTEN') this.#channels.delete(name);
    else if (sql === 'SELECT pg_notify($1, $2)') {
      for (const client of this.#clients) client.#notify(channel, payload);
    } else throw new Error(`syntax error at "${sql}"`);
    return undefined;
  }

  async end(): Promise<void> {
    if (!this.#clients.delete(this)) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.emit('end');
  }

  #notify(channel: string, payload: string): void {
    if (this.#channels.has(channel)) this.emit('notification', { channel, payload });
  }
}
