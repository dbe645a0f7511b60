import { argumentError, describe } from '../../shared/errors.js';
import { isIoredis, openIoredis } from './ioredis.js';
import { isNodeRedis, openNodeRedis } from './node-redis.js';
import type { RedisPort } from './port.js';

/** @throws {TypeError} It is no client that we know. */
export function openPort(client: unknown, backplane: string): RedisPort {
  if (isIoredis(client)) return openIoredis(client);
  if (isNodeRedis(client)) return openNodeRedis(client);
  if (isSentinelOfRedis5(client)) {
    throw argumentError(
      TypeError,
      `${backplane}() needs a second connection like the client's, and a client of sentinels of "redis" 5 cannot be ` +
        'duplicated: use "redis" 6, or "ioredis"',
    );
  }
  throw argumentError(
    TypeError,
    `${backplane}() takes the client of "redis" (await createClient({ url }).connect()) or of "ioredis" ` +
      `(new Redis(url)), not a pool of them; got ${describe(client)}`,
  );
}

function isSentinelOfRedis5(client: unknown): boolean {
  return (
    typeof client === 'object' && client !== null && 'getMasterNode' in client && !('duplicate' in client)
  );
}
