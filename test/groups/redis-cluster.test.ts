import { redisBackplane, redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';
import { clusterKinds, type OpenClient } from './support/clients.js';
import { RedisCluster } from './support/redis-cluster.js';
import { hasRedis } from './support/redis-server.js';

// Outages of a cluster take long; the older versions of the clients have their turn where CI is set.
const kinds =
  process.env.CI === undefined ? clusterKinds.filter(({ name }) => name.endsWith('6')) : clusterKinds;

/** Longer than a busy machine stops a process: what comes too late would count as another outage. */
const TIMEOUT = 3_000;

describe.runIf(hasRedis).each(kinds)('a Redis Cluster over $name', (kind) => {
  let cluster: RedisCluster;
  const open: OpenClient[] = [];

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });

  afterAll(async () => {
    for (const { end } of open) end();
    await cluster.stop();
  });

  const connect = async () => {
    const opened = await kind.connect(cluster.ports);
    open.push(opened);
    return opened.client;
  };
  const common = {
    test: (name: string, run: () => Promise<void>) => test(name, { timeout: 90_000 }, run),
    outage: { begin: () => cluster.kill(), end: () => cluster.begin() },
    patience: 15_000,
  };

  backplaneContract('redisBackplane', {
    ...common,
    create: async () => redisBackplane(await connect(), { timeout: TIMEOUT }),
  });

  backplaneContract('redisStreamBackplane', {
    ...common,
    create: async () => redisStreamBackplane(await connect(), { timeout: TIMEOUT, maxLength: 10_000 }),
    keepsMissed: true,
  });
});
