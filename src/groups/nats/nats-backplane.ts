import { debug } from '../../shared/notices.js';
import { now, setImmediate } from '../../shared/real-timers.js';
import { Availability } from '../availability.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { type BatchedMessage, Batches } from '../batches.js';
import { outageError, refusalError, tooLargeError } from '../failures.js';
import { tickEvery } from '../ticker.js';
import { checkConnection, type NatsConnection, type NatsSubscription } from './connection.js';
import { type NatsBackplaneOptions, type NatsSettings, resolveNatsOptions } from './options.js';
import { subjectOf } from './subject.js';

const RECONNECT_ADVICE = 'check that the NATS server runs';
const CLOSED_ADVICE =
  'a closed connection stays closed; connect with { maxReconnectAttempts: -1 }, so that the client tries for ever';
const PERMISSION_ADVICE = 'allow the NATS user to publish and to subscribe to PREFIX.group.>';

/** Batches in flight at a time: enough to use a distant server well. */
const PARALLEL = 16;

/**
 * Connects the groups of all processes over NATS (core NATS; JetStream is not needed).
 *
 * Sends and receives over your connection, and leaves it open. When the server does not answer for `timeout` milliseconds,
 * it calls `reconnect()` of the connection. Messages that other processes send during an outage do not arrive later.
 *
 * @param connection A connection of `@nats-io/transport-node`. Give `connect` the option `maxReconnectAttempts: -1`.
 * @throws {TypeError} The value is not such a connection.
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name.
 * @example
 * const connection = await connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1 });
 * const groups = createGroups({ backplane: natsBackplane(connection) });
 */
export function natsBackplane(connection: NatsConnection, options: NatsBackplaneOptions = {}): Backplane {
  checkConnection(connection);
  return new NatsBackplane(connection, resolveNatsOptions(options));
}

