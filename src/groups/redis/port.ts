/**
 * Describes a client of `redis` (node-redis) or `ioredis`, of version 5 or later.
 *
 * It may be connected to a server, a cluster or sentinels. Sentinels need `redis` 6 or later, or `ioredis`. This type is
 * only a shape, so that neither package is a dependency.
 */
export interface RedisClient {
  duplicate(...args: never[]): unknown;
  subscribe(...args: never[]): unknown;
  publish?(...args: never[]): unknown;
  on(...args: never[]): unknown;
}

/** Gives our backplanes one interface to the clients of both packages. */
export interface RedisPort {
  /** Whether the client is connected to a cluster. Then sharded pub/sub sends a group's messages over one node. */
  readonly isCluster: boolean;
  /** Tells the user what to do when the client has never connected. */
  readonly connectAdvice: string;
  /** Returns whether the client would send a command now, instead of queueing it. */
  isReady(): boolean;
  ping(): Promise<unknown>;
  /** Removes our commands from the client's own queue, if the client supports this. */
  forget(): void;
  publish(channel: string, data: Buffer): Promise<unknown>;
  /** Runs a command on the node that holds the key. Strings in the reply are Buffers. */
  command(key: string, args: (string | Buffer)[]): Promise<unknown>;
  /** Calls `changed` whenever `isReady` may have changed, with the error, if any. Returns a function that stops this. */
  watch(changed: (error?: unknown) => void): () => void;
  /** Opens a separate connection for subscriptions. */
  openSubscriber(events: SubscriberEvents): RedisSubscriber;
  /** Opens another connection with the same settings, which we own. */
  derive(): OwnPort;
}

/** A connection that we have opened, and that we close. */
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
   * Whether the client restores its subscriptions after a reconnect. If not, each new connection begins without
   * subscriptions.
   */
  readonly restores: boolean;
  isReady(): boolean;
  /** Resolves when all channels are subscribed. */
  subscribe(channels: string[]): Promise<unknown>;
  unsubscribe(channels: string[]): Promise<unknown>;
  close(): void;
}
