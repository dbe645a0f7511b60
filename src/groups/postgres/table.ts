import { now } from '../../shared/real-timers.js';
import { sqlStateOf } from './faults.js';

/** Seconds for which the table keeps a message: much longer than a process needs to read it. */
const KEPT_SECONDS = 60;

const UNDEFINED_TABLE = '42P01';

export type RunQuery = (sql: string, values?: unknown[]) => Promise<unknown[]>;

/**
 * Keeps messages that are too large for a notification, for a minute.
 *
 * The table is unlogged: a crash of PostgreSQL loses notifications, too, so their messages need not survive it.
 */
export class Table {
  readonly #name: string;
  readonly #run: RunQuery;
  readonly #keptSeconds: number;
  /** When to delete old messages; `undefined` if there are none. */
  #cleanAt: number | undefined;
  #lastAdded = -Infinity;

  constructor(prefix: string, run: RunQuery, keptSeconds = KEPT_SECONDS) {
    this.#keptSeconds = keptSeconds;
    this.#name = `"${prefix}_messages"`;
    this.#run = run;
  }

  /** Runs a query that uses the table. Creates the table if it is missing. */
  async #use(sql: string, values: unknown[]): Promise<unknown[]> {
    try {
      return await this.#run(sql, values);
    } catch (error) {
      if (sqlStateOf(error) !== UNDEFINED_TABLE) throw error;
    }
    await this.#create();
    return await this.#run(sql, values);
  }

  async #create(): Promise<void> {
    const sql =
      `CREATE UNLOGGED TABLE IF NOT EXISTS ${this.#name} ` +
      '(id text PRIMARY KEY, data bytea NOT NULL, sent timestamptz NOT NULL DEFAULT now())';
    try {
      await this.#run(sql);
    } catch (error) {
      // Two processes that create it at the same time collide in the catalog.
      if (sqlStateOf(error) !== '23505' && sqlStateOf(error) !== '42P07') throw error;
    }
  }

  /** Adds messages and sends notifications, in one transaction. */
  async notify(channels: string[], payloads: string[], ids: string[], messages: Buffer[]): Promise<void> {
    const sql =
      `WITH kept AS (INSERT INTO ${this.#name} (id, data) ` +
      "SELECT id, decode(data, 'base64') FROM unnest($3::text[], $4::text[]) AS m (id, data)) " +
      'SELECT count(pg_notify(channel, payload)) FROM unnest($1::text[], $2::text[]) AS n (channel, payload)';
    const data = messages.map((message) => message.toString('base64'));
    await this.#use(sql, [channels, payloads, ids, data]);
    this.#lastAdded = now();
    this.#cleanAt ??= this.#nextClean(this.#lastAdded);
  }

  /** Returns the messages that the table still has, by id. */
  async read(ids: readonly string[]): Promise<Map<string, Buffer>> {
    const sql = `SELECT id, encode(data, 'base64') AS data FROM ${this.#name} WHERE id = ANY($1::text[])`;
    const rows = (await this.#run(sql, [ids])) as { id: string; data: string }[];
    return new Map(rows.map(({ id, data }) => [id, Buffer.from(data, 'base64')]));
  }

  /** Deletes old messages if it is time. */
  async cleanInTime(): Promise<void> {
    const time = now();
    if (this.#cleanAt === undefined || time < this.#cleanAt) return;
    this.#cleanAt = undefined;
    await this.#clean();
    const keptUntil = this.#nextClean(this.#lastAdded);
    if (keptUntil > time) this.#cleanAt ??= keptUntil;
  }

  /** Deletes what other processes have left, now and again in a minute. Does nothing without a table. */
  async cleanAtStart(): Promise<void> {
    const [row] = (await this.#run('SELECT to_regclass($1) IS NOT NULL AS exists', [this.#name])) as {
      exists: boolean;
    }[];
    if (row?.exists !== true) return;
    await this.#clean();
    this.#cleanAt ??= this.#nextClean(now());
  }

  /** Returns when a message that was added at this time is surely old. */
  #nextClean(addedAt: number): number {
    return addedAt + (this.#keptSeconds + 1) * 1_000;
  }

  async #clean(): Promise<void> {
    await this.#run(`DELETE FROM ${this.#name} WHERE sent < now() - interval '${this.#keptSeconds} seconds'`);
  }
}
