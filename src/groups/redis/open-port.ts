import { argumentError, describe } from '../../shared/errors.js';
import { isIoredis, openIoredis } from './ioredis.js';
import { isNodeRedis, openNodeRedis } from './node-redis.js';
import type { RedisPort } from './port.js';

/**
 * Wraps a client in the interface that our backplanes need.
 *
 * @throws {TypeError} The value is not a client of `redis` or `ioredis`.
 */
export function openPort(client: unknown, backplane: string): RedisPort {
  if (isIoredis(client)) return openIoredis(client);
  if (isNodeRedis(client)) return openNodeRedis(client);
  if (isSentinelOfRedis5(client)) {
    throw argumentError(
      TypeError,
      `${backplane}() needs a second connection, but "redis" 5 cannot duplicate a sentinel client; ` +
        'use "redis" 6, or "ioredis"',
    );
  }
  throw argumentError(
    TypeError,
    `${backplane}() takes the client of "redis" (await createClient({ url }).connect()) or of "ioredis" ` +
      `(new Redis(url)), and not a pool; got ${describe(client)}`,
  );
}

function isSentinelOfRedis5(client: unknown): boolean {
  return (
    typeof client === 'object' && client !== null && 'getMasterNode' in client && !('duplicate' in client)
  );
}
