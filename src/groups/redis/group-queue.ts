import { Fifo } from './fifo.js';
import { PackedQueue } from './packed-queue.js';
import type { RedisPort } from './port.js';
import type { Command } from './sender.js';

/**
 * Bytes of memory for a caller of `send` that waits for the result: its promises and what they refer to. Measured in
 * test/groups/memory.test.ts.
 */
export const WAITER_BYTES = 800;
/** Bytes of memory for a message in flight, without its data and its waiter. */
const PENDING_MESSAGE_BYTES = 500;
/** Bytes of memory for an empty queue. */
export const GROUP_QUEUE_BYTES = 600;

/** Settles the promise of a caller that waits for the result of a message. */
export interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends messages, and receives their results. */
export interface PendingMessageHost {
  send(port: RedisPort, message: PendingMessage): Promise<unknown>;
  answered(message: PendingMessage, reply: unknown): void;
  failed(message: PendingMessage, error: Error): void;
}

/** A message that was sent to Redis and is not confirmed yet. */
export class PendingMessage implements Command {
  readonly queue: GroupQueue;
  readonly data: Buffer;
  /** `undefined` after the promise of the caller has resolved with `'later'`. */
  waiter: Waiter | undefined;
  since = 0;
  state: 'in flight' | 'failed' | 'done' = 'in flight';
  readonly #host: PendingMessageHost;

  constructor(host: PendingMessageHost, queue: GroupQueue, data: Buffer, waiter: Waiter | undefined) {
    this.#host = host;
    this.queue = queue;
    this.data = data;
    this.waiter = waiter;
  }

  run(port: RedisPort): Promise<unknown> {
    return this.#host.send(port, this);
  }

  answered(reply: unknown): void {
    this.#host.answered(this, reply);
  }

  failed(error: Error): void {
    this.#host.failed(this, error);
  }

  /** Resolves the promise of the caller with `'later'`, so that it does not wait for the end of an outage. */
  resolveLater(): void {
    this.waiter?.resolve('later');
    this.waiter = undefined;
  }
}

/** Holds the messages of one group in order: those in flight, then those to repeat, then those that wait. */
export class GroupQueue {
  readonly group: string;
  /** Bytes of memory that the queue takes, with everything in it. */
  bytes = GROUP_QUEUE_BYTES;
  /** Whether the outbox has scheduled this queue. */
  isScheduled = false;
  readonly #host: PendingMessageHost;
  // Includes messages that are done but have an unfinished one before them.
  readonly #inFlight = new Fifo<PendingMessage>();
  #toRepeat: Fifo<PendingMessage> | undefined;
  #waiting: PackedQueue | undefined;
  // The waiters of the last messages in `#waiting`. Earlier messages have none.
  #waiters: Fifo<Waiter> | undefined;

  constructor(group: string, host: PendingMessageHost) {
    this.group = group;
    this.#host = host;
  }

  get hasNext(): boolean {
    return this.#waiting !== undefined || this.#toRepeat !== undefined;
  }

  /** Whether no message is in flight. */
  get isIdle(): boolean {
    return this.#inFlight.length === 0;
  }

  get isEmpty(): boolean {
    return this.#inFlight.length === 0 && !this.hasNext;
  }

  /** Returns by how much `bytes` grows when this message is pushed, without its waiter. */
  growthFor(data: Buffer): number {
    return (this.#waiting ?? EMPTY).growthFor(data.length);
  }

  /** Adds a waiting message. Without a waiter, the promise of its caller has resolved with `'later'`. */
  push(data: Buffer, waiter?: Waiter): void {
    this.#waiting ??= new PackedQueue();
    this.bytes += this.#waiting.growthFor(data.length);
    this.#waiting.push(data);
    if (waiter === undefined) return;
    this.#waiters ??= new Fifo();
    this.#waiters.push(waiter);
    this.bytes += WAITER_BYTES;
  }

  /** Resolves the promises of all waiting messages with `'later'`. */
  resolveLater(): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    this.bytes -= waiters.length * WAITER_BYTES;
    for (const { resolve } of waiters) resolve('later');
  }

  /** Puts a message in flight, before all waiting ones. */
  dispatch(data: Buffer, waiter: Waiter | undefined): PendingMessage {
    const message = new PendingMessage(this.#host, this, data, waiter);
    this.bytes += bytesOf(message);
    this.#inFlight.push(message);
    return message;
  }

  /** Puts the next message in flight and returns it. */
  next(): PendingMessage | undefined {
    const repeated = this.#toRepeat?.shift();
    if (this.#toRepeat?.length === 0) this.#toRepeat = undefined;
    if (repeated === undefined) return this.#shiftWaiting();
    repeated.state = 'in flight';
    this.#inFlight.push(repeated);
    return repeated;
  }

  /** Removes a message that is confirmed or has failed for good. */
  finish(message: PendingMessage): void {
    message.state = 'done';
    this.bytes -= bytesOf(message);
    while (this.#inFlight.first?.state === 'done') this.#inFlight.shift();
  }

  /** Returns the failed messages before a confirmed one. */
  failedBefore(confirmed: PendingMessage): PendingMessage[] {
    // Redis replies in order, so there is nearly always none.
    if (this.#inFlight.first === confirmed) return [];
    const earlier: PendingMessage[] = [];
    for (const message of this.#inFlight) {
      if (message === confirmed) break;
      if (message.state === 'failed') earlier.push(message);
    }
    return earlier;
  }

  /** Queues all failed messages again, before the waiting ones. Requires that every message in flight has ended. */
  repeatFailed(): void {
    const failed: PendingMessage[] = [];
    for (let message = this.#inFlight.shift(); message !== undefined; message = this.#inFlight.shift()) {
      if (message.state === 'failed') failed.push(message);
    }
    if (failed.length === 0) return;
    this.#toRepeat ??= new Fifo();
    this.#toRepeat.prepend(failed);
  }

  /** Drops all messages and rejects all waiters. Returns the number of dropped messages without a waiter. */
  clear(error: Error): number {
    const messages = [...this.#inFlight, ...(this.#toRepeat ?? [])].filter(({ state }) => state !== 'done');
    const waiters = [...messages.map(({ waiter }) => waiter), ...(this.#waiters ?? [])].filter(
      (each) => each !== undefined,
    );
    for (const message of messages) message.state = 'done';
    for (const { reject } of waiters) reject(error);
    return messages.length + (this.#waiting?.length ?? 0) - waiters.length;
  }

  #shiftWaiting(): PendingMessage | undefined {
    const waiting = this.#waiting;
    if (waiting === undefined) return undefined;
    const hasWaiter = this.#waiters?.length === waiting.length;
    const before = waiting.bytes;
    const data = waiting.shift() as Buffer;
    this.bytes += waiting.bytes - before;
    if (waiting.length === 0) this.#waiting = undefined;
    if (!hasWaiter) return this.dispatch(data, undefined);
    this.bytes -= WAITER_BYTES;
    const waiter = this.#waiters?.shift();
    if (this.#waiters?.length === 0) this.#waiters = undefined;
    return this.dispatch(data, waiter);
  }
}

const EMPTY = new PackedQueue();

function bytesOf(message: PendingMessage): number {
  return PENDING_MESSAGE_BYTES + WAITER_BYTES + message.data.length;
}
