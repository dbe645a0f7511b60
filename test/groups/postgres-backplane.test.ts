import { createGroups } from 'dwebsocket/groups';
import {
  type PostgresClient,
  postgresBackplane,
  type PostgresBackplaneOptions,
} from 'dwebsocket/groups/postgres';
import { backplaneContract } from 'dwebsocket/testing';
import { Client, Pool, type PoolConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import { Table } from '../../src/groups/postgres/table.js';
import { defer, within } from '../support/inbox.js';
import { FakeMember } from './support/members.js';
import { hasPostgres, PostgresServer } from './support/postgres-server.js';
import { Proxy } from './support/proxy.js';
import { RecordedEvents } from './support/recorded-events.js';

const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasPostgres)('over PostgreSQL', () => {
  let server: PostgresServer;
  const open: Pool[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(async () => {
    await Promise.all(open.map((pool) => pool.end()));
    await server.stop();
  });

  backplaneContract('postgresBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    create() {
      const pool = new Pool({ connectionString: server.url });
      pool.on('error', () => {});
      open.push(pool);
      return postgresBackplane(pool, { timeout: 3_000, maxBuffered: MAX_BUFFERED });
    },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    outage: { begin: () => server.kill(), end: () => server.begin() },
  });
});

describe.runIf(hasPostgres)('groups over PostgreSQL', { timeout: 60_000 }, () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(() => server.stop());

  function openPool(config: PoolConfig = {}): Pool {
    const pool = new Pool({ connectionString: server.url, ...config });
    pool.on('error', () => {});
    onTestFinished(() => pool.end());
    return pool;
  }

  async function query(sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: server.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function join(options: PostgresBackplaneOptions = {}, config: PoolConfig = {}) {
    const pool = openPool(config);
    const groups = createGroups({ backplane: postgresBackplane(pool, { timeout: 3_000, ...options }) });
    onTestFinished(() => groups.close());
    const member = new FakeMember();
    expect(await within(groups.group('a').add(member), 'add')).toBe(true);
    return { pool, groups, group: groups.group('a'), member, events: new RecordedEvents(groups) };
  }

  test('send small and large messages in order, and create the table at the same time', async () => {
    const prefix = 'mixed';
    const all = await Promise.all(Array.from({ length: 4 }, () => join({ prefix })));
    const sizes = [0, 8_000, 10, 1_000_000, 1, 20_000, 5_873, 5_874, 5_875, 300];
    const messages = sizes.map((size, index) => `${index}:${'x'.repeat(size)}`);
    await Promise.all(
      all.flatMap(({ group }, sender) => messages.map((message) => group.send(`${sender}:${message}`))),
    );
    for (const [index, { member }] of all.entries()) {
      await vi.waitFor(() => expect(member.got.length).toBe(4 * messages.length), { timeout: 20_000 });
      for (const sender of all.keys()) {
        const own = member.got.map(String).filter((message) => message.startsWith(`${sender}:`));
        expect(own.map((message) => message.slice(2) === messages[own.indexOf(message)])).toEqual(
          messages.map(() => true),
        );
      }
      expect(all[index]!.events.missed).toEqual([]);
    }
  });

  test('report a large message that the table does not have any more, and deliver the next one', async () => {
    const prefix = 'lost';
    const [here, there] = [await join({ prefix }), await join({ prefix })];
    await here.group.send('x'.repeat(10_000));
    await there.member.inbox.next();
    // From now on an insert adds nothing.
    await query(`CREATE FUNCTION forget() RETURNS trigger AS 'BEGIN RETURN NULL; END' LANGUAGE plpgsql;
      CREATE TRIGGER forget BEFORE INSERT ON lost_messages FOR EACH ROW EXECUTE FUNCTION forget()`);
    await here.group.send('y'.repeat(10_000));
    await here.group.send('next');
    expect(await there.member.inbox.next()).toBe('next');
    await vi.waitFor(() => expect(there.events.missed).toEqual([{ group: 'a', count: 1 }]));
  });

  test('clean the table: of old messages, while they run and when they start', async () => {
    const { group } = await join({ prefix: 'clean' });
    await group.send('x'.repeat(10_000));
    await query("UPDATE clean_messages SET sent = now() - interval '61 seconds'");
    await group.send('y'.repeat(10_000));
    await join({ prefix: 'clean' });
    await vi.waitFor(async () => expect(await query('SELECT 1 FROM clean_messages')).toHaveLength(1));

    const pool = openPool();
    const table = new Table(
      'clean',
      async (sql, values) => (await pool.query<Record<string, unknown>>(sql, values)).rows,
      1,
    );
    await table.notify(['channel'], ['payload'], ['id'], [Buffer.from('data')]);
    await table.cleanInTime();
    expect(await table.read(['id'])).toEqual(new Map([['id', Buffer.from('data')]]));
    await vi.waitFor(
      async () => {
        await table.cleanInTime();
        expect(await query('SELECT 1 FROM clean_messages')).toEqual([]);
      },
      { timeout: 10_000 },
    );
  });

  test('refuse only the large messages if the user may not create the table', async () => {
    await query('CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const { group, groups } = await join(
      { prefix: 'forbidden' },
      {
        user: 'guest',
        connectionString: undefined,
        host: '127.0.0.1',
        port: server.port,
        database: 'postgres',
      },
    );
    const [small, large, after] = await Promise.all([
      group.send('small'),
      group.send('x'.repeat(10_000)),
      group.send('after'),
    ]);
    expect([small.backplane, after.backplane]).toEqual([true, true]);
    expect(large).toMatchObject({
      backplane: false,
      error: {
        code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED',
        message: expect.stringMatching(/permission denied.*allow the user of the pool to create the table/),
      },
    });
    expect(groups.isCutOff()).toBe(false);
  });

  test('ignore notifications of other programs', async () => {
    const { group, member, groups } = await join({ prefix: 'noise' });
    const channels = Array.from({ length: 256 }, (_, number) => `noise:${number}`);
    const payloads = [
      '',
      'garbage',
      `${'x'.repeat(30)}1=`,
      `${'x'.repeat(30)}1#-5`,
      `${'x'.repeat(30)}#9e99`,
    ];
    await query(
      channels.flatMap((channel) => payloads.map((payload) => `NOTIFY "${channel}", '${payload}'`)).join(';'),
    );
    await group.send('fine');
    expect([member.got, groups.isCutOff()]).toEqual([['fine'], false]);
  });

  test('count the messages that a member missed while it was cut off', async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const prefix = 'missed';
    const here = await join({ prefix });
    const there = await join(
      { prefix },
      { connectionString: server.url.replace(`:${server.port}`, `:${proxy.port}`) },
    );
    await here.group.send('1');
    expect(await there.member.inbox.next()).toBe('1');
    proxy.target = await findFreePort();
    proxy.cut();
    expect((await there.events.cutOff()).code).toBe('ERR_WEBSOCKET_BACKPLANE_CUT_OFF');
    for (const text of ['2', 'x'.repeat(9_000), '4'])
      expect((await here.group.send(text)).backplane).toBe(true);
    proxy.target = server.port;
    await there.events.back();
    await here.group.send('5');
    expect(await there.member.inbox.next()).toBe('5');
    await vi.waitFor(() => expect(there.events.missed).toEqual([{ group: 'a', count: 3 }]));
  });

  test('come back after an administrator has ended their connection', async () => {
    const { events, group, member } = await join({ prefix: 'ended' });
    await query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%ended%' AND pid <> pg_backend_pid()",
    );
    await events.cutOff();
    await events.back();
    expect(await group.send('again')).toMatchObject({ backplane: true });
    expect(member.got).toEqual(['again']);
  });

  test('notice a server that does not answer, and one that answers again', async () => {
    const { group, events } = await join({ timeout: 2_000 });
    server.freeze();
    onTestFinished(() => server.thaw());
    expect((await events.cutOff()).message).toMatch(/PostgreSQL has not answered for 2000 ms/);
    expect(await group.send('in the outage')).toMatchObject({ backplane: false });
    server.thaw();
    await events.back(30_000);
    expect(await group.send('afterwards')).toMatchObject({ backplane: true });
  });

  test('report an outage while the app uses all connections of the pool, and begin when one is free', async () => {
    const pool = openPool({ max: 1 });
    const client = await pool.connect();
    const groups = createGroups({ backplane: postgresBackplane(pool, { timeout: 500 }) });
    onTestFinished(() => groups.close());
    const events = new RecordedEvents(groups);
    expect((await events.cutOff()).message).toMatch(/has not answered/);
    client.release();
    await events.back();
    await groups.close();
    expect(pool.totalCount).toBe(0);
  });

  test('take one connection of the pool, and give it up when they close', async () => {
    const { pool, groups } = await join();
    await groups.group('b').add(new FakeMember());
    await groups.group('a').send('x'.repeat(100_000));
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 0]);
    await groups.close();
    expect(pool.totalCount).toBe(0);
    await within(pool.end(), 'end of the pool');
    // onTestFinished ends it again.
    pool.end = () => Promise.resolve();
  });

  test('bound what waits for the server', async () => {
    const { group } = await join({ maxBuffered: 100_000 });
    const results = await Promise.all(Array.from({ length: 200 }, () => group.send('x'.repeat(1_000))));
    const accepted = results.filter(({ backplane }) => backplane === true).length;
    expect(accepted).toBeGreaterThan(30);
    expect(accepted).toBeLessThan(60);
    expect(results.at(-1)).toMatchObject({ error: { code: 'ERR_WEBSOCKET_BACKPLANE_FULL' } });
  });
});

