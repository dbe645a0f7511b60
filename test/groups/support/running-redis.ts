import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { hasRedis, RedisServer } from './redis-server.js';

/** If no Redis is installed: a Redis that already runs, at REDIS_URL or the default address. */
const running = hasRedis ? undefined : await findRunning(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');

/** Whether {@link TestedRedis} has anything to connect to. */
export const hasAnyRedis = hasRedis || running !== undefined;

async function findRunning(url: string): Promise<string | undefined> {
  const client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 2_000 } });
  client.on('error', () => {});
  try {
    await client.connect();
    client.destroy();
    return url;
  } catch {
    return undefined;
  }
}

/**
 * Provides a Redis for the contract of backplanes: our own, or one that already runs. A running one belongs to somebody else.
 * So the tests cause no outages there, and use a separate prefix.
 */
export class TestedRedis {
  readonly prefix = hasRedis ? 'dwebsocket' : `dwebsocket-test-${randomBytes(6).toString('hex')}`;
  readonly outage = hasRedis ? { begin: () => this.#own?.kill(), end: () => this.#own?.begin() } : undefined;
  #own: RedisServer | undefined;

  /** @param args Arguments for our own Redis. */
  async start(args: readonly string[] = []): Promise<void> {
    if (hasRedis) this.#own = await RedisServer.start(args);
  }

  get url(): string {
    return this.#own?.url ?? running!;
  }

  async stop(): Promise<void> {
    await this.#own?.stop();
  }
}
