import { createError, isWhole } from './errors.js';

interface Taken {
  readonly value: unknown;
}

/** A message in the queue. The list is linked, so taking the oldest message copies nothing. */
export interface Entry {
  readonly size: number;
  /** What a reader gets. `undefined` while the schema has not answered, `null` if the message does not fit. */
  result: Taken | null | undefined;
  next?: Entry;
}

type Waiter = (taken: Taken | undefined) => void;

/** Holds the unread messages, and serves its readers in order. */
export type Inbox = ReturnType<typeof createInbox>;

/** @param onTaken Called when a reader takes a message. */
export function createInbox(onTaken: () => void) {
  const waiters = new Set<Waiter>();
  let first: Entry | undefined;
  let last: Entry | undefined;
  let length = 0;
  let size = 0;
  /** What those get who read after the end. */
  let endError: Error | undefined;
  let isEndReported = false;

  const isOver = (): boolean => !!endError && !first;

  const take = (): Taken | undefined => {
    while (first?.result !== undefined) {
      const { result } = first;
      length--;
      size -= first.size;
      first = first.next;
      if (!result) continue;
      onTaken();
      return result;
    }
    return undefined;
  };

  const serve = (): void => {
    for (const waiter of waiters) {
      const taken = take();
      if (!taken && !isOver()) break;
      waiters.delete(waiter);
      waiter(taken);
    }
  };

  /** Reports the end once. */
  const reportEnd = (): Error | undefined => {
    const error = isEndReported ? endError : undefined;
    isEndReported = true;
    return error;
  };

  return {
    countMessages: () => length,

    /** Returns the bytes of the unread messages. */
    countBytes: () => size,

    /** Adds a message that cannot be read yet. */
    push(bytes: number): Entry {
      const entry: Entry = { size: bytes, result: undefined };
      if (first) last!.next = entry;
      else first = entry;
      last = entry;
      length++;
      size += bytes;
      return entry;
    },

    /** Lets a message be read, or skips it. */
    settle(entry: Entry, result: Taken | null): void {
      entry.result = result;
      serve();
    },

    /** Ends the queue. Unread messages stay readable. */
    end(error: Error): void {
      endError = error;
      serve();
    },

    wait(timeout?: number): Promise<unknown> {
      if (timeout !== undefined && !isWhole(timeout, 0))
        throw createError(
          'wait() takes whole milliseconds from 0 to 2 ** 31 - 1, or nothing',
          typeof timeout === 'number' ? RangeError : TypeError,
        );
      return new Promise((resolve, reject) => {
        const taken = take();
        if (taken) resolve(taken.value);
        else if (isOver()) {
          const error = reportEnd();
          // On a later turn of the event loop, so that an endless loop does not block the page.
          setTimeout(() => {
            if (error) reject(error);
            else resolve(null);
          });
        } else {
          const waiter: Waiter = (message) => {
            clearTimeout(timer);
            if (!message) reportEnd();
            resolve(message ? message.value : null);
          };
          const timer =
            timeout === undefined
              ? undefined
              : setTimeout(() => {
                  waiters.delete(waiter);
                  resolve(null);
                }, timeout);
          waiters.add(waiter);
        }
      });
    },

    read(fallback: unknown = null): unknown {
      const taken = take();
      if (taken) return taken.value;
      const error = isOver() && reportEnd();
      if (error) throw error;
      return fallback;
    },

    async *iterate(): AsyncGenerator<unknown, undefined> {
      for (;;) {
        const taken =
          take() ??
          (await new Promise<Taken | undefined>((resolve) => {
            if (isOver()) setTimeout(resolve, 0, undefined);
            else waiters.add(resolve);
          }));
        if (!taken) return;
        yield taken.value;
      }
    },
  };
}
