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

/** Stands for the next message of a queue that has none now. No message equals it, whatever its type. */
export const EMPTY = Symbol('empty');

/** Holds the unread messages of a websocket, first in, first out. A queue may convert what it gets. */
export interface Queue<M, In = M> {
  /** The number of unread messages. */
  readonly length: number;
  /** Whether somebody waits for the next message. */
  readonly isAwaited: boolean;
  /** Whether nothing comes after the unread messages. */
  readonly ended: boolean;
  /** Adds a message of `size` bytes. */
  push(message: In, size: number): void;
  /** Removes and returns the oldest message. Returns {@link EMPTY} when there is none now. */
  shift(): M | typeof EMPTY;
  /** Waits for the next message. Requires that `shift` has returned {@link EMPTY}, and that the queue has not ended. */
  wait(waiter: Waiter<M>): void;
  /** Removes a waiter. Does nothing when the waiter has been called. */
  stopWaiting(waiter: Waiter<M>): void;
  /** Discards all unread messages. */
  clear(): void;
  /** Ends the queue: it ignores further messages. Unread messages stay readable. Then it calls `end` of all waiters. */
  end(): void;
  /**
   * Moves the unread messages, as they were pushed, to the queue of another reader. This queue ends. Requires that nobody
   * waits.
   */
  moveTo(other: MessageQueue<In>): void;
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
 * Holds messages with a limit in bytes.
 *
 * The queue does not know the socket. It pauses its source above the high-water mark, and resumes it at half of that.
 * Waiters get messages in order. When a waiter stops waiting, the next one gets the message.
 */
export class MessageQueue<M> implements Queue<M> {
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

  get isAwaited(): boolean {
    return this.#waiter !== undefined;
  }

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

  shift(): M | typeof EMPTY {
    const entry = this.#first;
    if (entry === undefined) return EMPTY;
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

  stopWaiting(waiter: Waiter<M>): void {
    if (this.#waiter === waiter) {
      this.#waiter = this.#laterWaiters?.shift();
      return;
    }
    const index = this.#laterWaiters?.indexOf(waiter) ?? -1;
    if (index !== -1) this.#laterWaiters?.splice(index, 1);
  }

  clear(): void {
    this.#first = this.#last = undefined;
    this.#length = this.#cost = 0;
    if (this.#paused) this.#resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) waiter.end();
    // The source must continue, although its messages are dropped: it also delivers the peer's close frame.
    if (this.#paused) this.#resume();
  }

  moveTo(other: MessageQueue<M>): void {
    for (let entry = this.#first; entry !== undefined; entry = entry.next) {
      other.push(entry.message, entry.cost - MESSAGE_OVERHEAD);
    }
    this.#first = this.#last = undefined;
    this.#length = this.#cost = 0;
    if (this.#ended) other.end();
    this.#ended = true;
    if (!this.#paused) return;
    this.#paused = false;
    if (!other.#paused) this.#source.resume();
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
