import { Fifo } from '../redis/fifo.js';

/** Bytes of large messages that are read at once, but at least one message. */
const READ_BYTES = 2 ** 22;
/** Bytes of memory for a waiting message, without its data. */
const ENTRY_BYTES = 200;

interface Entry {
  readonly group: string;
  readonly id: string;
  readonly length: number;
  /** `undefined` until it is read; `null` if the table no longer has it. */
  data: Buffer | null | undefined;
}

export interface InboxOptions {
  /** Limits the memory of waiting messages, in bytes. */
  readonly maxBuffered: number;
  readonly deliver: (group: string, data: Buffer) => void;
  readonly missed: (group: string, count: number) => void;
  /** Reads messages from the table. Those that it does not have are missing in the result. */
  readonly read: (ids: readonly string[]) => Promise<Map<string, Buffer>>;
  /** Returns whether a failed read may succeed later. Then `resume` is called. */
  readonly isTemporary: (error: unknown) => boolean;
}

/**
 * Delivers messages in order, although the large ones must be read from a table first.
 *
 * Only the groups that wait for a large message wait. If too much waits, the messages of a group are dropped and
 * reported.
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #queues = new Map<string, Fifo<Entry>>();
  #toRead = new Fifo<Entry>();
  #bytes = 0;
  #isReading = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Takes the next message of a group, or the length of one that is in the table. */
  take(group: string, id: string, content: Buffer | number): void {
    let queue = this.#queues.get(group);
    if (queue === undefined) {
      if (typeof content !== 'number') {
        this.#options.deliver(group, content);
        return;
      }
      queue = new Fifo();
      this.#queues.set(group, queue);
    }
    const isLarge = typeof content === 'number';
    const entry = {
      group,
      id,
      length: isLarge ? content : content.length,
      data: isLarge ? undefined : content,
    };
    queue.push(entry);
    this.#bytes += bytesOf(entry);
    if (this.#bytes > this.#options.maxBuffered) {
      this.#options.missed(group, this.delete(group));
      return;
    }
    if (!isLarge) return;
    this.#toRead.push(entry);
    void this.#read();
  }

  /** Drops the waiting messages of a group. Returns their number. */
  delete(group: string): number {
    const queue = this.#queues.get(group);
    if (queue === undefined) return 0;
    this.#queues.delete(group);
    for (const entry of queue) this.#bytes -= bytesOf(entry);
    return queue.length;
  }

  clear(): void {
    this.#queues.clear();
    this.#toRead = new Fifo();
    this.#bytes = 0;
  }

  /** Continues to read, because there is a new connection. */
  resume(): void {
    void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    for (let part = this.#takePart(); part.length > 0; part = this.#takePart()) {
      try {
        const found = await this.#options.read(part.map(({ id }) => id));
        for (const entry of part) entry.data = found.get(entry.id) ?? null;
      } catch (error) {
        if (this.#options.isTemporary(error)) {
          this.#toRead.prepend(part);
          break;
        }
        for (const entry of part) entry.data = null;
      }
      for (const group of new Set(part.map((entry) => entry.group))) this.#deliverRead(group);
    }
    this.#isReading = false;
  }

  #takePart(): Entry[] {
    const part: Entry[] = [];
    let bytes = 0;
    for (let next = this.#toRead.first; next !== undefined; next = this.#toRead.first) {
      if (part.length > 0 && bytes + next.length > READ_BYTES) break;
      this.#toRead.shift();
      // Its group may have been dropped meanwhile.
      if (!this.#queues.has(next.group)) continue;
      bytes += next.length;
      part.push(next);
    }
    return part;
  }

  #deliverRead(group: string): void {
    const queue = this.#queues.get(group);
    if (queue === undefined) return;
    for (let entry = queue.first; entry?.data !== undefined; entry = queue.first) {
      queue.shift();
      this.#bytes -= bytesOf(entry);
      // A listener that is called may unsubscribe the group.
      if (this.#queues.get(group) !== queue) return;
      if (entry.data === null) this.#options.missed(group, 1);
      else this.#options.deliver(group, entry.data);
    }
    if (queue.length === 0 && this.#queues.get(group) === queue) this.#queues.delete(group);
  }
}

function bytesOf({ length }: Entry): number {
  return ENTRY_BYTES + length;
}
