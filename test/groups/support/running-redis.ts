import { randomBytes } from 'node:crypto';
import { createClient } from 'redis';
import { hasRedis, RedisServer } from './redis-server.js';

/** Where there is no program to start a Redis of our own: one that runs already, that of REDIS_URL or the usual one. */
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
 * A Redis for the contract of backplanes: one of our own, or else one that runs. That is somebody's, so it has no outages,
 * and what we leave there has a name of its own.
 */
export class TestedRedis {
  readonly prefix = hasRedis ? 'dwebsocket' : `dwebsocket-test-${randomBytes(6).toString('hex')}`;
  readonly outage = hasRedis ? { begin: () => this.#own?.kill(), end: () => this.#own?.begin() } : undefined;
  #own: RedisServer | undefined;

  /** `args`: for one of our own. */
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
