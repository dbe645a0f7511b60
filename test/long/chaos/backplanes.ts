import { connect } from '@nats-io/transport-node';
import type { Backplane } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';
import { natsBackplane } from 'dwebsocket/groups/nats';
import { postgresBackplane } from 'dwebsocket/groups/postgres';
import { redisBackplane, type RedisClient, redisStreamBackplane } from 'dwebsocket/groups/redis';
import { Pool } from 'pg';
import { clientKinds } from '../../groups/support/clients.js';
import type { Kind, PlayerOptions } from './protocol.js';

/** Returns a function that creates a backplane of one kind, over one client for all of its kinds. */
export function backplanesOf(options: PlayerOptions): (kind: Kind) => Promise<Backplane> {
  const { url, timeout, maxBuffered } = options;
  const settings = { timeout, maxBuffered };
  let client: RedisClient | undefined;
  const redis = async (): Promise<RedisClient> =>
    (client ??= (await clientKinds.find(({ name }) => name === options.client)!.connect(url)).client);
  return async (kind) => {
    switch (kind) {
      case 'pubsub':
        return redisBackplane(await redis(), { ...settings, prefix: 'pubsub' });
      case 'streams':
        return redisStreamBackplane(await redis(), { ...settings, prefix: 'streams', maxLength: 100_000 });
      case 'nats':
        return natsBackplane(
          await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 200, timeout: 3_000 }),
          settings,
        );
      case 'postgres': {
        const pool = new Pool({ connectionString: url });
        pool.on('error', () => {});
        return postgresBackplane(pool, settings);
      }
      case 'local':
        return localBackplane({ ...settings, path: url });
    }
  };
}
