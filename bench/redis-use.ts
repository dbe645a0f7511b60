import { createClient } from 'redis';
import type { ServerChild } from './measure.js';

/** What an action has used. */
export interface Use<T> {
  result: T;
  /** Microseconds of CPU of all servers together. */
  servers: number;
  /** Microseconds of CPU of Redis. */
  redis: number;
  /** Bytes that Redis has received and sent. */
  traffic: number;
}

/** What Redis keeps in its keys. */
export interface Kept {
  /** Entries in all streams. */
  messages: number;
  /** Bytes of all keys with their values. */
  bytes: number;
}

/** Reads from a Redis what it has used. Its own questions cost a few kilobytes each. */
export class RedisMeter {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<RedisMeter> {
    return new RedisMeter(await connect(url));
  }

  /** Measures what an action uses, in Redis and in servers. */
  async measure<T>(servers: readonly ServerChild[], act: () => Promise<T>): Promise<Use<T>> {
    const before = await this.#used(servers);
    const result = await act();
    const after = await this.#used(servers);
    return {
      result,
      servers: after.servers - before.servers,
      redis: after.redis - before.redis,
      traffic: after.traffic - before.traffic,
    };
  }

  /** Returns the bytes that Redis has allocated. */
  async memory(): Promise<number> {
    return readNumber(await this.#client.info('memory'), 'used_memory');
  }

  async kept(): Promise<Kept> {
    const kept: Kept = { messages: 0, bytes: 0 };
    for await (const keys of this.#client.scanIterator({ COUNT: 1_000 })) {
      for (const one of await Promise.all(keys.map((key) => this.#keptIn(key)))) {
        kept.messages += one.messages;
        kept.bytes += one.bytes;
      }
    }
    return kept;
  }

  async #keptIn(key: string): Promise<Kept> {
    const [bytes, type] = await Promise.all([
      this.#client.memoryUsage(key, { SAMPLES: 0 }),
      this.#client.type(key),
    ]);
    return { messages: type === 'stream' ? await this.#client.xLen(key) : 0, bytes: bytes ?? 0 };
  }

  close(): void {
    this.#client.destroy();
  }

  async #used(servers: readonly ServerChild[]): Promise<Omit<Use<unknown>, 'result'>> {
    const usages = await Promise.all(servers.map((server) => server.ask('usage')));
    const cpu = await this.#client.info('cpu');
    const stats = await this.#client.info('stats');
    return {
      servers: usages.reduce((sum, usage) => sum + usage.cpu * 1000, 0),
      redis: (readNumber(cpu, 'used_cpu_sys') + readNumber(cpu, 'used_cpu_user')) * 1e6,
      traffic: readNumber(stats, 'total_net_input_bytes') + readNumber(stats, 'total_net_output_bytes'),
    };
  }
}

type Client = Awaited<ReturnType<typeof connect>>;

function connect(url: string) {
  return createClient({ url }).connect();
}

function readNumber(info: string, name: string): number {
  const match = new RegExp(`^${name}:([\\d.]+)\\r?$`, 'm').exec(info);
  if (match === null) throw new Error(`INFO of Redis has no field ${name}`);
  return Number(match[1]);
}
