import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import { BackplaneError } from '../errors.js';
import { closedError, isPermanent } from './faults.js';
import { Fifo } from './fifo.js';
import {
  GroupQueue,
  GROUP_QUEUE_BYTES,
  type PendingMessage,
  type PendingMessageHost,
  WAITER_BYTES,
} from './group-queue.js';
import type { RedisPort } from './port.js';
import type { Command } from './sender.js';

/** Commands in flight at a time: enough to keep Redis busy, and few enough for a quick reply. */
const WINDOW = 500;
/** Bytes in flight at a time. We cannot take them back from a client, so they must be few. */
const WINDOW_BYTES = 2 ** 20;
const RETRY_DELAY = 250;

export interface OutboxOptions {
  /** Limits the memory that messages take, in bytes. */
  readonly maxBuffered: number;
  /** Whether to keep a message until Redis has confirmed it. If not, a failed message is dropped. */
  readonly keeps: boolean;
  /**
   * Whether a group may have only one message in flight. When a slot of a cluster has moved, a client repeats the refused
   * commands without keeping their order.
   */
  readonly oneByOne: boolean;
  /** Returns whether a message may be sent now. If not, it waits for `flush`. */
  readonly canSend: () => boolean;
  readonly post: (command: Command) => void;
  readonly send: (port: RedisPort, group: string, data: Buffer) => Promise<unknown>;
  /** Called when kept messages (`'later'`) could not be sent after all. */
  readonly dropped: (group: string, count: number, error: Error) => void;
}

/**
 * Holds the messages that Redis has not confirmed yet.
 *
 * It sends one message of each group in turn. So a group with many messages does not delay the others. The order within a
 * group stays.
 *
 * When a kept message fails, sending stops until every message in flight has succeeded or failed. Then the outbox repeats
 * the unconfirmed messages in order. It sends the first one alone. Redis may have accepted some of them before the
 * connection broke; receivers ignore the duplicates.
 */
