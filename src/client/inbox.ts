import { checkWhole } from './check-whole.js';

/** What a reader gets. */
interface Taken {
  readonly value: unknown;
}

/** A message in the queue. The list is linked, so taking the oldest message copies nothing. */
export interface Entry {
  /** `undefined` while the schema has not answered, `null` if the message is skipped. */
  result?: Taken | null;
  next?: Entry;
}

type Waiter = (taken?: Taken) => void;

/** Holds the unread messages, and serves its readers in order. */
export function createInbox() {
  const waiters = new Set<Waiter>();
  let first: Entry | undefined;
  let last: Entry | undefined;
  let length = 0;
  /** What those get who read after the end. */
  let endError: Error | undefined;
  /** Whether a reader has got the one `null` or fallback of the end. */
  let isEndReported = false;

  const isOver = (): boolean => !!endError && !first;

  const take = (): Taken | undefined => {
    while (first?.result !== undefined) {
      const { result } = first;
      first = first.next;
      if (result) {
        length--;
        return result;
      }
    }
    return undefined;
  };

  const serve = (): void => {
    for (const waiter of waiters) {
      const taken = take();
      if (!taken && !isOver()) break;
      waiter(taken);
    }
  };

  /** Resolves with `undefined` at the end, and after `timeout`. */
  const next = (timeout?: number): Promise<Taken | undefined> =>
    new Promise((resolve) => {
      const settle: Waiter = (taken) => {
        clearTimeout(timer);
        waiters.delete(settle);
        resolve(taken);
      };
      // At the end on a later turn of the event loop, so that an endless loop does not block the page.
      const delay = isOver() ? 0 : timeout;
      const timer = delay === undefined ? delay : setTimeout(settle, delay);
      waiters.add(settle);
    });

  const wait = async (timeout?: number): Promise<unknown> => {
    let taken = take();
    if (taken) return taken.value;
    const wasReported = isEndReported;
    isEndReported = isOver();
    taken = await next(timeout);
    if (wasReported) throw endError as Error;
    if (taken) return taken.value;
    isEndReported = isOver();
    return null;
  };

  return {
    /** The members of the client. */
    members: {
      wait(timeout?: number): Promise<unknown> {
        if (timeout !== undefined) checkWhole(timeout, 'timeout', 0);
        return wait(timeout);
      },

      read(fallback: unknown = null): unknown {
        const taken = take();
        if (taken) return taken.value;
        if (isEndReported) throw endError as Error;
        isEndReported = isOver();
        return fallback;
      },

      countMessages: () => length,

      hasMessages: () => length > 0,

      async *[Symbol.asyncIterator](): AsyncGenerator<unknown, undefined> {
        let taken;
        while ((taken = take() ?? (await next()))) yield taken.value;
      },
    },

    /** Adds a message that cannot be read yet. */
    push(): Entry {
      const entry: Entry = {};
      if (first) (last as Entry).next = entry;
      else first = entry;
      last = entry;
      length++;
      return entry;
    },

    /** Lets a message be read, or skips it. */
    settle(entry: Entry, result: Taken | null): void {
      entry.result = result;
      if (!result) length--;
      serve();
    },

    /** Ends the queue. Unread messages stay readable. */
    end(error: Error): void {
      endError = error;
      serve();
    },
  };
}
