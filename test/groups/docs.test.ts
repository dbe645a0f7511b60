import type { NatsConnection } from '@nats-io/transport-node';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Groups, GroupsOptions } from 'dwebsocket/groups';
import { Pool, type PoolConfig } from 'pg';
import type { RedisClientType } from 'redis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import { openDocument } from '../docs/scenario.js';
import { type Client, connect } from '../support/client.js';
import { within } from '../support/inbox.js';
import { request } from '../support/request.js';
import { hasNats, NatsServer } from './support/nats-server.js';
import { hasPostgres, PostgresServer } from './support/postgres-server.js';

/** The exports of the document's code, and the events of its groups. */
const made = await vi.hoisted(async () => {
  const { Inbox } = await import('../support/inbox.js');
  return {
    clients: [] as RedisClientType[],
    connections: [] as NatsConnection[],
    pools: [] as Pool[],
    groups: [] as Groups[],
    cutOffs: new Inbox<Error>(),
  };
});

vi.mock('@nats-io/transport-node', async (load) => {
  const nats = await load<typeof import('@nats-io/transport-node')>();
  const connect = async (options: object) => {
    const connection = await nats.connect(options);
    made.connections.push(connection);
    return connection;
  };
  return { ...nats, connect };
});

vi.mock('pg', async (load) => {
  const pg = await load<typeof import('pg')>();
  class RecordedPool extends pg.Pool {
    constructor(options: PoolConfig) {
      super(options);
      if (options.connectionTimeoutMillis !== undefined) made.pools.push(this);
    }
  }
  return { ...pg, Pool: RecordedPool };
});

vi.mock('redis', async (load) => {
  const redis = await load<typeof import('redis')>();
  const createClient = (options: object) => {
    const client = redis.createClient(options) as RedisClientType;
    made.clients.push(client);
    return client;
  };
  return { ...redis, createClient };
});

vi.mock('dwebsocket/groups', async (load) => {
  const groups = await load<typeof import('dwebsocket/groups')>();
  const createGroups = (options?: GroupsOptions) => {
    const created = groups.createGroups(options);
    made.groups.push(created);
    created.on('cutOff', (error) => made.cutOffs.push(error));
    return created;
  };
  return { ...groups, createGroups };
});

const page = openDocument('docs/groups.md');

test('the chat delivers messages of a member and of an ordinary route to all other members', async () => {
  const { site } = await page.run('in-one-process');
  const [ann, ben] = [await connect(site, '/chat/7'), await connect(site, '/chat/7')];
  await Promise.all([ann.flush(), ben.flush()]);
  ann.send('hello');
  expect(await ben.next()).toBe('hello');
  expect((await request(site, '/orders/7/paid', { method: 'POST' })).status).toBe(200);
  expect([await ann.next(), await ben.next()]).toEqual(['paid', 'paid']);
});

test('who is there is told to each member, and to an ordinary route', async () => {
  const { site } = await page.run('who-is-there');
  const people = async (client: { next(): Promise<unknown> }) =>
    (JSON.parse((await client.next()) as string) as { people: string[] }).people;
  const ann = await connect(site, '/rooms/7?name=ann');
  expect(await people(ann)).toEqual(['ann']);
  const ben = await connect(site, '/rooms/7?name=ben');
  const tab = await connect(site, '/rooms/7?name=ben');
  expect(await people(ann)).toEqual(['ann', 'ben']);
  expect((await request(site, '/rooms/7/people')).body).toBe(
    '[{"as":"ann","websockets":1},{"as":"ben","websockets":2}]',
  );
  await tab.close();
  await ben.close();
  expect(await people(ann)).toEqual(['ann']);
});

test('the result of send and the health check are as documented', async () => {
  await page.run('a-group', 0, 'js');
  const { site } = await page.run('when-redis-is-away');
  expect((await request(site, '/readyz')).status).toBe(200);
  await page.run('in-tests');
});