test('close() while a connection is opened leaves none, and no event follows', async () => {
  const opened = defer<PostgresClient>();
  const released = defer<unknown>();
  const backplane = postgresBackplane({ connect: () => opened.promise });
  const recorded: string[] = [];
  const record = (name: string) => () => void recorded.push(name);
  backplane.start({
    message: record('message'),
    cutOff: record('cutOff'),
    back: record('back'),
    missed: record('missed'),
    dropped: record('dropped'),
  });
  await backplane.close();
  opened.resolve({
    query: () => Promise.reject(new Error('no query is expected')),
    on: () => {},
    release: released.resolve,
  });
  expect(await within(released.promise, 'release')).toBeUndefined();
  expect(recorded).toEqual([]);
  await expect(Promise.resolve(backplane.publish('a', Buffer.from('x')))).rejects.toThrow('closed');
  await expect(Promise.resolve(backplane.subscribe('a'))).rejects.toThrow('closed');
});

test('postgresBackplane() checks its arguments', () => {
  expect(() => postgresBackplane({} as never)).toThrow(/takes a pool of "pg"/);
  expect(() => postgresBackplane(new Client() as never)).toThrow(/and not a client/);
  expect(() => postgresBackplane(undefined as never)).toThrow(TypeError);
  expect(() => postgresBackplane(new Pool(), { prefix: 'a-b' })).toThrow(/letters, digits and '_'/);
});
