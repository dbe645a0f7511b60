import { now } from '../../shared/real-timers.js';
import {
  markOf,
  parsePublished,
  type OtherReply,
  type Position,
  type StreamEntry,
  type StreamId,
  type StreamPage,
} from './stream-entry.js';

export interface TailOptions {
  readonly maxAge: number;
  readonly stream: StreamReader;
  readonly deliver: (data: Buffer) => void;
  /** Messages are lost for good; how many, when that is known. */
  readonly missed: (count: number | undefined) => void;
  /** Reading has failed; `catchUp` is to be called again. */
  readonly failed: () => void;
}

/** Reads one stream. Each rejects when Redis is not there, or not ready. */
export interface StreamReader {
  /** What comes after an entry, if that is still there. */
  after(position: Position): Promise<StreamPage | OtherReply>;
  /** Everything from an id on, or from the first entry on. */
  from(id?: StreamId): Promise<StreamPage>;
  /** What there is, without its entries. */
  look(): Promise<OtherReply>;
  /** Adds a note that entries of an era are lost, if there is none yet. */
  note(era: string): Promise<unknown>;
}

/**
 * The end of one group's stream, as far as we have read it.
 *
 * What is published arrives over pub/sub, with its place in the stream. As long as places follow one another nothing is
 * read. After an outage, or when a place is left out, what is between is read from the stream. What arrives meanwhile is
 * dropped, for it will be read, too.
 */
export class StreamTail {
  readonly #options: TailOptions;
  // The last entry that we had, or the time (of Redis) at which there was no stream.
  #at: Position | string | undefined;
  #touched = now();
  #reading: Promise<void> | undefined;
  #dropped: StreamId | undefined;
  // Whether it has told that Redis was set back, and not read the note of it.
  #expectsNote = false;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Begins at the end: what is there now is not for us. Called when the channel is subscribed. */
  begin(): Promise<void> {
    return this.#readOnce(async () => {
      await this.#moveToEnd();
      if (this.#hasMore()) await this.#read(0);
    });
  }

  /** What the stream ends with as far as we know; `false` while that is not known. */
  get end(): Position | undefined | false {
    if (this.#at === undefined || this.#reading !== undefined) return false;
    return typeof this.#at === 'string' ? undefined : this.#at;
  }

  /** The stream still ends there. */
  confirm(): void {
    this.#touched = now();
  }

  /** Takes what came over pub/sub. */
  take(message: Buffer): void {
    const entry = parsePublished(message);
    // A stranger's; the group refuses it and tells.
    if (entry === undefined) this.#options.deliver(message);
    else if (this.#reading !== undefined || this.#at === undefined) this.#dropped = entry.id;
    else if (this.#isNext(entry.id)) this.#deliver(entry);
    else if (!this.#isOld(entry)) void this.catchUp(0).catch(this.#options.failed);
  }

  /**
   * Reads what has been missed; `cutFor`: the milliseconds of the outage. Rejects when Redis is not there or not ready: then
   * it is to be called again.
   */
  catchUp(cutFor: number): Promise<void> {
    if (this.#reading === undefined && this.#at === undefined) return Promise.resolve();
    return this.#readOnce(() => this.#read(cutFor));
  }

  #readOnce(read: () => Promise<void>): Promise<void> {
    this.#reading ??= Promise.resolve()
      .then(read)
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(cutFor: number): Promise<void> {
    do {
      this.#dropped = undefined;
      let page = await this.#readNext(cutFor);
      while (page !== undefined) {
        for (const entry of page.entries) this.#deliver(entry);
        page = page.isMore ? await this.#readNext(cutFor) : undefined;
      }
      this.#touched = now();
    } while (this.#hasMore());
  }

  async #readNext(cutFor: number): Promise<StreamPage | undefined> {
    const at = this.#at;
    if (at === undefined) return undefined;
    if (typeof at === 'string') return this.#readNew(at, cutFor);
    const reply = await this.#options.stream.after(at);
    return reply.kind === 'entries' ? reply : this.#startAnew(at, reply, cutFor);
  }

  /** There was no stream at a time; all that has been in it since is for us, and an era begins with index 1. */
  async #readNew(since: string, cutFor: number): Promise<StreamPage | undefined> {
    const { stream, maxAge, missed } = this.#options;
    const page = await stream.from();
    const first = page.entries[0]?.id;
    if (first !== undefined && isOlder(first.era, since)) {
      missed(undefined);
      await this.#moveToEnd();
      return undefined;
    }
    if (cutFor >= maxAge) missed(undefined);
    else if (first !== undefined && first.index > 1) missed(first.index - 1);
    return page;
  }

  /**
   * The entry that we had last is not there. Either it has been trimmed, or the stream is another: expired, or lost by
   * Redis, or set back by a restart or by a replica that lagged behind.
   */
  async #startAnew(before: Position, reply: OtherReply, cutFor: number): Promise<StreamPage | undefined> {
    const { stream, missed } = this.#options;
    const { era, index } = before.id;
    if (reply.kind === 'none') {
      if (!this.#hasExpired(cutFor)) missed(undefined);
      this.#at = reply.now;
      return undefined;
    }
    const { first, last } = reply;
    if (first.era !== era && isOlder(first.era, era)) {
      // Everything in it may be from before we began.
      missed(undefined);
      this.#at = last;
      return undefined;
    }
    if (first.era !== era) {
      if (!this.#hasExpired(cutFor) || first.index > 1) missed(undefined);
      return stream.from();
    }
    if (first.index > index) {
      if (first.index > index + 1) missed(first.index - index - 1);
      return stream.from();
    }
    // Set back. Entries with smaller places may be from before we began; those with larger ones are new. Who has not had
    // what is lost cannot see that by itself, and learns it from the note.
    missed(undefined);
    this.#expectsNote = true;
    await stream.note(era);
    return stream.from(before.id);
  }

  // In an outage shorter than a stream lives, a message would have kept it alive: so there was none.
  #hasExpired(cutFor: number): boolean {
    const { maxAge } = this.#options;
    return now() - this.#touched >= maxAge && cutFor < maxAge;
  }

  async #moveToEnd(): Promise<void> {
    const reply = await this.#options.stream.look();
    this.#at = reply.kind === 'none' ? reply.now : reply.last;
    this.#touched = now();
  }

  /** Whether something was dropped while we read that we have not read. */
  #hasMore(): boolean {
    const last = typeof this.#at === 'object' ? this.#at.id : undefined;
    const dropped = this.#dropped;
    return dropped !== undefined && (dropped.era !== last?.era || dropped.index > last.index);
  }

  #isNext({ era, index }: StreamId): boolean {
    const last = typeof this.#at === 'object' ? this.#at.id : undefined;
    // A new era that begins while we listen has nothing before it.
    return last?.era === era ? index === last.index + 1 : index === 1;
  }

  /** Whether we had it already. When another one has its place, the stream was set back. */
  #isOld({ id, data }: StreamEntry): boolean {
    if (typeof this.#at !== 'object' || this.#at.id.era !== id.era) return false;
    const { index } = this.#at.id;
    return id.index < index || (id.index === index && markOf(data) === this.#at.mark);
  }

  #deliver(entry: StreamEntry): void {
    this.#touched = now();
    this.#at = { id: entry.id, mark: markOf(entry.data) };
    if (entry.id.index > 0) {
      this.#options.deliver(entry.data);
      return;
    }
    if (!this.#expectsNote) this.#options.missed(undefined);
    this.#expectsNote = false;
  }
}

/** Whether an era began before another one, or before a time. */
function isOlder(era: string, than: string): boolean {
  return Number(era) < Number(than);
}
