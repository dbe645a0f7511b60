import { readFileSync } from 'node:fs';
import type { Groups, GroupsOptions } from 'dwebsocket/groups';
import type { RedisClientType } from 'redis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readDocument } from '../docs/document.js';
import { openDocument } from '../docs/scenario.js';
import { connect } from '../support/client.js';
import { within } from '../support/inbox.js';
import { request } from '../support/request.js';
import { findFreePort } from './support/redis-server.js';

/** The exports of the document's code, and the events of its groups. */
const made = await vi.hoisted(async () => {
  const { Inbox } = await import('../support/inbox.js');
  return { clients: [] as RedisClientType[], groups: [] as Groups[], cutOffs: new Inbox<Error>() };
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

test('the result of send and the health check are as documented', async () => {
  await page.run('a-group', 0, 'js');
  const { site } = await page.run('when-redis-is-away');
  expect((await request(site, '/readyz')).status).toBe(200);
  await page.run('in-tests');
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

test('the documented backplane over PostgreSQL equals the one that the contract tests', () => {
  const shown = readDocument('docs/groups.md').blocks.at(-1)?.code.trimEnd();
  const tested = readFileSync(new URL('./support/postgres-backplane.ts', import.meta.url), 'utf8').trimEnd();
  expect(shown).toBe(tested);
});