export class Outbox implements PendingMessageHost {
  readonly #options: OutboxOptions;
  readonly #queues = new Map<string, GroupQueue>();
  // The queues with messages to send, in round-robin order.
  readonly #scheduled = new Fifo<GroupQueue>();
  #bytes = 0;
  #inFlight = 0;
  #bytesInFlight = 0;
  #window = WINDOW;
  #state: 'flowing' | 'stopping' | 'stopped' | 'closed' = 'flowing';
  #isSending = false;
  #retry: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Adds a message. Resolves with the reply of Redis, or with `'later'`. */
  add(group: string, data: Buffer): Promise<unknown> {
    const { keeps, canSend, maxBuffered } = this.#options;
    if (this.#state === 'closed') return Promise.reject(closedError());
    const queue = this.#queues.get(group) ?? new GroupQueue(group, this);
    const isKept = keeps && (this.#state !== 'flowing' || !canSend());
    const growth =
      queue.growthFor(data) + (isKept ? 0 : WAITER_BYTES) + (queue.isEmpty ? GROUP_QUEUE_BYTES : 0);
    if (this.#bytes + growth > maxBuffered) return Promise.reject(fullError(group, this.#bytes, maxBuffered));
    if (queue.isEmpty) this.#bytes += GROUP_QUEUE_BYTES;
    this.#queues.set(group, queue);
    if (isKept) {
      this.#bytes -= queue.bytes;
      queue.push(data);
      this.#bytes += queue.bytes;
      this.#schedule(queue);
      if (this.#state === 'flowing') this.#stop();
      return LATER;
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#canSendNow(queue) && canSend()) {
        this.#bytes -= queue.bytes;
        const message = queue.dispatch(data, waiter);
        this.#bytes += queue.bytes;
        this.#post(message);
      } else {
        this.#bytes -= queue.bytes;
        queue.push(data, waiter);
        this.#bytes += queue.bytes;
        this.#schedule(queue);
        this.#sendScheduled();
      }
    });
  }

  /** Sends waiting messages. Call it whenever the connection is ready (again). */
  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#state === 'stopped') this.#state = 'flowing';
    this.#sendScheduled();
  }

  /** Sends waiting messages for at most `timeout` milliseconds, and drops the rest. */
  async close(timeout: number): Promise<void> {
    if (this.#options.canSend() && this.#queues.size > 0) {
      const timer = setTimeout(() => this.#settleEmpty(), timeout);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(timer);
    }
    clearTimeout(this.#retry);
    this.#state = 'closed';
    for (const queue of this.#queues.values()) {
      const count = queue.clear(closedError());
      if (count > 0) this.#options.dropped(queue.group, count, closedError());
    }
    this.#queues.clear();
  }

  send(port: RedisPort, { queue, data }: PendingMessage): Promise<unknown> {
    return this.#options.send(port, queue.group, data);
  }

  answered(message: PendingMessage, reply: unknown): void {
    if (!this.#endFlight(message)) return;
    this.#window = WINDOW;
    // A repeated earlier message would arrive after this one, and every receiver would ignore it.
    for (const earlier of message.queue.failedBefore(message))
      this.#fail(earlier, outOfOrderError(message.queue.group));
    this.#finish(message);
    message.waiter?.resolve(reply);
    this.#continue();
  }

  failed(message: PendingMessage, error: Error): void {
    if (!this.#endFlight(message)) return;
    if (!this.#options.keeps || isPermanent(error)) {
      this.#fail(message, error);
    } else {
      message.state = 'failed';
      message.resolveLater();
      if (this.#state === 'flowing') this.#stop();
    }
    this.#continue();
  }

  /** Whether a new message of this queue may be sent before every waiting message. */
  #canSendNow(queue: GroupQueue): boolean {
    if (this.#state !== 'flowing' || this.#scheduled.length > 0 || queue.hasNext) return false;
    return this.#hasRoom() && (queue.isIdle || !this.#options.oneByOne);
  }

  #schedule(queue: GroupQueue): void {
    if (queue.isScheduled || !queue.hasNext || (this.#options.oneByOne && !queue.isIdle)) return;
    queue.isScheduled = true;
    this.#scheduled.push(queue);
  }

  #sendScheduled(): void {
    // A message may fail at once, and call this method again.
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#state === 'flowing' && this.#scheduled.length > 0 && this.#hasRoom()) {
      if (!this.#options.canSend()) {
        if (this.#options.keeps) this.#stop();
        break;
      }
      this.#sendNext();
    }
    this.#isSending = false;
  }

  #sendNext(): void {
    const queue = this.#scheduled.shift();
    if (queue === undefined) return;
    const before = queue.bytes;
    const message = queue.next();
    this.#bytes += queue.bytes - before;
    queue.isScheduled = false;
    this.#schedule(queue);
    if (message !== undefined) this.#post(message);
  }

  #post(message: PendingMessage): void {
    this.#inFlight++;
    this.#bytesInFlight += message.data.length;
    this.#options.post(message);
  }

  #hasRoom(): boolean {
    return this.#inFlight < this.#window && (this.#inFlight === 0 || this.#bytesInFlight < WINDOW_BYTES);
  }

  /** Ends the flight of a message. Returns `false` if `close` has dropped the message. */
  #endFlight(message: PendingMessage): boolean {
    this.#inFlight--;
    this.#bytesInFlight -= message.data.length;
    return message.state === 'in flight';
  }

  #continue(): void {
    if (this.#state === 'stopping' && this.#inFlight === 0) this.#stopped();
    // Not for each reply: a client sends many commands together at a lower cost.
    if (this.#inFlight <= this.#window / 2) this.#sendScheduled();
  }

  #stop(): void {
    this.#window = 1;
    this.#state = 'stopping';
    for (const queue of this.#queues.values()) {
      this.#bytes -= queue.bytes;
      queue.resolveLater();
      this.#bytes += queue.bytes;
    }
    if (this.#inFlight === 0) this.#stopped();
  }

  #stopped(): void {
    this.#state = 'stopped';
    for (const queue of this.#queues.values()) {
      queue.repeatFailed();
      this.#schedule(queue);
    }
    this.#retry ??= setTimeout(() => this.flush(), RETRY_DELAY).unref();
    if (!this.#options.canSend()) this.#settleEmpty();
  }

  #fail(message: PendingMessage, error: Error): void {
    if (message.waiter === undefined) this.#options.dropped(message.queue.group, 1, error);
    else message.waiter.reject(error);
    this.#finish(message);
  }

  #finish(message: PendingMessage): void {
    const { queue } = message;
    this.#bytes -= queue.bytes;
    queue.finish(message);
    if (queue.isEmpty) {
      this.#queues.delete(queue.group);
    } else {
      this.#bytes += queue.bytes;
      this.#schedule(queue);
    }
    if (this.#queues.size === 0) this.#settleEmpty();
  }

  #settleEmpty(): void {
    this.#whenEmpty?.();
    this.#whenEmpty = undefined;
  }
}

const LATER = Promise.resolve('later');

function fullError(group: string, bytes: number, maxBuffered: number): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_FULL',
    `messages that wait for Redis take ${String(bytes)} of ${String(maxBuffered)} bytes; ` +
      'send fewer messages, or raise maxBuffered of the backplane',
    { group },
  );
}

function outOfOrderError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_REFUSED',
    'Redis has accepted a later message of this group; repeating this one would break the order, so it is dropped',
    { group },
  );
}
