import { createHash } from 'node:crypto';
import type { Backplane, BackplaneEvents } from 'dwebsocket/groups';

/** What it needs of a client of `pg`, so that a test can give it something else. */
export interface PostgresClient {
  query(sql: string, values?: string[]): Promise<unknown>;
  on(event: 'notification', listener: (notification: { channel: string; payload?: string }) => void): unknown;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  end(): Promise<void>;
}

/** PostgreSQL takes payloads of less than 8,000 bytes, and names of at most 63. */
const MAX_PAYLOAD = 5_900;

/** Groups over LISTEN and NOTIFY: for apps that have PostgreSQL and few, small messages. */
export function postgresBackplane(connect: () => Promise<PostgresClient>): Backplane {
  const groups = new Map<string, string>(); // the group of each channel that is listened to
  let events: BackplaneEvents;
  let client: PostgresClient | undefined;
  let isCut = false;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  // A group's name can be anything, and longer than a channel's.
  const channelOf = (group: string) => `g_${createHash('sha1').update(group).digest('hex')}`;

  async function open(): Promise<void> {
    const next = await connect();
    next.on('notification', ({ channel, payload = '' }) => {
      const group = groups.get(channel);
      if (group !== undefined) events.message(group, Buffer.from(payload, 'base64'));
    });
    next.on('error', () => {}); // 'end' follows
    next.on('end', () => lost(new Error('the connection to PostgreSQL has ended')));
    for (const channel of groups.keys()) await next.query(`LISTEN ${channel}`);
    client = next;
  }

  async function reopen(): Promise<void> {
    await open();
    if (closed) return client?.end(); // close() came meanwhile, and has not waited for it
    isCut = false;
    events.back();
  }

  function lost(error: Error): void {
    if (closed) return;
    client = undefined;
    if (!isCut) events.cutOff(error);
    isCut = true;
    clearTimeout(retry);
    retry = setTimeout(() => reopen().catch(lost), 500);
  }

  async function query(sql: string, values?: string[]): Promise<void> {
    if (closed) throw new Error('the backplane is closed');
    await opening;
    if (client === undefined) throw new Error('there is no connection to PostgreSQL');
    await client.query(sql, values);
  }

  // pg connects only once: what is asked for before waits for it.
  let opening: Promise<void>;

  return {
    start(given) {
      events = given;
      opening = open().catch(lost);
    },
    async publish(group, data) {
      if (data.length > MAX_PAYLOAD)
        throw new Error(`PostgreSQL takes ${MAX_PAYLOAD} bytes, not ${data.length}`);
      await query('SELECT pg_notify($1, $2)', [channelOf(group), data.toString('base64')]);
    },
    async subscribe(group) {
      await query(`LISTEN ${channelOf(group)}`);
      groups.set(channelOf(group), group);
    },
    async unsubscribe(group) {
      groups.delete(channelOf(group));
      await query(`UNLISTEN ${channelOf(group)}`).catch(() => {}); // without a connection there is nothing to end
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      groups.clear();
      await opening;
      // Queries are answered in order, and end() does not wait for them.
      await client?.query('SELECT 1').catch(() => {});
      await client?.end().catch(() => {});
    },
  };
}
