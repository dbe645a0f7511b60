import { afterEach, describe, expect, test } from 'vitest';
import { PeopleFleet } from '../support/people-fleet.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';

// test/long/people.test.ts does the same with 2,000 websockets in 200 groups, and measures.
const DEADLINE = 20_000;

describe.runIf(hasRedis)('three processes with real websockets', { timeout: 180_000 }, () => {
  let redis: RedisServer | undefined;
  let fleet: PeopleFleet | undefined;

  afterEach(async () => {
    await fleet?.kill();
    await redis?.stop();
  });

  test.each([
    ['redisBackplane', false],
    ['redisStreamBackplane', true],
  ])('over %s all know the same people, also after an outage and a killed process', async (_name, stream) => {
    redis = await RedisServer.start();
    fleet = await PeopleFleet.start({ processes: 3, groups: 10, stream }, redis.url);
    await fleet.fill(90);
    expect((await fleet.check(DEADLINE)).faults).toEqual([]);
    for (let change = 0; change < 5; change++) {
      await fleet.add(`new ${change}`, change);
      await fleet.removeOldest();
      expect((await fleet.check(DEADLINE)).faults).toEqual([]);
    }
    await redis.kill();
    await fleet.until('cutOff');
    for (let change = 0; change < 5; change++) await fleet.add(`meanwhile ${change}`, change);
    for (let change = 0; change < 10; change++) await fleet.removeOldest();
    await redis.begin();
    await fleet.until('back');
    expect((await fleet.check(DEADLINE)).faults).toEqual([]);
    await fleet.killOne();
    expect((await fleet.check(DEADLINE)).faults).toEqual([]);
    await fleet.end();
  });
});
