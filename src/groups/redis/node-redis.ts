import type { OwnPort, RedisPort, RedisSubscriber, SubscriberEvents } from './port.js';

type Listener = (data: Buffer, channel: Buffer) => void;

/** Describes what the node-redis clients of a server, of sentinels and of a cluster have in common. */
interface NodeRedis {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  on(event: string, listener: (error?: unknown) => void): unknown;
  off(event: string, listener: (error?: unknown) => void): unknown;
  duplicate(overrides?: object): NodeRedis;
  connect(): Promise<unknown>;
  destroy(): unknown;
  subscribe(channels: string[], listener: Listener, asBuffers: true): Promise<unknown>;
  unsubscribe(channels: string[], listener: Listener, asBuffers: true): Promise<unknown>;
  sSubscribe(channel: string, listener: Listener, asBuffers: true): Promise<unknown>;
  sUnsubscribe(channel: string, listener: Listener, asBuffers: true): Promise<unknown>;
  sendCommand(...args: unknown[]): Promise<unknown>;
  /** Exists only on the client of a cluster. */
  readonly masters?: readonly { readonly pubSub?: { readonly client: { readonly isReady: boolean } } }[];
}

export function isNodeRedis(client: unknown): client is NodeRedis {
  if (typeof client !== 'object' || client === null) return false;
  const methods = ['duplicate', 'connect', 'destroy', 'sendCommand', 'subscribe', 'sSubscribe', 'publish'];
  if (!('isOpen' in client)) return false;
  return methods.every((name) => typeof (client as Record<string, unknown>)[name] === 'function');
}

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
  // `sendCommand` of a sentinel client has another first parameter: whether the command only reads.
  const isSentinel = !isCluster && 'getMasterNode' in client;
  // When the connection breaks, the client drops the written commands and keeps the unwritten ones. It would send those
  // before the commands that we repeat. So we take the unwritten commands back.
  let unsent = new UnsentCommands();
  const run = (key: string | undefined, args: (string | Buffer)[]): Promise<unknown> => {
    if (isCluster) return client.sendCommand(key, false, args, unsent.options);
    if (isSentinel) return client.sendCommand(false, args, unsent.options);
    return client.sendCommand(args, unsent.options);
  };
  return {
    isCluster,
    connectAdvice: 'call "await client.connect()"',
    isReady: () => isReady(client),
    publish: (channel, data) => run(channel, [isCluster ? 'SPUBLISH' : 'PUBLISH', channel, data]),
    forget() {
      unsent.abort();
      unsent = new UnsentCommands();
    },
    command: run,
    ping: () => run(undefined, ['PING']),
    watch: (changed) => watch(client, changed),
    openSubscriber: (events) =>
      isCluster || isSentinel
        ? new ManyNodesSubscriber(client, isCluster, events)
        : new ServerSubscriber(client, events),
    derive(): OwnPort {
      const own = copy(client);
      // Without a listener, an error ends the process. `watch` reports it.
      own.on('error', ignore);
      const close = makeCloser(own);
      own.connect().catch(ignore);
      return { ...openNodeRedis(own), close };
    },
  };
}

/**
 * Takes back the commands that a client has not written yet.
 *
 * An AbortSignal searches all its listeners whenever one is added. We keep the listeners in a set, so that many waiting
 * commands do not make each command slower.
 */
