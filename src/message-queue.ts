/** What fills a queue, and can be asked to stop for a while. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Somebody who waits for a message. Exactly one of the two is called, once. */
export interface Waiter<M> {
  message(message: M): void;
  end(): void;
}

/** What each message costs beside its payload, so that a flood of empty messages is bounded, too. */
const COST_OF_A_MESSAGE = 32;

/**
 * The messages that have arrived and have not been read: first in, first out, and bounded by its bytes.
 *
 * Knows no socket. Beyond `high` bytes the source is paused, at half of that it is resumed. Those who wait are served
 * in order, and one who gives up leaves the message to the next.
 */
export class MessageQueue<M> {
  readonly #source: Source;
  readonly #high: number;
  // Read from #head on: nothing is copied when the oldest is taken. Sizes lie beside the messages.
  #messages: (M | undefined)[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;
  #paused = false;
  #ended = false;
  // There is hardly ever more than one, so an array is enough.
  readonly #waiters: Waiter<M>[] = [];

  constructor(high: number, source: Source) {
    this.#high = high;
    this.#source = source;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  /** Whether no message will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the source has been asked to stop. */
  get paused(): boolean {
    return this.#paused;
  }

  push(message: M, size: number): void {
    if (this.#ended) return;
    if (this.#waiters.length > 0) {
      (this.#waiters.shift() as Waiter<M>).message(message);
      return;
    }
    this.#messages.push(message);
    this.#sizes.push(size);
    this.#bytes += size + COST_OF_A_MESSAGE;
    if (this.#bytes > this.#high && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  shift(): M | undefined {
    const head = this.#head;
    if (head === this.#messages.length) return undefined;
    const message = this.#messages[head];
    this.#messages[head] = undefined;
    this.#bytes -= (this.#sizes[head] as number) + COST_OF_A_MESSAGE;
    this.#head = head + 1;
    if (this.#head === this.#messages.length) this.#reset();
    else if (this.#head >= 1024 && this.#head * 2 >= this.#messages.length) this.#compact();
    if (this.#paused && this.#bytes * 2 <= this.#high) this.#resume();
    return message;
  }

  wait(waiter: Waiter<M>): void {
    this.#waiters.push(waiter);
  }

  giveUp(waiter: Waiter<M>): void {
    const index = this.#waiters.indexOf(waiter);
    if (index !== -1) this.#waiters.splice(index, 1);
  }

  /** Lets go of everything that is unread. */
  clear(): void {
    this.#reset();
    this.#bytes = 0;
    if (this.#paused) this.#resume();
  }

  /** Nothing will come any more. What has come can still be read; those who wait are told. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter.end();
    // What still comes is dropped, and has to be read so that the closing handshake is seen.
    if (this.#paused) this.#resume();
  }

  #resume(): void {
    this.#paused = false;
    this.#source.resume();
  }

  #reset(): void {
    if (this.#messages.length === 0) return;
    this.#messages = [];
    this.#sizes = [];
    this.#head = 0;
  }

  #compact(): void {
    this.#messages = this.#messages.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}
