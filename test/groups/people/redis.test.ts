import {
  type Backplane,
  createGroups,
  redisBackplane,
  type RedisClient,
  redisStreamBackplane,
} from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientKinds } from '../support/clients.js';
import { FakeMember } from '../support/members.js';
import { Proxy } from '../support/proxy.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { Wire } from '../support/wire.js';

describe.runIf(hasRedis)('over Redis', { timeout: 120_000 }, () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis.stop());

  async function open(url: string, create: (client: RedisClient) => Backplane) {
    const { client, end } = await clientKinds[0]!.connect(url);
    onTestFinished(end);
    const wire = new Wire(create(client));
    const groups = createGroups({ backplane: wire });
    onTestFinished(() => groups.close());
    const events: string[] = [];
    const room = groups.group('room');
    room.on('join', ({ as }) => events.push(`+${String(as)}`));
    room.on('leave', ({ as }) => events.push(`-${String(as)}`));
    await room.fetchPeople();
    return { wire, groups, room, events };
  }

  test('a connection that fails silently makes nobody leave', async () => {
    const proxy = await Proxy.start(redis.port);
    onTestFinished(() => proxy.stop());
    // The backplane notices a silent connection only after the time in which a silent process is gone.
    const create = (client: RedisClient) => redisBackplane(client, { timeout: 8_000 });
    const near = await open(redis.url, create);
    const far = await open(proxy.url, create);
    const cutOffs: Error[] = [];
    far.groups.on('cutOff', (error) => cutOffs.push(error));
    void near.room.add(new FakeMember(), { as: 'ann' });
    void far.room.add(new FakeMember(), { as: 'ben' });
    for (const { room } of [near, far])
      await expect.poll(() => room.people.length, { timeout: 5_000 }).toBe(2);
    // The connection for subscriptions stays open, and delivers nothing.
    proxy.mute(await proxy.accept(1));
    await near.wire.beats(8);
    expect(cutOffs).toHaveLength(1);
    const late = new FakeMember();
    void near.room.add(late, { as: 'cat' });
    await expect.poll(() => far.room.people.length, { timeout: 20_000 }).toBe(3);
    expect(near.events.sort()).toEqual(['+ann', '+ben', '+cat']);
    expect(far.events.sort()).toEqual(['+ann', '+ben', '+cat']);
  });

  test('Redis keeps nothing about people, also with Redis Streams', async () => {
    const create = (client: RedisClient) => redisStreamBackplane(client, { maxLength: 100 });
    const near = await open(redis.url, create);
    const far = await open(redis.url, create);
    await near.room.add(new FakeMember(), { as: 'ann' });
    await far.room.add(new FakeMember(), { as: 'ben' });
    await expect.poll(() => near.room.people.length, { timeout: 5_000 }).toBe(2);
    await near.wire.beats(1);
    await near.room.send('kept');
    expect(redis.cli('KEYS', '*')).toBe('dwebsocket:group:room');
  });
});
