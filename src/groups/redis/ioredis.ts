import { isUtf8 } from 'node:buffer';
import { argumentError } from '../../shared/errors.js';
import type { OwnPort, RedisPort, RedisSubscriber, SubscriberEvents } from './port.js';

type Args = (string | Buffer)[];
type EventListener = (...args: unknown[]) => void;

/** Describes what the ioredis clients of a server and of a cluster have in common. */
interface Ioredis {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: { readonly keyPrefix?: string | Buffer; readonly redisOptions?: object };
  on(event: string, listener: EventListener): unknown;
  off(event: string, listener: EventListener): unknown;
  connect(): Promise<unknown>;
  disconnect(): void;
  publish(channel: string, data: Buffer): Promise<unknown>;
  spublish(channel: string, data: Buffer): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  ssubscribe(channel: string): Promise<unknown>;
  sunsubscribe(channel: string): Promise<unknown>;
  callBuffer(command: string, ...args: Args): Promise<unknown>;
}
type IoredisServer = Ioredis & { duplicate(overrides: object): Ioredis };
type IoredisCluster = Ioredis & { duplicate(nodes: never[], overrides: object): Ioredis };

export function isIoredis(client: unknown): client is Ioredis {
  if (typeof client !== 'object' || client === null) return false;
  const { status } = client as { status?: unknown };
  const methods = ['duplicate', 'connect', 'disconnect', 'callBuffer', 'publish', 'subscribe'];
  if (typeof status !== 'string') return false;
  return methods.every((name) => typeof (client as Record<string, unknown>)[name] === 'function');
}

const EVENTS = [
  'ready',
  'close',
  'error',
  'reconnecting',
  'end',
  'node error',
  '+node',
  '-node',
  'subscribersReady',
];

function watch(client: Ioredis, changed: (error?: unknown) => void): () => void {
  const listener: EventListener = (value) => changed(value instanceof Error ? value : undefined);
  for (const event of EVENTS) client.on(event, listener);
  return () => {
    for (const event of EVENTS) client.off(event, listener);
  };
}

export function openIoredis(client: Ioredis): RedisPort {
  const isCluster = client.isCluster === true;
  // ioredis adds keyPrefix to keys and shard channels, but not to channels. We add it to channels, too.
  const prefix = readPrefix(client);
  return {
    isCluster,
    connectAdvice: 'call "await client.connect()", or leave out lazyConnect',
    isReady: () => client.status === 'ready',
    // ioredis cannot take commands back. It repeats unanswered commands in order, so the order stays.
    forget: ignore,
    ping: () => client.callBuffer('PING'),
    publish: (channel, data) =>
      isCluster ? client.spublish(channel, data) : client.publish(prefix + channel, data),
    command: (_key, [name, ...args]) => client.callBuffer(String(name), ...args),
    watch: (changed) => watch(client, changed),
    openSubscriber: (events) => new IoredisSubscriber(client, prefix, events),
    derive(): OwnPort {
      const own = isCluster
        ? (client as IoredisCluster).duplicate([], { lazyConnect: true })
        : (client as IoredisServer).duplicate({ lazyConnect: true });
      // Without a listener, ioredis prints the error. `watch` reports it.
      own.on('error', ignore);
      own.connect().catch(ignore);
      return { ...openIoredis(own), close: () => own.disconnect() };
    },
  };
}

/** @throws {RangeError} The prefix is not UTF-8, so channels and keys would get different bytes. */
function readPrefix(client: Ioredis): string {
  const { keyPrefix = '' } = client.options;
  const isText = typeof keyPrefix === 'string' ? !/\p{Surrogate}/u.test(keyPrefix) : isUtf8(keyPrefix);
  if (isText) return keyPrefix.toString();
  throw argumentError(RangeError, 'the keyPrefix of the client must be UTF-8; choose another keyPrefix');
}

class IoredisSubscriber implements RedisSubscriber {
  readonly #client: Ioredis;
  readonly #prefix: string;
  readonly #isCluster: boolean;

  constructor(client: Ioredis, prefix: string, events: SubscriberEvents) {
    this.#prefix = prefix;
    this.#isCluster = client.isCluster === true;
    this.#client = this.#isCluster
      ? copyCluster(client as IoredisCluster)
      : copyServer(client as IoredisServer);
    watch(this.#client, events.changed);
    const onMessage = (channel: unknown, data: unknown): void =>
      events.message((channel as Buffer).toString().slice(prefix.length), data as Buffer);
    this.#client.on(this.#isCluster ? 'smessageBuffer' : 'messageBuffer', onMessage);
    this.#client.connect().catch(events.changed);
  }

  /** Only a client of a cluster knows which node has lost which subscriptions. */
  get restores(): boolean {
    return this.#isCluster;
  }

  isReady(): boolean {
    return this.#client.status === 'ready';
  }

  subscribe(channels: string[]): Promise<unknown> {
    const names = this.#namesOf(channels);
    if (!this.#isCluster) return this.#client.subscribe(...names);
    return Promise.all(names.map((name) => this.#client.ssubscribe(name)));
  }

  unsubscribe(channels: string[]): Promise<unknown> {
    const names = this.#namesOf(channels);
    if (!this.#isCluster) return this.#client.unsubscribe(...names);
    return Promise.all(names.map((name) => this.#client.sunsubscribe(name)));
  }

  #namesOf(channels: string[]): string[] {
    return channels.map((channel) => this.#prefix + channel);
  }

  close(): void {
    this.#client.disconnect();
  }
}

function copyServer(client: IoredisServer): Ioredis {
  return client.duplicate({
    lazyConnect: true,
    keyPrefix: '',
    // We subscribe again ourselves, to know when the subscriptions are complete.
    autoResubscribe: false,
    // A repeated command from before an outage must not follow one of our new commands.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
  });
}

function copyCluster(client: IoredisCluster): Ioredis {
  const { redisOptions } = client.options;
  return client.duplicate([], {
    lazyConnect: true,
    keyPrefix: '',
    redisOptions: { ...redisOptions, keyPrefix: '' },
    shardedSubscribers: true,
    enableAutoPipelining: false,
  });
}

function ignore(): void {
  // `watch` reports the error, or nobody needs it.
}
