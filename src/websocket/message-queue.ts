/** What fills a queue, and can be asked to stop for a while. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Somebody who waits for a message. Exactly one of `message` and `end` is called, once. */
export interface Waiter<M> {
  message(message: M): void;
  end(): void;
}

/** A message in the queue. Linked, so that nothing is copied when the oldest is taken. */
interface Entry<M> {
  readonly message: M;
  readonly cost: number;
  next: Entry<M> | undefined;
}

/**
 * What a message takes of the heap beside its payload, so that a flood of small or empty ones is bounded, too: 144 bytes
 * with a Buffer, 64 with a string.
 */
const COST_OF_A_MESSAGE = 144;

/**
 * The messages that have arrived and have not been read: first in, first out, and bounded by its bytes.
 *
 * Knows no socket. Beyond `high` bytes the source is paused, at half of that it is resumed. Those who wait are served
 * in order, and one who gives up leaves the message to the next.
 */
export class MessageQueue<M> {
  readonly #source: Source;
  readonly #high: number;
  #first: Entry<M> | undefined;
  #last: Entry<M> | undefined;
  #length = 0;
  #cost = 0;
  #paused = false;
  #ended = false;
  // Nearly always one reader waits, so one has a place of its own, and an array is made for those behind it.
  #waiter: Waiter<M> | undefined;
  #laterWaiters: Waiter<M>[] | undefined;

  constructor(high: number, source: Source) {
    this.#high = high;
    this.#source = source;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether somebody waits for the next message. */
  get isAwaited(): boolean {
    return this.#waiter !== undefined;
  }

  /** Whether no message will be added any more. */
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
    const entry: Entry<M> = { message, cost: size + COST_OF_A_MESSAGE, next: undefined };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.#length++;
    this.#cost += entry.cost;
    if (this.#cost > this.#high && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** The oldest message, or `undefined`. */
  shift(): M | undefined {
    const entry = this.#first;
    if (entry === undefined) return undefined;
    this.#first = entry.next;
    if (entry.next === undefined) this.#last = undefined;
    this.#length--;
    this.#cost -= entry.cost;
    if (this.#paused && this.#cost * 2 <= this.#high) this.#resume();
    return entry.message;
  }

  wait(waiter: Waiter<M>): void {
    if (this.#waiter === undefined) this.#waiter = waiter;
    else (this.#laterWaiters ??= []).push(waiter);
  }

  giveUp(waiter: Waiter<M>): void {
    if (this.#waiter === waiter) {
      this.#waiter = this.#laterWaiters?.shift();
      return;
    }
    const index = this.#laterWaiters?.indexOf(waiter) ?? -1;
    if (index !== -1) this.#laterWaiters?.splice(index, 1);
  }

  /** Lets go of everything that is unread. */
  clear(): void {
    this.#first = this.#last = undefined;
    this.#length = this.#cost = 0;
    if (this.#paused) this.#resume();
  }

  /** Nothing will come any more. What has come can still be read; those who wait are told. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) waiter.end();
    // What still comes is dropped, but has to be read, or the peer's part of the closing handshake is not seen.
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
