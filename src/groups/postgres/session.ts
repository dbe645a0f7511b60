import { now } from '../../shared/real-timers.js';
import { Fifo } from '../redis/fifo.js';
import type { PostgresClient, PostgresNotification } from './pool.js';

interface Query {
  readonly sql: string;
  readonly values: unknown[] | undefined;
  readonly resolve: (rows: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface SessionEvents {
  readonly notification: (notification: PostgresNotification) => void;
  /** Called once when the connection is lost. */
  readonly lost: (error: Error) => void;
}

/** Runs queries over one client of a pool, one at a time and in order. Ends with the connection. */
export class Session {
  readonly #client: PostgresClient;
  readonly #events: SessionEvents;
  readonly #waiting = new Fifo<Query>();
  #running: Query | undefined;
  #askedAt = 0;
  #loss: Error | undefined;

  constructor(client: PostgresClient, events: SessionEvents) {
    this.#client = client;
    this.#events = events;
    client.on('notification', (notification) => {
      if (this.#loss === undefined) this.#events.notification(notification);
    });
    // Stays for ever: without a listener, a late error would end the process.
    client.on('error', (error) => this.end(error));
    client.on('end', () => this.end(undefined));
  }

  /** Since when the current query waits for its answer; `undefined` if there is none. */
  get askedSince(): number | undefined {
    return this.#running === undefined ? undefined : this.#askedAt;
  }

  query(sql: string, values?: unknown[]): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      if (this.#loss !== undefined) {
        reject(this.#loss);
        return;
      }
      this.#waiting.push({ sql, values, resolve, reject });
      this.#runNext();
    });
  }

  /** Ends the connection, and rejects all queries. May be called again. */
  end(error: Error | undefined, isNews = true): void {
    if (this.#loss !== undefined) return;
    const loss = error ?? new Error('the connection to PostgreSQL has ended');
    this.#loss = loss;
    const queries = [this.#running, ...this.#waiting];
    this.#running = undefined;
    for (const query of queries) query?.reject(loss);
    // Not back into the pool: it listens to our channels.
    this.#client.release(true);
    if (isNews) this.#events.lost(loss);
  }

  #runNext(): void {
    if (this.#running !== undefined || this.#loss !== undefined) return;
    const query = this.#waiting.shift();
    if (query === undefined) return;
    this.#running = query;
    this.#askedAt = now();
    const next = (): void => {
      if (this.#running !== query) return;
      this.#running = undefined;
      this.#runNext();
    };
    this.#client.query(query.sql, query.values).then(
      ({ rows }) => {
        query.resolve(rows);
        next();
      },
      (error: unknown) => {
        query.reject(error);
        next();
      },
    );
  }
}
