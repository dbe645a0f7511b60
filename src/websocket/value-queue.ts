import { AsyncResource } from 'node:async_hooks';
import type { SchemaIssue, SchemaResult } from '../shared/standard-schema.js';
import { isThenable } from '../shared/thenable.js';
import type { Codec } from '../values/codec.js';
import { pendingReadError } from './claimed-queue.js';
import { EMPTY, MessageQueue, type Queue, type Source, type Waiter } from './message-queue.js';

/** Handles a message that does not fit. If it throws, the next reader gets the error. */
export type OnInvalid = (issues: readonly SchemaIssue[], text: string) => void;

/** Stands in the place of a value: the app has failed, and the reader rejects or throws with its error. */
export class Failure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** @throws The error of a {@link Failure}. */
export function unwrap<T>(value: T): T {
  if (value instanceof Failure) throw value.error;
  return value;
}

// An argument of runInAsyncScope that needs no closure for each message.
let deliver: (queue: ValueQueue<unknown>, text: string) => void;

const NO_SOURCE: Source = { pause: () => undefined, resume: () => undefined };

/**
 * Holds the unread text messages of a websocket, and gives them to readers as values.
 *
 * It decodes a message only when a reader takes it. Until then, the message counts as its bytes. A schema that answers with
 * a promise checks one message at a time, which keeps the order. If it is slow, the texts fill the queue and pause the source.
 */
export class ValueQueue<V> implements Queue<V | Failure, string> {
  readonly #texts: MessageQueue<string>;
  readonly #codec: Codec;
  readonly #onInvalid: OnInvalid;
  /** Values that nobody has taken yet, because their reader gave up. Also holds the waiting readers. */
  readonly #values = new MessageQueue<V | Failure>(Infinity, NO_SOURCE);
  // An event of the socket does not run in the request's `AsyncLocalStorage` context.
  readonly #context = new AsyncResource('WebsocketValues', { requireManualDestroy: true });
  /** Whether waiting readers get queued texts. `shift` may resume the source, which then pushes texts at once. */
  #isServing = false;
  /** The answer of a schema that is pending. */
  #pending: Promise<SchemaResult> | undefined;

  constructor(texts: MessageQueue<string>, codec: Codec, onInvalid: OnInvalid) {
    this.#texts = texts;
    this.#codec = codec;
    this.#onInvalid = onInvalid;
  }

  get length(): number {
    return this.#texts.length + this.#values.length + (this.isChecking ? 1 : 0);
  }

  /** Returns whether the schema has not answered yet for the oldest message. */
  get isChecking(): boolean {
    return this.#pending !== undefined;
  }

  get isAwaited(): boolean {
    return this.#values.isAwaited;
  }

  get ended(): boolean {
    return this.#values.ended;
  }

  push(text: string, size: number): void {
    if (this.#texts.ended) return;
    const isNext = this.#values.isAwaited && !this.isChecking && !this.#isServing;
    if (isNext) this.#context.runInAsyncScope(deliver, undefined, this, text);
    else this.#texts.push(text, size);
  }

  shift(): V | Failure | typeof EMPTY {
    for (;;) {
      const ready = this.#values.shift();
      if (ready !== EMPTY || this.isChecking) return ready;
      const text = this.#texts.shift();
      if (text === EMPTY) {
        this.#endIfDone();
        return EMPTY;
      }
      const value = this.#decode(text);
      if (value !== EMPTY) return value;
    }
  }

  wait(waiter: Waiter<V | Failure>): void {
    this.#values.wait(waiter);
    this.#serveWaiters();
  }

  stopWaiting(waiter: Waiter<V | Failure>): void {
    this.#values.stopWaiting(waiter);
  }

  clear(): void {
    this.#pending = undefined;
    this.#texts.clear();
    this.#values.clear();
    this.#endIfDone();
  }

  end(): void {
    this.#texts.end();
    this.#endIfDone();
  }

  /** @throws {WebsocketError} A schema has checked, or is checking, a message that nobody has taken. */
  moveTo(other: MessageQueue<string>): void {
    if (this.isChecking || this.#values.length > 0) throw pendingReadError();
    this.#texts.moveTo(other);
    this.#values.end();
  }

  /** Lets the next reader fail with an error of the app. */
  fail(error: unknown): void {
    this.#values.push(new Failure(error), 0);
  }

  /** Returns {@link EMPTY} for a text that does not fit, and while the schema has not answered. */
  #decode(text: string): V | Failure | typeof EMPTY {
    try {
      const result = this.#codec.decode(text);
      if (!isThenable(result)) return this.#accept(result as SchemaResult<V>, text);
      this.#await(result as Promise<SchemaResult<V>>, text);
      return EMPTY;
    } catch (error) {
      return new Failure(error);
    }
  }

  /** @throws The error of the listener for texts that do not fit. */
  #accept(result: SchemaResult<V>, text: string): V | typeof EMPTY {
    if (!result.issues) return result.value;
    this.#onInvalid(result.issues, text);
    return EMPTY;
  }

  #await(pending: Promise<SchemaResult<V>>, text: string): void {
    this.#pending = pending;
    void pending
      .then((result) => (this.#pending === pending ? this.#accept(result, text) : EMPTY))
      .catch((error: unknown) => new Failure(error))
      .then((value) => {
        // If not, the queue was cleared meanwhile.
        if (this.#pending !== pending) return;
        this.#pending = undefined;
        this.#deliver(value);
        this.#serveWaiters();
        this.#endIfDone();
      });
  }

  #deliver(value: V | Failure | typeof EMPTY): void {
    if (value !== EMPTY) this.#values.push(value, 0);
  }

  #serveWaiters(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    while (this.#values.isAwaited && !this.isChecking) {
      const text = this.#texts.shift();
      if (text === EMPTY) break;
      this.#deliver(this.#decode(text));
    }
    this.#isServing = false;
  }

  #endIfDone(): void {
    if (this.#texts.ended && this.#texts.length === 0 && !this.isChecking) this.#values.end();
  }

  static {
    deliver = (queue, text) => {
      queue.#deliver(queue.#decode(text));
    };
  }
}