class NatsBackplane implements Backplane {
  readonly #connection: NatsConnection;
  readonly #settings: NatsSettings;
  readonly #availability = new Availability('natsBackplane');
  readonly #batches: Batches;
  readonly #subscriptions = new Map<string, NatsSubscription>();
  /** Subjects to which the server has refused a message, and its error. */
  readonly #refused = new Map<string, Error>();
  readonly #status: AsyncIterable<{ type: string }>;
  #events: BackplaneEvents | undefined;
  #stopTicks: (() => void) | undefined;
  /** When the question was sent that waits for its answer. */
  #askedAt: number | undefined;
  #reconnectedAt = -Infinity;
  #sending = 0;
  #answer: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(connection: NatsConnection, settings: NatsSettings) {
    this.#connection = connection;
    this.#settings = settings;
    this.#batches = new Batches({
      service: 'NATS',
      availability: this.#availability,
      maxBuffered: settings.maxBuffered,
      parallel: PARALLEL,
      canSend: () => this.#availability.isUp(),
      send: (batch) => this.#send(batch),
    });
    this.#status = connection.status();
  }

  start(events: BackplaneEvents): void {
    this.#availability.start(events);
    this.#events = events;
    void this.#watchStatus();
    this.#connection.closed().then(
      () => this.#closed(),
      () => this.#closed(),
    );
    this.#stopTicks = tickEvery(this.#settings.timeout / 2, () => this.#checkTime());
    this.#probe();
  }

  publish(group: string, data: Buffer): Promise<void> {
    const limit = Math.min(this.#settings.maxPayload, this.#connection.info?.max_payload ?? Infinity);
    if (data.length > limit) {
      const advice = 'raise maxPayload of the backplane, and max_payload of the NATS server';
      return Promise.reject(tooLargeError(group, data.length, limit, advice));
    }
    return this.#batches.add(group, data);
  }

  async subscribe(group: string): Promise<void> {
    await this.#availability.untilUp();
    let refusal: Error | undefined;
    const subscription = this.#connection.subscribe(this.#subjectOf(group), {
      callback: (error, message) => {
        if (error !== null) refusal = error;
        else if (this.#subscriptions.get(group) === subscription) this.#receive(group, message.data);
      },
    });
    this.#subscriptions.set(group, subscription);
    try {
      await this.#confirm();
    } catch (error) {
      this.#drop(group, subscription);
      throw outageError(error);
    }
    if (refusal === undefined) return;
    this.#drop(group, subscription);
    throw refusalError('NATS', refusal, PERMISSION_ADVICE);
  }

  // `async` turns a throw into a rejection.
  async unsubscribe(group: string): Promise<void> {
    const subscription = this.#subscriptions.get(group);
    if (subscription !== undefined) this.#drop(group, subscription);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#batches.close(this.#settings.timeout);
    this.#availability.close();
    this.#stopTicks?.();
    for (const [group, subscription] of this.#subscriptions) this.#drop(group, subscription);
    // The iterable of the client is a queue, which the client fills until it is stopped.
    (this.#status as { stop?: () => void }).stop?.();
  }

  #subjectOf(group: string): string {
    return subjectOf(this.#settings.prefix, group);
  }

  #receive(group: string, data: Uint8Array): void {
    this.#events?.message(group, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }

  #drop(group: string, subscription: NatsSubscription): void {
    if (this.#subscriptions.get(group) === subscription) this.#subscriptions.delete(group);
    try {
      subscription.unsubscribe();
    } catch (error) {
      debug('could not unsubscribe from NATS: %o', error);
    }
  }

  /** Resolves when the server has answered to everything before. Calls of one turn share one question. */
  #confirm(): Promise<void> {
    this.#answer ??= Promise.resolve().then(() => {
      this.#answer = undefined;
      return this.#ask();
    });
    return this.#answer;
  }

  /** Asks the server for an answer. An error that it has sent before has been received then, too. */
  async #ask(): Promise<void> {
    await this.#connection.rtt();
    // The client passes errors on over a queue of its own.
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #send(batch: readonly BatchedMessage[]): Promise<void> {
    for (const message of batch) {
      try {
        this.#connection.publish(this.#subjectOf(message.group), message.data);
      } catch (error) {
        message.fail(refusalError('the NATS client', error));
      }
    }
    this.#sending++;
    try {
      await this.#ask();
      if (this.#refused.size > 0) this.#failRefused(batch);
    } catch (error) {
      throw outageError(error);
    } finally {
      if (--this.#sending === 0) this.#refused.clear();
    }
  }

  #failRefused(batch: readonly BatchedMessage[]): void {
    for (const message of batch) {
      const refusal = this.#refused.get(this.#subjectOf(message.group));
      if (refusal !== undefined) message.fail(refusalError('NATS', refusal, PERMISSION_ADVICE));
    }
  }

  async #watchStatus(): Promise<void> {
    try {
      for await (const status of this.#status) {
        if (this.#availability.isClosed()) return;
        this.#noteStatus(status);
      }
    } catch (error) {
      debug('the status of the NATS connection ended: %o', error);
    }
  }

  #noteStatus(status: { type: string; error?: unknown }): void {
    switch (status.type) {
      case 'disconnect':
        this.#becomeCut(outageError(new Error('the connection to NATS is lost'), RECONNECT_ADVICE));
        break;
      case 'reconnect':
        this.#askedAt = undefined;
        this.#probe();
        break;
      case 'error':
        this.#noteRefusal(status.error);
    }
  }

  #noteRefusal(error: unknown): void {
    const { operation, subject } = (error ?? {}) as { operation?: unknown; subject?: unknown };
    if (!(error instanceof Error) || operation !== 'publish' || typeof subject !== 'string') return;
    if (subject.startsWith(`${this.#settings.prefix}.group.`)) this.#refused.set(subject, error);
  }

  #checkTime(): void {
    const { timeout } = this.#settings;
    if (this.#askedAt === undefined) this.#probe();
    else if (now() - this.#askedAt >= timeout) {
      this.#becomeCut(outageError(new Error(`NATS has not answered for ${timeout} ms`), RECONNECT_ADVICE));
      if (now() - this.#reconnectedAt < 2 * timeout) return;
      // The client itself notices a dead connection only after minutes. While it reconnects, this does nothing.
      this.#reconnectedAt = now();
      this.#connection.reconnect().catch((error: unknown) => debug('NATS cannot reconnect: %o', error));
    }
  }

  /** Checks the way to the server and back. Messages and subscriptions use the same connection. */
  #probe(): void {
    const askedAt = now();
    this.#askedAt = askedAt;
    this.#connection.rtt().then(
      () => {
        if (this.#askedAt !== askedAt) return;
        this.#askedAt = undefined;
        this.#availability.becomeUp();
        this.#batches.flush();
      },
      (error: unknown) => {
        if (this.#askedAt !== askedAt) return;
        this.#askedAt = undefined;
        this.#becomeCut(outageError(error, this.#connection.isClosed() ? CLOSED_ADVICE : RECONNECT_ADVICE));
      },
    );
  }

  #closed(): void {
    this.#becomeCut(outageError(new Error('the connection to NATS is closed'), CLOSED_ADVICE));
  }

  #becomeCut(error: Error): void {
    this.#availability.becomeCut(error);
    if (!this.#availability.isClosed()) this.#batches.failAll(error);
  }
}
