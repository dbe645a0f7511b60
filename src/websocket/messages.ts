import { later } from '../shared/later.js';
import { checkReader } from './claimed-queue.js';
import { EMPTY, type Queue, type Waiter } from './message-queue.js';

/** Iterates over the messages of a queue until it ends. */
export class Messages<M> implements AsyncIterableIterator<M> {
  readonly #queue: Queue<M>;
  #left = false;

  constructor(queue: Queue<M>) {
    this.#queue = queue;
  }

  next(): Promise<IteratorResult<M, undefined>> {
    if (this.#left) return later({ done: true, value: undefined });
    const value = this.#queue.shift();
    if (value !== EMPTY) return Promise.resolve({ done: false, value });
    if (this.#queue.ended) {
      checkReader(this.#queue);
      // Resolves on a later turn, so that `while (true) for await (…)` does not block the event loop.
      return later({ done: true, value: undefined });
    }
    return new Promise((resolve) => {
      this.#queue.wait(new NextCall<M>(resolve));
    });
  }

  /** Called by `break`. The websocket stays open, and the next reader gets the unread messages. */
  return(): Promise<IteratorResult<M, undefined>> {
    this.#left = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

class NextCall<M> implements Waiter<M> {
  readonly #resolve: (result: IteratorResult<M, undefined>) => void;

  constructor(resolve: (result: IteratorResult<M, undefined>) => void) {
    this.#resolve = resolve;
  }

  message(value: M): void {
    this.#resolve({ done: false, value });
  }

  end(): void {
    this.#resolve({ done: true, value: undefined });
  }
}
