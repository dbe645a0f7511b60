import { debug } from '../../shared/notices.js';
import { clearTimeout, now, setTimeout } from '../../shared/real-timers.js';
import { Availability } from '../availability.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { type BatchedMessage, Batches } from '../batches.js';
import { closedError, tooLargeError } from '../failures.js';
import { tickEvery } from '../ticker.js';
import { ChannelGroups } from './channel-groups.js';
import { cutOffError, isRefusal, queryError } from './faults.js';
import { Inbox } from './inbox.js';
import { keyOf, MAX_INLINE, NotificationWriter, readNotification } from './notification.js';
import { type PostgresBackplaneOptions, type PostgresSettings, resolvePostgresOptions } from './options.js';
import { checkPool, type PostgresClient, type PostgresNotification, type PostgresPool } from './pool.js';
import { Session } from './session.js';
import { Table } from './table.js';

const RETRY_DELAY = 250;
/** Attempts to connect at a time. A pool may keep an attempt waiting for ever, and each takes a place in it. */
const MAX_ATTEMPTS = 2;

/** A connection of ours that does not read for so long ends, because PostgreSQL keeps all notifications for it. */
const SLOW_READER_TIMEOUT = 60_000;

/**
 * Connects the groups of all processes over LISTEN and NOTIFY of PostgreSQL.
 *
 * Takes one connection of your pool, for sending and receiving, until `groups.close()`. Opens another one after an outage.
 * Messages of more than 5,900 bytes go through a table, which this creates and cleans. Messages that other processes send
 * during an outage do not arrive later.
 *
 * @param pool A `Pool` of `pg`, with a place for one more connection. A pooler between the app and PostgreSQL must keep
 *   sessions (pgBouncer: `pool_mode = session`).
 * @throws {TypeError} The value is not such a pool.
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name.
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * const groups = createGroups({ backplane: postgresBackplane(pool) });
 * pool.on('error', () => {}); // groups emit 'cutOff'
 */
export function postgresBackplane(pool: PostgresPool, options: PostgresBackplaneOptions = {}): Backplane {
  checkPool(pool);
  return new PostgresBackplane(pool, resolvePostgresOptions(options));
}

class PostgresBackplane implements Backplane {
  readonly #pool: PostgresPool;
  readonly #settings: PostgresSettings;
  readonly #availability = new Availability('postgresBackplane');
  readonly #batches: Batches;
  readonly #writer = new NotificationWriter();
  readonly #table: Table;
  readonly #inbox: Inbox;
  readonly #groups: ChannelGroups;
  #events: BackplaneEvents | undefined;
  #session: Session | undefined;
  #stopTicks: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempts = 0;
  #attemptedAt = 0;
  #closing: Promise<void> | undefined;

