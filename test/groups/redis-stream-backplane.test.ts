import { redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';
import { clientKinds, type OpenClient } from './support/clients.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

/** Longer than a busy machine stops a process: what comes too late would count as another outage. */
const TIMEOUT = 3_000;

describe.runIf(hasRedis).each(clientKinds)('over $name', (kind) => {
  let server: RedisServer;
  const open: OpenClient[] = [];

  beforeAll(async () => {
    server = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
  });

  afterAll(async () => {
    for (const { end } of open) end();
    await server.stop();
  });

  backplaneContract('redisStreamBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    async create() {
      const opened = await kind.connect(server.url);
      open.push(opened);
      return redisStreamBackplane(opened.client, { maxLength: 10_000, timeout: TIMEOUT });
    },
    patience: 15_000,
    outage: { begin: () => server.kill(), end: () => server.begin() },
    keepsMissed: true,
  });
});
