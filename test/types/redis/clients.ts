// The clients that an app has, of the makes and versions that the backplanes know. Compiled, never run.
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import * as redis6 from 'redis';
import * as redis5 from 'redis5';
import { createGroups, redisBackplane, redisStreamBackplane, type RedisClient } from 'dwebsocket/groups';

const url = 'redis://localhost';
const rootNodes = [{ url }];
const sentinels = { name: 'main', sentinelRootNodes: [{ host: 'localhost', port: 26379 }] };
const nodes = [{ host: 'localhost', port: 6379 }];

createGroups({ backplane: redisBackplane(redis6.createClient({ url })) });
createGroups({
  backplane: redisStreamBackplane(redis6.createClient({ url }), { prefix: 'app', maxLength: 1_000 }),
});

export const clients: RedisClient[] = [
  redis6.createClient(),
  redis6.createClient({ url, RESP: 2, name: 'app', commandsQueueMaxLength: 1_000 }),
  redis6.createClient({ url, RESP: 3, socket: { reconnectStrategy: 1_000 } }),
  redis6.createClient({ url }).withTypeMapping({ [redis6.RESP_TYPES.BLOB_STRING]: Buffer }),
  redis6.createCluster({ rootNodes, RESP: 3 }),
  redis6.createSentinel(sentinels),

  redis5.createClient(),
  redis5.createClient({ url, RESP: 2 }),
  redis5.createClient({ url, RESP: 3 }),
  redis5.createClient({ url }).withTypeMapping({ [redis5.RESP_TYPES.BLOB_STRING]: Buffer }),
  redis5.createCluster({ rootNodes }),

  new Redis6(),
  new Redis6(url, { lazyConnect: true, maxRetriesPerRequest: null }),
  new Redis6({ sentinels: nodes, name: 'main' }),
  new Cluster6(nodes),

  new Redis5(url),
  new Redis5({ sentinels: nodes, name: 'main' }),
  new Cluster5(nodes, { redisOptions: { password: 'secret' } }),
];

/** As most apps have them: connected in a function of their own. */
export async function connect(): Promise<void> {
  const client = await redis6.createClient({ url }).on('error', console.error).connect();
  redisBackplane(client);
  redisStreamBackplane(client, { maxLength: 1_000 });
  const older = await redis5.createClient({ url }).on('error', console.error).connect();
  redisBackplane(older);
  redisStreamBackplane(older, { maxLength: 1_000 });
  redisBackplane(await redis6.createCluster({ rootNodes }).connect());
  redisBackplane(await redis5.createCluster({ rootNodes }).connect());
  redisBackplane(await redis6.createSentinel(sentinels).connect());
}

// @ts-expect-error -- a client of sentinels of redis 5 cannot be duplicated
redisBackplane(redis5.createSentinel(sentinels));
// @ts-expect-error -- a URL is no client
redisBackplane(url);
