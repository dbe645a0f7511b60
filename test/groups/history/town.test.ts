import { afterEach, describe, expect, test } from 'vitest';
import { pause } from '../../long/chaos/pause.js';
import { Random } from '../../long/chaos/random.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { Town } from './support/town.js';

// test/long/history.test.ts does the same for minutes, with 100 clients, and with a Redis that loses messages.
describe.runIf(hasRedis)(
  'three processes and clients that lose their connection all the time',
  { timeout: 180_000 },
  () => {
    let redis: RedisServer | undefined;
    let town: Town | undefined;

    afterEach(async () => {
      await town?.end();
      await redis?.stop();
    });

    test('each client gets every message once and in order, also while processes are cut off from Redis', async () => {
      redis = await RedisServer.start();
      town = await Town.open(redis.port, new Random(1), { clients: 30 });
      await town.start();
      for (let round = 0; round < 3; round++) {
        await pause(700);
        town.workers[round]!.way.cut();
      }
      await pause(700);
      expect(await town.finish(false)).toEqual([]);
      expect(town.losses).toBe(0);
    });
  },
);