class UnsentCommands {
  readonly #controller = new AbortController();
  readonly #listeners = new Set<() => void>();
  /** Options for a command that can be taken back. */
  readonly options = {
    // Replies of the RESP type "blob string" ('$') are Buffers.
    typeMapping: { ['$'.charCodeAt(0)]: Buffer },
    // We have our own timeout. The timeout of the client creates a timer and a signal for each command.
    timeout: undefined,
    abortSignal: Object.assign(this.#controller.signal, {
      addEventListener: (_type: string, listener: () => void) => void this.#listeners.add(listener),
      removeEventListener: (_type: string, listener: () => void) => void this.#listeners.delete(listener),
    }),
  };

  abort(): void {
    this.#controller.abort();
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/** Checks whether a client is ready. A cluster of version 5 has no `isReady`; it is ready when it knows its nodes. */
function isReady(client: NodeRedis): boolean {
  return client.isReady ?? (client.isOpen && (client.masters?.length ?? 0) > 0);
}

function copy(client: NodeRedis): NodeRedis {
  // Our connection needs no cache, and must not share the user's.
  return client.duplicate({ clientSideCache: undefined });
}

/**
 * Returns a function that closes a client, also while it is connecting.
 *
 * While a socket is connecting, the client does not know it. `destroy` would then leave the connection open for ever. So
 * the function waits until the socket has connected or failed.
 */
function makeCloser(client: NodeRedis): () => void {
  // Clients of a cluster or of sentinels have many sockets, and emit other events.
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
    // `destroy` of a cluster returns a promise.
    Promise.resolve(client.destroy()).catch(ignore);
  } catch {
    // The client was not open.
  }
}

/**
 * Subscribes on one server. Replaces its client whenever the connection is lost.
 *
 * After a reconnect, the old client would subscribe all its channels in one command. The replies could exceed the output
 * buffer of Redis. And it would subscribe channels that are no longer wanted.
 */
class ServerSubscriber implements RedisSubscriber {
  readonly restores = false;
  readonly #template: NodeRedis;
  readonly #events: SubscriberEvents;
  readonly #listener: Listener;
  #client!: NodeRedis;
  #closeClient!: () => void;
  #isClosed = false;

  constructor(template: NodeRedis, events: SubscriberEvents) {
    this.#template = template;
    this.#events = events;
    this.#listener = (data, channel) => events.message(channel.toString(), data);
    this.#open();
  }

  isReady(): boolean {
    return isReady(this.#client);
  }

  subscribe(channels: string[]): Promise<unknown> {
    return this.#client.subscribe(channels, this.#listener, true);
  }

  unsubscribe(channels: string[]): Promise<unknown> {
    return this.#client.unsubscribe(channels, this.#listener, true);
  }

  close(): void {
    this.#isClosed = true;
    this.#closeClient();
  }

  #open(): void {
    const client = copy(this.#template);
    let wasReady = false;
    const changed = (error?: unknown): void => {
      if (client !== this.#client || this.#isClosed) return;
      if (isReady(client)) wasReady = true;
      else if (wasReady) {
        const closeOld = this.#closeClient;
        // First, so that events of the old client are ignored.
        this.#open();
        closeOld();
      }
      this.#events.changed(error);
    };
    this.#client = client;
    this.#closeClient = makeCloser(client);
    watch(client, changed);
    client.connect().catch(changed);
  }
}

/** Subscribes on the nodes of a cluster, or on the master that sentinels name. */
class ManyNodesSubscriber implements RedisSubscriber {
  readonly restores = true;
  readonly #client: NodeRedis;
  readonly #isCluster: boolean;
  readonly #listener: Listener;
  readonly close: () => void;

  constructor(template: NodeRedis, isCluster: boolean, events: SubscriberEvents) {
    this.#isCluster = isCluster;
    this.#listener = (data, channel) => events.message(channel.toString(), data);
    this.#client = copy(template);
    watch(this.#client, events.changed);
    this.close = makeCloser(this.#client);
    this.#client.connect().catch(events.changed);
  }

  isReady(): boolean {
    if (!isReady(this.#client)) return false;
    return this.#client.masters?.every(({ pubSub }) => pubSub?.client.isReady ?? true) ?? true;
  }

  subscribe(channels: string[]): Promise<unknown> {
    if (!this.#isCluster) return this.#client.subscribe(channels, this.#listener, true);
    return Promise.all(channels.map((channel) => this.#client.sSubscribe(channel, this.#listener, true)));
  }

  unsubscribe(channels: string[]): Promise<unknown> {
    if (!this.#isCluster) return this.#client.unsubscribe(channels, this.#listener, true);
    return Promise.all(channels.map((channel) => this.#client.sUnsubscribe(channel, this.#listener, true)));
  }
}

function ignore(): void {
  // `watch` reports the error, or the connection was closed on purpose.
}
