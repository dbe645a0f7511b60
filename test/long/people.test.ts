import { afterEach, describe, expect, test } from 'vitest';
import { PeopleFleet } from '../groups/support/people-fleet.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';

// People of groups on many machines, as far as one machine can show. test/groups/people/fleet.test.ts is the same, smaller.
const SIZE = { processes: 4, groups: 200 };
const WEBSOCKETS = 2_000;
/** Deadlines in milliseconds: after any change, after a process was killed, after Redis is back. */
const CHANGE = 1_000;
const KILL = 10_000;
const OUTAGE = 10_000;

describe.runIf(hasRedis)('2,000 websockets in 200 groups and four processes', () => {
  let redis: RedisServer | undefined;
  let fleet: PeopleFleet | undefined;

  afterEach(async () => {
    await fleet?.kill();
    await redis?.stop();
  });

  test.each([
    ['redisBackplane', false],
    ['redisStreamBackplane', true],
  ])('over %s all know the same people within a second, and nobody flaps', async (name, stream) => {
    const server = await RedisServer.start();
    redis = server;
    fleet = await PeopleFleet.start({ ...SIZE, stream }, server.url);
    const running = fleet;
    let before = { messages: 0, bytes: 0 };
    const figures: string[] = [];
    const expectRight = async (what: string, deadline: number) => {
      const { faults, after, messages, bytes } = await running.check(deadline);
      // Who is killed can no longer say what it has published.
      const published =
        messages < before.messages
          ? ''
          : `; ${messages - before.messages} messages, ${bytes - before.bytes} bytes`;
      figures.push(`${what}: right after ${after} ms${published}`);
      before = { messages, bytes };
      expect(faults, what).toEqual([]);
    };

    await fleet.fill(WEBSOCKETS);
    await expectRight('2,000 joins', CHANGE);
    for (let change = 0; change < 20; change++) {
      await fleet.add(`new ${change}`, change);
      await expectRight('one join', CHANGE);
      await fleet.removeOldest();
      await expectRight('one leave', CHANGE);
    }
    await Promise.all(
      Array.from({ length: 500 }, async (_, change) => {
        await running.add(`churn ${change}`, change);
        await running.removeOldest();
      }),
    );
    await expectRight('500 joins and leaves at once', CHANGE);

    // Clients that reconnect at once.
    for (const type of ['normal', 'pubsub']) {
      server.cli('CLIENT', 'KILL', 'TYPE', type);
      await expectRight(`all ${type} connections cut`, OUTAGE);
    }
    await fleet.add('after the cut', 1);
    await expectRight('one join after the cut', OUTAGE);

    await server.kill();
    await fleet.until('cutOff');
    for (let change = 0; change < 50; change++) await fleet.add(`meanwhile ${change}`, change);
    for (let change = 0; change < 100; change++) await fleet.removeOldest();
    await server.begin();
    await fleet.until('back');
    await expectRight('150 changes in an outage', OUTAGE);

    await fleet.killOne();
    await expectRight('a killed process', KILL);
    await fleet.add('at the end', 1);
    await expectRight('one join', CHANGE);
    console.log(`${name}:\n  ${figures.join('\n  ')}`);
    await fleet.end();
  });
});
