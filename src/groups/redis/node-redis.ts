import { setMaxListeners } from 'node:events';
import type { OwnPort, RedisPort, RedisSubscriber, SubscriberEvents } from './port.js';

type Listener = (data: Buffer, channel: Buffer) => void;

/** The part of node-redis that a server, sentinels and a cluster have in common. */
interface NodeRedis {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  on(event: string, listener: (error?: unknown) => void): unknown;
  off(event: string, listener: (error?: unknown) => void): unknown;
  duplicate(overrides?: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): unknown;
  subscribe(channels: string[], listener: Listener, asBuffers: true): Promise<unknown>;
  unsubscribe(channel: string, listener: Listener, asBuffers: true): Promise<unknown>;
  sSubscribe(channel: string, listener: Listener, asBuffers: true): Promise<unknown>;
  sUnsubscribe(channel: string, listener: Listener, asBuffers: true): Promise<unknown>;
  sendCommand(...args: unknown[]): Promise<unknown>;
  /** Only a cluster has them. */
  readonly masters?: readonly { readonly pubSub?: { readonly client: { readonly isReady: boolean } } }[];
}

export function isNodeRedis(client: unknown): client is NodeRedis {
  if (typeof client !== 'object' || client === null) return false;
  const methods = ['duplicate', 'connect', 'destroy', 'sendCommand', 'subscribe', 'sSubscribe', 'publish'];
  if (!('isOpen' in client)) return false;
  return methods.every((name) => typeof (client as Record<string, unknown>)[name] === 'function');
}

// As a type mapping of node-redis: replies of the RESP type "blob string" ('$') are Buffers.
const AS_BUFFERS = { typeMapping: { ['$'.charCodeAt(0)]: Buffer } };

const EVENTS = [
  'connect',
  'ready',
  'error',
  'reconnecting',
  'end',
  'disconnect',
  'node-ready',
  'node-error',
  'node-disconnect',
  'node-reconnecting',
  'topology-change',
];

function watch(client: NodeRedis, changed: (error?: unknown) => void): () => void {
  const listener = (value?: unknown): void => changed(value instanceof Error ? value : undefined);
  for (const event of EVENTS) client.on(event, listener);
  return () => {
    for (const event of EVENTS) client.off(event, listener);
  };
}

export function openNodeRedis(client: NodeRedis): RedisPort {
  const isCluster = 'masters' in client;
  // A client of sentinels has both names, too; its commands say first whether they only read.
  const isSentinel = !isCluster && 'getMasterNode' in client;
  // When the connection breaks, the client drops what it had written and keeps what it had not: on the next connection
  // the later commands would come before those that we send again. So the rest is taken back.
  let unsent = makeAborter();
  const run = (key: string | undefined, args: (string | Buffer)[]): Promise<unknown> => {
    const options = { ...AS_BUFFERS, abortSignal: unsent.signal };
    if (isCluster) return client.sendCommand(key, false, args, options);
    return isSentinel ? client.sendCommand(false, args, options) : client.sendCommand(args, options);
  };
  return {
    isCluster,
    connectCure: 'call "await client.connect()"',
    isReady: () => isReady(client),
    publish: (channel, data) => run(channel, [isCluster ? 'SPUBLISH' : 'PUBLISH', channel, data]),
    forget() {
      unsent.abort();
      unsent = makeAborter();
    },
    command: run,
    ping: () => run(undefined, ['PING']),
    watch: (changed) => watch(client, changed),
    openSubscriber: (events) => new NodeRedisSubscriber(client, isCluster, events),
    derive(): OwnPort {
      const own = copy(client);
      // Without a listener an error would end the process; whoever watches the port hears of it.
      own.on('error', ignore);
      const close = makeCloser(own);
      own.connect().catch(ignore);
      return { ...openNodeRedis(own), close };
    },
  };
}

/** For many commands: Node takes more than ten listeners for a leak. */
function makeAborter(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** The cluster of version 5 does not say whether it is ready; it is when it knows its nodes. */
function isReady(client: NodeRedis): boolean {
  return client.isReady ?? (client.isOpen && (client.masters?.length ?? 0) > 0);
}

function copy(client: NodeRedis): NodeRedis {
  // A connection of ours has no use for a cache, nor may it share one.
  return client.duplicate({ clientSideCache: undefined });
}

/**
 * Gives what closes a client that is about to connect. Between the start of a socket and its 'connect' the client does not
 * know the socket: `destroy` would miss it, and leave a connection that nobody closes. So then it waits for either end.
 */
function makeCloser(client: NodeRedis): () => void {
  // Those of a cluster or of sentinels have many sockets, and other events.
  if ('masters' in client || 'getMasterNode' in client) return () => destroy(client);
  let isOpening = true;
  let isClosed = false;
  const opened = (): void => {
    isOpening = false;
    if (isClosed) destroy(client);
  };
  client.on('reconnecting', () => (isOpening = true));
  client.on('connect', opened);
  client.on('error', opened);
  return () => {
    isClosed = true;
    if (!isOpening) destroy(client);
  };
}

function destroy(client: NodeRedis): void {
  try {
    // A cluster gives a promise.
    Promise.resolve(client.destroy()).catch(ignore);
  } catch {
    // It was not open.
  }
}

class NodeRedisSubscriber implements RedisSubscriber {
  readonly #client: NodeRedis;
  readonly #isCluster: boolean;
  readonly #known = new Set<string>();
  readonly #listener: Listener;
  readonly close: () => void;

  constructor(client: NodeRedis, isCluster: boolean, events: SubscriberEvents) {
    this.#isCluster = isCluster;
    this.#listener = (data, channel) => events.message(channel.toString(), data);
    this.#client = copy(client);
    watch(this.#client, events.changed);
    this.close = makeCloser(this.#client);
    this.#client.connect().catch(events.changed);
  }

  isReady(): boolean {
    if (!isReady(this.#client)) return false;
    return this.#client.masters?.every(({ pubSub }) => pubSub?.client.isReady ?? true) ?? true;
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    // Known ones are restored by the client before it says that it is ready.
    const news = channels.filter((channel) => !this.#known.has(channel));
    if (news.length === 0) return;
    if (this.#isCluster) {
      await Promise.all(news.map((channel) => this.#client.sSubscribe(channel, this.#listener, true)));
    } else {
      await this.#client.subscribe(news, this.#listener, true);
    }
    for (const channel of news) this.#known.add(channel);
  }

  unsubscribe(channel: string): Promise<unknown> {
    this.#known.delete(channel);
    if (this.#isCluster) return this.#client.sUnsubscribe(channel, this.#listener, true);
    return this.#client.unsubscribe(channel, this.#listener, true);
  }
}

function ignore(): void {
  // Nobody needs to know how a connection that is let go has ended.
}
