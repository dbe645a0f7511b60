import { GroupMessage } from '../group-message.js';
import { comparePositions, type Position } from './position.js';

/** The memory in bytes of an entry in addition to its message. */
const ENTRY_BYTES = 300;

/** A message of a group, or an entry that members never see: a close of the group, or a note about a loss. */
export class LogEntry implements Position {
  readonly era: number;
  readonly index: number;
  readonly mark: string;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  #data: string | Buffer | undefined;
  /** The number of the message among all that this process has sent; 0 for a message of another process. */
  readonly sequence: number;
  /** Whether messages just before this entry are lost. */
  isAfterGap: boolean;
  /** The memory that it takes, in bytes. */
  readonly bytes: number;

  constructor(
    { era, index, mark }: Position,
    time: number,
    groupMessage: GroupMessage | undefined,
    isAfterGap: boolean,
    sequence = 0,
  ) {
    this.era = era;
    this.index = index;
    this.mark = mark;
    this.time = time;
    this.#data = groupMessage === undefined ? undefined : copyOf(groupMessage);
    this.isAfterGap = isAfterGap;
    this.sequence = sequence;
    this.bytes = ENTRY_BYTES + memoryOf(this.#data);
  }

  /** Returns a text as a string, a binary message as bytes, and `undefined` for an entry that members never see. */
  get data(): string | Buffer | undefined {
    return this.#data;
  }

  /** Returns the data for the app, which may change the bytes. */
  copyData(): string | Buffer | undefined {
    return typeof this.#data === 'object' ? Buffer.from(this.#data) : this.#data;
  }

  /** Makes members never see the entry, because it is a duplicate. */
  hide(): void {
    this.#data = undefined;
  }

  /** Returns the message for one member. */
  createMessage(): GroupMessage | undefined {
    return this.data === undefined ? undefined : new GroupMessage(this.data);
  }
}

// A string takes two bytes for each character, unless all its characters are in Latin-1.
function memoryOf(data: string | Buffer | undefined): number {
  if (data === undefined) return 0;
  return typeof data === 'string' ? 2 * data.length : data.length;
}

// Always a copy. The app may reuse its buffer, and a part of a string or of a buffer would keep all of it in memory.
function copyOf(groupMessage: GroupMessage): string | Buffer {
  const { bytes, binary } = groupMessage;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!binary) return view.toString();
  const copy = Buffer.allocUnsafeSlow(view.length);
  copy.set(view);
  return copy;
}

/** Removed entries at the start of the array are cut off when there are this many. */
const SLACK = 1_024;

/** Holds entries in order. Each has a number, which stays the same until `clear`. */
export class HistoryLog {
  #entries: (LogEntry | undefined)[] = [];
  /** The place of the first entry in the array. */
  #head = 0;
  /** The number of the entry at the start of the array. */
  #offset = 0;
  #bytes = 0;
  #lastGap = -Infinity;

  /** Returns the number of the first entry. */
  get first(): number {
    return this.#offset + this.#head;
  }

  /** Returns the number that the next entry will get. */
  get end(): number {
    return this.#offset + this.#entries.length;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** Returns the memory that the entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the number of the last entry before which messages are lost. */
  get lastGap(): number {
    return this.#lastGap;
  }

  at(number: number): LogEntry | undefined {
    return number < this.first ? undefined : this.#entries[number - this.#offset];
  }

  append(entry: LogEntry): void {
    if (entry.isAfterGap) this.#lastGap = this.end;
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
  }

  /** Inserts earlier entries before all others. */
  prepend(entries: readonly LogEntry[]): void {
    const { first } = this;
    this.#entries = [...entries, ...this.#entries.slice(this.#head)];
    this.#head = 0;
    this.#offset = first - entries.length;
    for (const [index, entry] of entries.entries()) {
      this.#bytes += entry.bytes;
      if (entry.isAfterGap) this.#lastGap = Math.max(this.#lastGap, this.#offset + index);
    }
  }

  /** Notes that messages before an entry are lost. */
  markGap(number: number): void {
    const entry = this.at(number);
    if (entry === undefined) return;
    entry.isAfterGap = true;
    this.#lastGap = Math.max(this.#lastGap, number);
  }

  shift(): LogEntry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head++] = undefined;
    this.#bytes -= entry.bytes;
    if (this.#head >= SLACK && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#offset += this.#head;
      this.#head = 0;
    }
    return entry;
  }

  /** Removes all entries. Numbers go on, so that no old number means a new entry. */
  clear(): void {
    this.#offset = this.end;
    this.#head = 0;
    this.#entries = [];
    this.#bytes = 0;
    this.#lastGap = -Infinity;
  }

  /** Returns the number of the first entry after a position. */
  findAfter(position: Position): number {
    let [low, high] = [this.first, this.end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (comparePositions(this.at(middle) as LogEntry, position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns the number of the first entry that this process has sent after another message. */
  findSent(after: number): number {
    let found = this.end;
    for (let number = this.end - 1; number >= this.first; number--) {
      const { sequence } = this.at(number) as LogEntry;
      if (sequence > after) found = number;
      else if (sequence > 0) break;
    }
    return found;
  }

  /** Returns the number of the entry from which on there are `count` messages. */
  findLast(count: number): number {
    let number = this.end;
    for (let left = count; left > 0 && number > this.first; number--) {
      if (this.at(number - 1)?.data !== undefined) left--;
    }
    return number;
  }
}
