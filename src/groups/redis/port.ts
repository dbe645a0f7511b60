/**
 * A client of `redis` (node-redis 5 or newer; of a server or a cluster, from 6 on of sentinels) or of `ioredis` (5 or newer; a
 * server, sentinels or a cluster).
 *
 * Asked for by its shape, so that no client is a dependency.
 */
export interface RedisClient {
  duplicate(...args: never[]): unknown;
  subscribe(...args: never[]): unknown;
  publish?(...args: never[]): unknown;
  on(...args: never[]): unknown;
}

/** What our backplanes need of a Redis client, whatever its make. */
export interface RedisPort {
  /** Whether it is a cluster, where sharded pub/sub keeps a group's messages on the node that has its slot. */
  readonly isCluster: boolean;
  /** What to do when it has never connected. */
  readonly connectCure: string;
  /** Whether a command would go out now, and not wait in the client's own queue. */
  isReady(): boolean;
  ping(): Promise<unknown>;
  /** Takes back what waits in the client's own queue, as far as it lets us. */
  forget(): void;
  publish(channel: string, data: Buffer): Promise<unknown>;
  /** Runs a command on the node that has the key; strings in the reply are Buffers. */
  command(key: string, args: (string | Buffer)[]): Promise<unknown>;
  /** Told whenever `isReady` may have changed, with the error if there is one. Gives a function that ends it. */
  watch(changed: (error?: unknown) => void): () => void;
  /** Opens a connection of its own for subscriptions. */
  openSubscriber(events: SubscriberEvents): RedisSubscriber;
  /** Opens another connection like this one, which is ours. */
  derive(): OwnPort;
}

/** A connection that is not the user's. */
export interface OwnPort extends RedisPort {
  close(): void;
}

export interface SubscriberEvents {
  readonly message: (channel: string, data: Buffer) => void;
  readonly changed: (error?: unknown) => void;
}

/** A connection for subscriptions. */
export interface RedisSubscriber {
  /**
   * Whether its client brings back its subscriptions by itself when it has lost a connection. If not, each new connection
   * begins without any.
   */
  readonly restores: boolean;
  isReady(): boolean;
  /** Resolves when all of them are subscribed. */
  subscribe(channels: string[]): Promise<unknown>;
  unsubscribe(channels: string[]): Promise<unknown>;
  close(): void;
}
