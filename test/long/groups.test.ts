import { afterEach, describe, expect, test } from 'vitest';
import { runFleet } from '../groups/support/fleet.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';

// Groups on many machines, as far as one machine can show. test/groups/many-processes.test.ts is the same, smaller.
const SIZE = { processes: 4, websockets: 2_000, groups: 200, messages: 100_000 };
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];
const deadline = 10 * 60_000;

describe.runIf(hasRedis)('2,000 websockets in 200 groups and four processes, 100,000 messages', () => {
  let redis: RedisServer | undefined;

  afterEach(() => redis?.stop());

  test('over pub/sub every member has every message of its groups, once, and in order per sender', async () => {
    redis = await RedisServer.start();
    expect(await runFleet({ ...SIZE, stream: false }, redis, { deadline })).toEqual([]);
  });

  test('over Redis Streams, too', async () => {
    redis = await RedisServer.start(DURABLE);
    expect(await runFleet({ ...SIZE, stream: true }, redis, { deadline })).toEqual([]);
  });

  test('over Redis Streams, also when Redis is killed and started again in the middle', async () => {
    const server = await RedisServer.start(DURABLE);
    redis = server;
    const inTheMiddle = async () => {
      await server.kill();
      await server.begin();
    };
    expect(await runFleet({ ...SIZE, stream: true }, server, { deadline, inTheMiddle })).toEqual([]);
  });
});
