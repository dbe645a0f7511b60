/** Fills a queue. The queue can pause and resume it. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Waits for a message. The queue calls either `message` or `end`, once. */
export interface Waiter<M> {
  message(message: M): void;
  end(): void;
}

/** A message in the queue. A linked list: removing the oldest message copies nothing. */
interface Entry<M> {
  readonly message: M;
  readonly cost: number;
  next: Entry<M> | undefined;
}

/**
 * The heap memory of a message in addition to its payload: 144 bytes for a Buffer, 64 for a string. So the limit of the
 * queue also works for small and empty messages.
 */
const MESSAGE_OVERHEAD = 144;

/**
 * Holds the unread messages of a websocket, first in, first out, with a limit in bytes.
 *
 * The queue does not know the socket. It pauses its source above the high-water mark, and resumes it at half of that.
 * Waiters get messages in order. When a waiter stops waiting, the next one gets the message.
 */
export class MessageQueue<M> {
  readonly #source: Source;
  readonly #highWaterMark: number;
  #first: Entry<M> | undefined;
  #last: Entry<M> | undefined;
  #length = 0;
  #cost = 0;
  #paused = false;
  #ended = false;
  // Usually at most one reader waits. So the first waiter has its own field, and only further waiters need an array.
  #waiter: Waiter<M> | undefined;
  #laterWaiters: Waiter<M>[] | undefined;

  constructor(highWaterMark: number, source: Source) {
    this.#highWaterMark = highWaterMark;
    this.#source = source;
  }

  get length(): number {
    return this.#length;
  }

  /** Returns whether somebody waits for the next message. */
  get isAwaited(): boolean {
    return this.#waiter !== undefined;
  }

  /** Returns whether the queue has ended and accepts no further messages. */
  get ended(): boolean {
    return this.#ended;
  }

  push(message: M, size: number): void {
    if (this.#ended) return;
    const waiter = this.#nextWaiter();
    if (waiter !== undefined) {
      waiter.message(message);
      return;
    }
    const entry: Entry<M> = { message, cost: size + MESSAGE_OVERHEAD, next: undefined };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.#length++;
    this.#cost += entry.cost;
    if (this.#cost > this.#highWaterMark && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** Removes and returns the oldest message. Returns `undefined` when the queue is empty. */
  shift(): M | undefined {
    const entry = this.#first;
    if (entry === undefined) return undefined;
    this.#first = entry.next;
    if (entry.next === undefined) this.#last = undefined;
    this.#length--;
    this.#cost -= entry.cost;
    if (this.#paused && this.#cost * 2 <= this.#highWaterMark) this.#resume();
    return entry.message;
  }

  wait(waiter: Waiter<M>): void {
    if (this.#waiter === undefined) this.#waiter = waiter;
    else (this.#laterWaiters ??= []).push(waiter);
  }

  /** Removes a waiter. Does nothing when the waiter has been called. */
  stopWaiting(waiter: Waiter<M>): void {
    if (this.#waiter === waiter) {
      this.#waiter = this.#laterWaiters?.shift();
      return;
    }
    const index = this.#laterWaiters?.indexOf(waiter) ?? -1;
    if (index !== -1) this.#laterWaiters?.splice(index, 1);
  }

  /** Discards all unread messages. */
  clear(): void {
    this.#first = this.#last = undefined;
    this.#length = this.#cost = 0;
    if (this.#paused) this.#resume();
  }

  /** Ends the queue: it ignores further messages, and calls `end` of all waiters. Unread messages stay readable. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) waiter.end();
    // The source must continue, although its messages are dropped: it also delivers the peer's close frame.
    if (this.#paused) this.#resume();
  }

  #nextWaiter(): Waiter<M> | undefined {
    const waiter = this.#waiter;
    if (waiter !== undefined) this.#waiter = this.#laterWaiters?.shift();
    return waiter;
  }

  #resume(): void {
    this.#paused = false;
    this.#source.resume();
  }
}
