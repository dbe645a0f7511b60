import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import type { Availability } from './availability.js';
import { closedError, fullError } from './failures.js';
import { Fifo } from './redis/fifo.js';

/** Bytes of memory for a message that waits, without its data: its promise, and what refers to it. */
const MESSAGE_BYTES = 1_000;
const MAX_MESSAGES = 1_000;
const MAX_BYTES = 2 ** 20;

export interface BatchedMessage {
  readonly group: string;
  readonly data: Buffer;
  /** Reports that this message has failed. Without a call, the result of the batch counts. */
  readonly fail: (error: Error) => void;
}

export interface BatchesOptions {
  /** The service that confirms messages, for error texts. */
  readonly service: string;
  readonly availability: Availability;
  /** Limits the memory that unconfirmed messages take, in bytes. */
  readonly maxBuffered: number;
  /** How many batches may be in flight. */
  readonly parallel: number;
  /** Returns whether a batch can be sent now. If not, messages wait for `flush` or `failAll`. */
  readonly canSend: () => boolean;
  /** Sends a batch, and resolves when the service has confirmed it. Keeps the order of calls. */
  readonly send: (batch: readonly BatchedMessage[]) => Promise<unknown>;
}

/**
 * Holds the messages that are not confirmed yet, and sends them in batches.
 *
 * Messages of one turn, and those that arrive while all batches are in flight, share a batch. So a service that needs long
 * for an answer gets larger batches, and not more of them.
 */
export class Batches {
  readonly #options: BatchesOptions;
  readonly #waiting = new Fifo<Message>();
  readonly #inFlight = new Set<Message[]>();
  #bytes = 0;
  #isScheduled = false;
  #isClosed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Adds a message. Resolves when it is confirmed; rejects when it failed, or when an outage begins before. */
  add(group: string, data: Buffer): Promise<void> {
    const { availability, maxBuffered, service } = this.#options;
    const obstacle = this.#isClosed ? closedError() : availability.obstacle;
    if (obstacle !== undefined) return Promise.reject(obstacle);
    if (this.#bytes + MESSAGE_BYTES + data.length > maxBuffered)
      return Promise.reject(fullError(service, group, this.#bytes, maxBuffered));
    this.#bytes += MESSAGE_BYTES + data.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Message(group, data, resolve, reject));
      this.flush();
    });
  }

  /** Sends waiting messages at the end of this turn, if possible. */
  flush(): void {
    if (this.#isScheduled || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#sendWaiting();
    });
  }

  /** Rejects all messages, those in flight, too. */
  failAll(error: Error): void {
    const batches = [...this.#inFlight];
    this.#inFlight.clear();
    for (const batch of batches) for (const message of batch) this.#settle(message, error);
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift())
      this.#settle(message, error);
  }

  /** Waits at most `timeout` milliseconds for the confirmation of all messages, and rejects the rest. */
  async close(timeout: number): Promise<void> {
    this.#isClosed = true;
    if (this.#bytes > 0) {
      const timer = setTimeout(() => this.failAll(closedError()), timeout);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(timer);
    }
  }

  #sendWaiting(): void {
    const { canSend, parallel, send } = this.#options;
    while (this.#waiting.length > 0 && this.#inFlight.size < parallel && canSend()) {
      const batch = this.#takeBatch();
      this.#inFlight.add(batch);
      const end = (error?: Error): void => {
        // An outage may have failed the batch before.
        if (!this.#inFlight.delete(batch)) return;
        for (const message of batch) this.#settle(message, error);
        this.flush();
      };
      send(batch).then(() => end(), end);
    }
  }

  #takeBatch(): Message[] {
    const batch: Message[] = [];
    let bytes = 0;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      bytes += next.data.length;
      if (batch.length > 0 && (batch.length >= MAX_MESSAGES || bytes > MAX_BYTES)) break;
      batch.push(next);
      this.#waiting.shift();
    }
    return batch;
  }

  #settle(message: Message, error: Error | undefined): void {
    this.#bytes -= MESSAGE_BYTES + message.data.length;
    if (error === undefined) message.resolve();
    else message.fail(error);
    if (this.#bytes === 0) this.#whenEmpty?.();
  }
}

class Message implements BatchedMessage {
  readonly group: string;
  readonly data: Buffer;
  readonly resolve: () => void;
  readonly fail: (error: Error) => void;

  constructor(group: string, data: Buffer, resolve: () => void, fail: (error: Error) => void) {
    this.group = group;
    this.data = data;
    this.resolve = resolve;
    this.fail = fail;
  }
}