test('a client that comes back gets what it has missed, as the documented client asks for it', async () => {
  const { site } = await page.run('what-was-said-before-history');
  const read = async (client: Client) => JSON.parse(String(await client.next())) as Record<string, unknown>;
  const ann = await connect(site, '/chat/lobby');
  expect(await read(ann)).toMatchObject({ complete: true });
  ann.send(JSON.stringify({ text: 'one' }), JSON.stringify({ text: 'two' }));
  const one = await read(ann);
  const two = await read(ann);
  expect([one.text, two.text]).toEqual(['one', 'two']);
  const again = await connect(site, `/chat/lobby?since=${String(one.id)}`);
  expect(await read(again)).toMatchObject({ complete: true });
  expect(await read(again)).toEqual(two);
  const { body } = await request(site, '/chat/lobby/history');
  expect((JSON.parse(body) as { message: unknown }[]).map(({ message }) => message)).toEqual([one, two]);
});

test('a client without WebSocket gets the news as events', async () => {
  const { site } = await page.run('server-sent-events');
  const req = get({ port: site.port, path: '/news', agent: false });
  onTestFinished(() => void req.destroy());
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  expect(res.headers['content-type']).toMatch('text/event-stream');
  const [chunk] = (await once(res, 'data')) as [Buffer];
  expect(chunk.toString()).toMatch(/^id: [\d.-]+\w+\n\n$/);
});

test.each(['in-many-processes-over-redis', 'nothing-missed-redis-streams'])(
  "%s: an app also starts without Redis, and gets 'cutOff'",
  async (anchor) => {
    vi.stubEnv('REDIS_URL', `redis://127.0.0.1:${await findFreePort()}`);
    made.groups.length = made.clients.length = 0;
    made.cutOffs.rest();
    onTestFinished(async () => {
      vi.unstubAllEnvs();
      await Promise.all(made.groups.map((groups) => groups.close()));
      for (const client of made.clients) client.destroy();
    });
    await within(page.run(anchor), 'end of the code');
    expect(await made.cutOffs.next('cutOff')).toMatchObject({
      message: expect.stringMatching(/ECONNREFUSED.*check the URL/),
    });
  },
);

/** Runs the code under a heading, and sends a message over the groups that it creates. */
async function runAndSend(anchor: string, url?: string): Promise<void> {
  made.groups.length = 0;
  const { exports } = await within(page.run(anchor), 'end of the code');
  const { openGroups } = exports as { openGroups?: (url?: string) => Promise<Groups> };
  await openGroups?.(url);
  const [groups] = made.groups;
  expect(await within(groups!.group('a').send('hello'), 'send')).toMatchObject({ backplane: true });
  await groups!.close();
}

test('groups on one machine need nothing but the code that is shown', async () => {
  vi.stubEnv('TMPDIR', mkdtempSync(join(tmpdir(), 'dwebsocket-docs-')));
  onTestFinished(() => {
    rmSync(process.env.TMPDIR!, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });
  await runAndSend('on-one-machine');
});

test.runIf(hasNats)('the code for NATS works', async () => {
  const server = await NatsServer.start();
  onTestFinished(async () => {
    await Promise.all(made.connections.map((connection) => connection.close()));
    await server.stop();
  });
  await runAndSend('over-nats', server.url);
});

test.runIf(hasPostgres)('the code for PostgreSQL works, and so does the table that is shown', async () => {
  const server = await PostgresServer.start();
  vi.stubEnv('DATABASE_URL', server.url);
  const pool = new Pool({ connectionString: server.url });
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await Promise.all([pool.end(), ...made.pools.map((each) => each.end())]);
    await server.stop();
  });
  await pool.query('CREATE ROLE my_app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await pool.query(page.find('over-postgresql', 'sql').code);
  await runAndSend('over-postgresql');
  // As a user who may use the table, but not create one.
  const { postgresBackplane } = await import('dwebsocket/groups/postgres');
  const { createGroups } = await import('dwebsocket/groups');
  const appPool = new Pool({ host: '127.0.0.1', port: server.port, user: 'my_app', database: 'postgres' });
  const groups = createGroups({ backplane: postgresBackplane(appPool) });
  expect(await groups.group('a').send('x'.repeat(10_000))).toMatchObject({ backplane: true });
  await groups.close();
  await appPool.end();
});
