import { redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';
import { clientKinds, type OpenClient } from './support/clients.js';
import { hasAnyRedis, TestedRedis } from './support/running-redis.js';

/** Longer than a busy machine pauses a process: a late reply would count as another outage. */
const TIMEOUT = 3_000;
const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasAnyRedis).each(clientKinds)('over $name', (kind) => {
  const redis = new TestedRedis();
  const open: OpenClient[] = [];

  beforeAll(() => redis.start(['--appendonly', 'yes', '--appendfsync', 'always']));

  afterAll(async () => {
    for (const { end } of open) end();
    await redis.stop();
  });

  backplaneContract('redisStreamBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    async create() {
      const opened = await kind.connect(redis.url);
      open.push(opened);
      const { prefix } = redis;
      return redisStreamBackplane(opened.client, {
        maxLength: 10_000,
        timeout: TIMEOUT,
        prefix,
        maxBuffered: MAX_BUFFERED,
      });
    },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    outage: redis.outage,
    keepsMissed: true,
  });
});
