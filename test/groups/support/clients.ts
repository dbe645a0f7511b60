import type { Redis } from 'ioredis';
import type { RedisClient } from 'dwebsocket/groups';

/** A connected client of one package and version. `end` closes it. */
export interface OpenClient {
  readonly client: RedisClient;
  end(): void;
}

export interface ClientKind {
  readonly name: string;
  connect(url: string): Promise<OpenClient>;
}

// To TypeScript, all versions have the types of the newest one.
async function loadNodeRedis(name: string): Promise<typeof import('redis')> {
  return (await import(name)) as typeof import('redis');
}

async function loadIoredis(name: string): Promise<typeof import('ioredis')> {
  return (await import(name)) as typeof import('ioredis');
}

const nodeRedis = (name: string, version: number): ClientKind => ({
  name: `redis ${version}`,
  async connect(url) {
    const { createClient } = await loadNodeRedis(name);
    const client = createClient({ url });
    client.on('error', () => {});
    await client.connect();
    return { client, end: () => client.destroy() };
  },
});

const ioredis = (name: string, version: number): ClientKind => ({
  name: `ioredis ${version}`,
  async connect(url) {
    const { Redis: Client } = await loadIoredis(name);
    const client: Redis = new Client(url, { lazyConnect: true });
    client.on('error', () => {});
    await client.connect();
    return { client, end: () => client.disconnect() };
  },
});

/** Every supported client package and version. */
export const clientKinds: readonly ClientKind[] = [
  nodeRedis('redis', 6),
  nodeRedis('redis5', 5),
  ioredis('ioredis', 6),
  ioredis('ioredis5', 5),
];

export interface ClusterKind {
  readonly name: string;
  connect(ports: number[]): Promise<OpenClient>;
}

const nodeRedisCluster = (name: string, version: number): ClusterKind => ({
  name: `redis ${version}`,
  async connect(ports) {
    const { createCluster } = await loadNodeRedis(name);
    const client = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) });
    client.on('error', () => {});
    await client.connect();
    return { client, end: () => client.destroy() };
  },
});

const ioredisCluster = (name: string, version: number): ClusterKind => ({
  name: `ioredis ${version}`,
  async connect(ports) {
    const { Cluster } = await loadIoredis(name);
    const client = new Cluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      { lazyConnect: true },
    );
    client.on('error', () => {});
    await client.connect();
    return { client, end: () => client.disconnect() };
  },
});

export const clusterKinds: readonly ClusterKind[] = [
  nodeRedisCluster('redis', 6),
  nodeRedisCluster('redis5', 5),
  ioredisCluster('ioredis', 6),
  ioredisCluster('ioredis5', 5),
];
