import { redisBackplane, redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';
import { clusterKinds, type OpenClient } from './support/clients.js';
import { RedisCluster } from './support/redis-cluster.js';
import { hasRedis } from './support/redis-server.js';

// Outages of a cluster take long; the older versions of the clients have their turn in CI.
const kinds =
  process.env.CI === undefined ? clusterKinds.filter(({ name }) => name.endsWith('6')) : clusterKinds;

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
    test: (name: string, run: () => Promise<void>) => test(name, { timeout: 60_000 }, run),
    outage: { begin: () => cluster.kill(), end: () => cluster.begin() },
    patience: 15_000,
  };

  backplaneContract('redisBackplane', {
    ...common,
    create: async () => redisBackplane(await connect(), { timeout: 1_000 }),
  });

  backplaneContract('redisStreamBackplane', {
    ...common,
    create: async () => redisStreamBackplane(await connect(), { timeout: 1_000, maxLength: 10_000 }),
    keepsMissed: true,
  });
});
