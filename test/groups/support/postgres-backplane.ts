import { createHash } from 'node:crypto';
import type { Backplane, BackplaneEvents } from 'dwebsocket/groups';

/** The part of a `pg` client that the backplane uses; a test can pass a substitute. */
export interface PostgresClient {
  query(sql: string, values?: string[]): Promise<unknown>;
  on(event: 'notification', listener: (notification: { channel: string; payload?: string }) => void): unknown;
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown;
  end(): Promise<void>;
}

/** NOTIFY takes payloads of less than 8,000 bytes, and base64 makes a message a third longer. */
const MAX_PAYLOAD = 5_900;

/** Connects groups over LISTEN and NOTIFY: for apps that have PostgreSQL and few, small messages. */
export function postgresBackplane(connect: () => Promise<PostgresClient>): Backplane {
  const groups = new Map<string, string>(); // the group of each subscribed channel
  let events: BackplaneEvents;
  let client: PostgresClient | undefined;
  let isCut = false;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  // A channel's name has at most 63 bytes; a group's name can be longer and contain any character.
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
    if (closed) return client?.end(); // close() was called meanwhile, and did not wait for this connection
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

  // Queries and close() wait for the first connection.
  let opening: Promise<void>;

  return {
    start(given) {
      events = given;
      opening = open().catch(lost);
    },
    async publish(group, data) {
      if (data.length > MAX_PAYLOAD)
        throw new Error(`a message has ${data.length} bytes; send at most ${MAX_PAYLOAD} over PostgreSQL`);
      await query('SELECT pg_notify($1, $2)', [channelOf(group), data.toString('base64')]);
    },
    async subscribe(group) {
      await query(`LISTEN ${channelOf(group)}`);
      groups.set(channelOf(group), group);
    },
    async unsubscribe(group) {
      groups.delete(channelOf(group));
      await query(`UNLISTEN ${channelOf(group)}`).catch(() => {}); // a lost connection has no subscription to end
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      groups.clear();
      await opening;
      // end() does not wait for earlier queries; PostgreSQL answers this one after them.
      await client?.query('SELECT 1').catch(() => {});
      await client?.end().catch(() => {});
    },
  };
}
