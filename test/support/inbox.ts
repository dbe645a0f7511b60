// Taken before any test can put a fake clock in its place.
const { setTimeout, clearTimeout } = globalThis;

/** How long a test waits for what must come, in milliseconds. */
export const DEADLINE = 15_000;

/** How long a process may take to begin: where many begin at once it takes them seconds. */
export const START = 45_000;

/** Rejects when `promise` takes longer than a deadline, and says what did not come. */
export async function within<T>(promise: PromiseLike<T>, what: string, deadline = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no ${what} within ${deadline} ms`));
    }, deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A promise and the functions that settle it. */
export function defer<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What happens elsewhere, in order, for a test to take it up one by one. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #takers: { resolve: (item: T) => void; reject: (error: Error) => void }[] = [];
  #end: Error | undefined;

  push(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(item);
    else taker.resolve(item);
  }

  /** Nothing will come any more: takers learn why. */
  end(reason: Error): void {
    this.#end = reason;
    for (const { reject } of this.#takers.splice(0)) reject(reason);
  }

  /** The oldest item, as soon as there is one. */
  next(what = 'item', deadline?: number): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return within(
      new Promise<T>((resolve, reject) => {
        this.#takers.push({ resolve, reject });
      }),
      what,
      deadline,
    );
  }

  /** Everything that has come and was not taken. */
  rest(): T[] {
    return this.#items.splice(0);
  }
}