  constructor(pool: PostgresPool, settings: PostgresSettings) {
    this.#pool = pool;
    this.#settings = settings;
    const run = (sql: string, values?: unknown[]): Promise<unknown[]> => this.#run(sql, values);
    this.#table = new Table(settings.prefix, run);
    this.#groups = new ChannelGroups(settings.prefix, run);
    this.#batches = new Batches({
      service: 'PostgreSQL',
      availability: this.#availability,
      maxBuffered: settings.maxBuffered,
      // Only one transaction at a time keeps the order.
      parallel: 1,
      canSend: () => this.#availability.isUp(),
      send: (batch) => this.#send(batch),
    });
    this.#inbox = new Inbox({
      maxBuffered: settings.maxBuffered,
      deliver: (group, data) => this.#events?.message(group, data),
      missed: (group, count) => this.#events?.missed(group, count),
      read: (ids) => this.#table.read(ids),
      isTemporary: (error) => !isRefusal(error),
    });
  }

  start(events: BackplaneEvents): void {
    this.#availability.start(events);
    this.#events = events;
    this.#stopTicks = tickEvery(this.#settings.timeout / 2, () => this.#checkTime());
    void this.#connect();
  }

  publish(group: string, data: Buffer): Promise<void> {
    const { maxPayload } = this.#settings;
    if (data.length > maxPayload)
      return Promise.reject(
        tooLargeError(group, data.length, maxPayload, 'raise maxPayload of the backplane'),
      );
    return this.#batches.add(group, data);
  }

  async subscribe(group: string): Promise<void> {
    await this.#availability.untilUp();
    try {
      await this.#groups.add(group);
    } catch (error) {
      throw queryError(error);
    }
  }

  // `async` turns the result into a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#inbox.delete(group);
    this.#groups.delete(group);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#batches.close(this.#settings.timeout);
    this.#availability.close();
    this.#stopTicks?.();
    clearTimeout(this.#retry);
    this.#inbox.clear();
    this.#session?.end(closedError(), false);
  }

  async #run(sql: string, values?: unknown[]): Promise<unknown[]> {
    if (this.#session === undefined) throw cutOffError(new Error('there is no connection to PostgreSQL'));
    return await this.#session.query(sql, values);
  }

  /** Takes a client of the pool. The first one that is ready becomes our connection. */
  async #connect(): Promise<void> {
    if (this.#attempts >= MAX_ATTEMPTS || this.#availability.isClosed()) return;
    this.#attempts++;
    this.#attemptedAt = now();
    try {
      const client = await this.#pool.connect();
      this.#attempts--;
      if (this.#session !== undefined || this.#availability.isClosed()) client.release();
      else await this.#open(client);
    } catch (error) {
      this.#attempts--;
      if (this.#session === undefined) this.#lost(error);
    }
  }

  async #open(client: PostgresClient): Promise<void> {
    const session = new Session(client, {
      notification: (notification) => this.#receive(notification),
      lost: (error) => this.#lost(error, session),
    });
    this.#session = session;
    try {
      await session.query("SELECT set_config('tcp_user_timeout', $1, false)", [String(SLOW_READER_TIMEOUT)]);
    } catch (error) {
      debug('PostgreSQL does not know tcp_user_timeout: %o', error);
    }
    try {
      await this.#groups.restore();
    } catch (error) {
      session.end(queryError(error));
      return;
    }
    this.#availability.becomeUp();
    this.#batches.flush();
    this.#inbox.resume();
    await this.#table.cleanAtStart().catch(ignore);
  }

  #lost(error: unknown, session?: Session): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    if (this.#availability.isClosed()) return;
    this.#groups.suspend();
    const reason = cutOffError(error);
    this.#availability.becomeCut(reason);
    this.#batches.failAll(reason);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), RETRY_DELAY).unref();
  }

  #checkTime(): void {
    const { timeout } = this.#settings;
    const late = new Error(`PostgreSQL has not answered for ${timeout} ms`);
    if (this.#session === undefined) {
      if (now() - this.#attemptedAt < timeout) return;
      this.#availability.becomeCut(cutOffError(late));
      this.#batches.failAll(cutOffError(late));
      if (now() - this.#attemptedAt >= 2 * timeout) void this.#connect();
      return;
    }
    const { askedSince } = this.#session;
    if (askedSince === undefined) void this.#session.query('SELECT 1').catch(ignore);
    else if (now() - askedSince >= timeout) this.#session.end(late);
    else return;
    void this.#table.cleanInTime().catch(ignore);
  }

  #receive({ channel, payload = '' }: PostgresNotification): void {
    const notification = readNotification(payload);
    if (notification === undefined) {
      debug('ignored a notification of another program on channel %s', channel);
      return;
    }
    const { key, sender, id, content } = notification;
    if (sender === this.#writer.sender) return;
    const group = this.#groups.find(key);
    if (group !== undefined) this.#inbox.take(group, id, content);
  }

  /** Sends a batch. If PostgreSQL refuses to store the large messages, only they fail. */
  async #send(batch: readonly BatchedMessage[]): Promise<void> {
    const small = batch.filter(({ data }) => data.length <= MAX_INLINE);
    try {
      if (small.length === batch.length) await this.#notify(batch);
      else await this.#notifyWithTable(batch);
    } catch (error) {
      if (!isRefusal(error) || small.length === batch.length) throw queryError(error);
      for (const message of batch) if (!small.includes(message)) message.fail(queryError(error));
      if (small.length > 0) await this.#send(small);
    }
  }

  async #notify(batch: readonly BatchedMessage[]): Promise<void> {
    const keys = batch.map(({ group }) => keyOf(group));
    await this.#run(
      'SELECT count(pg_notify(channel, payload)) FROM unnest($1::text[], $2::text[]) AS n (channel, payload)',
      [
        keys.map((key) => this.#groups.channelOf(key)),
        batch.map(({ data }, index) =>
          this.#writer.write(keys[index] as string, this.#writer.nextId(), data),
        ),
      ],
    );
  }

  async #notifyWithTable(batch: readonly BatchedMessage[]): Promise<void> {
    const channels: string[] = [];
    const payloads: string[] = [];
    const ids: string[] = [];
    const large: Buffer[] = [];
    for (const { group, data } of batch) {
      const key = keyOf(group);
      const id = this.#writer.nextId();
      channels.push(this.#groups.channelOf(key));
      payloads.push(this.#writer.write(key, id, data));
      if (data.length <= MAX_INLINE) continue;
      ids.push(id);
      large.push(data);
    }
    await this.#table.notify(channels, payloads, ids, large);
  }
}

function ignore(): void {
  // The session reports that the connection is lost. Old messages are deleted another time.
}
