import { now } from '../../real-timers.js';
import { parseEntries, parsePublished, type StreamEntry, type StreamId } from './stream-entry.js';

/** Entries that are read at a time. */
const PAGE = 200;

/** Of an entry's data so much tells it from any other: more than the stamp of an envelope. */
const MARK_BYTES = 32;

export interface TailOptions {
  readonly maxAge: number;
  /** Runs XRANGE or XREVRANGE on the stream. */
  readonly read: (command: string, from: string, to: string, count: number) => Promise<unknown>;
  readonly deliver: (data: Buffer) => void;
  /** Messages are lost for good; how many, when that is known. */
  readonly missed: (count: number | undefined) => void;
  /** Reading has failed; `catchUp` is to be called again. */
  readonly failed: () => void;
}

interface Position {
  readonly id: StreamId;
  readonly mark: string;
}

/**
 * The end of one group's stream, as far as we have read it.
 *
 * What is published arrives over pub/sub, with its place in the stream. As long as places follow one another nothing is
 * read. After an outage, or when a place is left out, what is between is read from the stream; what arrives meanwhile is
 * dropped, for it will be read, too.
 */
export class StreamTail {
  readonly #options: TailOptions;
  // `undefined`: there is no stream, as far as we know; all that will be in it is new.
  #position: Position | undefined;
  #touched = now();
  #reading: Promise<void> | undefined;
  #dropped: StreamId | undefined;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Begins at the end: what is there is not for us. Called before the channel is subscribed. */
  async begin(): Promise<void> {
    const [last] = parseEntries(await this.#options.read('XREVRANGE', '+', '-', 1));
    this.#moveTo(last);
  }

  /** Takes what came over pub/sub. */
  take(message: Buffer): void {
    const entry = parsePublished(message);
    // A stranger's; the group refuses it and tells.
    if (entry === undefined) this.#options.deliver(message);
    else if (this.#reading !== undefined) this.#dropped = entry.id;
    else if (this.#isNext(entry.id)) this.#deliver(entry);
    else if (!this.#isOld(entry.id)) void this.catchUp(0).catch(this.#options.failed);
  }

  /**
   * Reads what has been missed; `cutFor`: the milliseconds of the outage. Rejects when Redis is not there or not ready: then
   * it is to be called again.
   */
  catchUp(cutFor: number): Promise<void> {
    this.#reading ??= Promise.resolve()
      .then(() => this.#read(cutFor))
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(cutFor: number): Promise<void> {
    do {
      this.#dropped = undefined;
      let page = await this.#readFrom(this.#position);
      const isOurs = this.#position !== undefined && page[0] !== undefined && isAt(this.#position, page[0]);
      if (isOurs) page.shift();
      else page = await this.#startAnew(cutFor);
      for (;;) {
        for (const entry of page) this.#deliver(entry);
        if (page.length < PAGE - 1) break;
        page = (await this.#readFrom(this.#position)).slice(1);
      }
      this.#touched = now();
    } while (this.#hasMore());
  }

  #hasMore(): boolean {
    return this.#dropped !== undefined && !this.#isOld(this.#dropped);
  }

  /**
   * The entry that we had last is not there. Either it has been trimmed, or the stream is another: expired, or lost by
   * Redis, or set back by a restart. All that there is is read; groups know what they have had already.
   */
  async #startAnew(cutFor: number): Promise<StreamEntry[]> {
    const page = await this.#readFrom(undefined);
    const before = this.#position;
    const [first] = page;
    if (before === undefined) {
      this.#judgeFirst(first, cutFor);
      return page;
    }
    if (first?.id.era === before.id.era && first.id.index > before.id.index) {
      const count = first.id.index - before.id.index - 1;
      if (count > 0) this.#options.missed(count);
    } else if (!this.#hasExpired(cutFor) || (first !== undefined && first.id.index > 1)) {
      this.#options.missed(undefined);
    }
    if (first === undefined) this.#moveTo(undefined);
    return page;
  }

  /** There was no stream: all that has been in it since is for us, and an era begins with index 1. */
  #judgeFirst(first: StreamEntry | undefined, cutFor: number): void {
    if (cutFor >= this.#options.maxAge) this.#options.missed(undefined);
    else if (first !== undefined && first.id.index > 1) this.#options.missed(first.id.index - 1);
  }

  // In an outage shorter than a stream lives, a message would have kept it alive: so there was none.
  #hasExpired(cutFor: number): boolean {
    const { maxAge } = this.#options;
    return now() - this.#touched >= maxAge && cutFor < maxAge;
  }

  async #readFrom(position: Position | undefined): Promise<StreamEntry[]> {
    const from = position === undefined ? '-' : `${position.id.era}-${position.id.index}`;
    return parseEntries(await this.#options.read('XRANGE', from, '+', PAGE));
  }

  #isNext({ era, index }: StreamId): boolean {
    const last = this.#position?.id;
    // A new era that begins while we listen has nothing before it.
    return last?.era === era ? index === last.index + 1 : index === 1;
  }

  #isOld({ era, index }: StreamId): boolean {
    const last = this.#position?.id;
    return last?.era === era && index <= last.index;
  }

  #deliver(entry: StreamEntry): void {
    this.#moveTo(entry);
    this.#options.deliver(entry.data);
  }

  #moveTo(entry: StreamEntry | undefined): void {
    this.#touched = now();
    this.#position = entry === undefined ? undefined : { id: entry.id, mark: markOf(entry.data) };
  }
}

function isAt({ id, mark }: Position, entry: StreamEntry): boolean {
  return entry.id.era === id.era && entry.id.index === id.index && markOf(entry.data) === mark;
}

function markOf(data: Buffer): string {
  return data.toString('latin1', 0, MARK_BYTES);
}
