import { argumentError, describe } from '../../errors.js';
import { isIoredis, openIoredis } from './ioredis.js';
import { isNodeRedis, openNodeRedis } from './node-redis.js';
import type { RedisPort } from './port.js';

/** @throws {TypeError} It is no client that we know. */
export function openPort(client: unknown, backplane: string): RedisPort {
  if (isIoredis(client)) return openIoredis(client);
  if (isNodeRedis(client)) return openNodeRedis(client);
  throw argumentError(
    TypeError,
    `${backplane}() takes the client of "redis" (await createClient({ url }).connect()) or of "ioredis" ` +
      `(new Redis(url)), not a pool of them; got ${describe(client)}`,
  );
}
