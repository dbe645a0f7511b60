import { WebsocketError } from '../shared/errors.js';
import type { MessageQueue, Queue } from './message-queue.js';

// Queues whose reader has changed. An iteration that has begun before still holds one.
const left = new WeakSet<object>();

/** Says that the messages of a websocket have another reader. */
export function readerError(): WebsocketError {
  return new WebsocketError(
    'ERR_WEBSOCKET_READER',
    'the messages of this websocket go to another reader, because handOver(), stream(), readable or relay() was used; ' +
      'read them there, or do not hand the websocket over',
  );
}

/** Says that the messages of a websocket cannot be given to another reader now. */
export function pendingReadError(): WebsocketError {
  return new WebsocketError(
    'ERR_WEBSOCKET_READER',
    'a call of wait() or an iteration still waits for a message of this websocket; hand it over before the first one, or ' +
      'when they have ended',
  );
}

/** @throws {WebsocketError} The messages of the queue have another reader. */
export function checkReader(queue: object): void {
  if (left.has(queue)) throw readerError();
}

/**
 * Takes the place of a websocket's queue when something else reads its messages: a library, a stream or a relay. Messages go
 * to the queue of that reader. Whoever reads here gets an error.
 */
export class ClaimedQueue<M> implements Queue<M> {
  readonly #messages: MessageQueue<M>;
  /** Whether a message came after the end. */
  hasDropped = false;

  constructor(messages: MessageQueue<M>) {
    this.#messages = messages;
  }

  /**
   * Moves the messages of the queue whose place it takes.
   *
   * @throws {WebsocketError} Somebody waits for them, or they have another reader already.
   */
  takeFrom(before: Queue<unknown, M>): void {
    if (before instanceof ClaimedQueue) throw readerError();
    if (before.isAwaited) throw pendingReadError();
    before.moveTo(this.#messages);
    left.add(before);
  }

  get length(): number {
    return this.#messages.length;
  }

  get isAwaited(): boolean {
    return this.#messages.isAwaited;
  }

  get ended(): boolean {
    return this.#messages.ended;
  }

  push(message: M, size: number): void {
    if (this.#messages.ended) this.hasDropped = true;
    else this.#messages.push(message, size);
  }

  clear(): void {
    this.#messages.clear();
  }

  end(): void {
    this.#messages.end();
  }

  shift(): never {
    throw readerError();
  }

  wait(): never {
    throw readerError();
  }

  stopWaiting(): void {
    // Nobody waits here.
  }

  moveTo(): never {
    throw readerError();
  }
}
