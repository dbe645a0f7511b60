import { now } from '../../shared/real-timers.js';
import {
  markOf,
  type NoStream,
  parsePublished,
  type Position,
  type PublishedEntry,
  type StreamEntry,
  type StreamId,
  type StreamPage,
} from './stream-entry.js';

export interface TailOptions {
  readonly maxAge: number;
  /** Milliseconds. When Redis lost less than that, the tail still delivers all that Redis has. */
  readonly reach: number;
  readonly stream: StreamReader;
  readonly deliver: (data: Buffer) => void;
  /** Messages are lost for good; how many, when that is known. */
  readonly missed: (count: number | undefined) => void;
  /** Reading has failed; `catchUp` is to be called again. */
  readonly failed: () => void;
}

/** Reads one stream. Each rejects when Redis is not there, or not ready. */
export interface StreamReader {
  /** What comes after an entry; if that is gone, all that there is. */
  after(position: Position): Promise<StreamPage | NoStream>;
  /** Everything from an id on, or from the first entry on. */
  from(id?: StreamId): Promise<StreamPage>;
  /** The last entry, and no entries before it. */
  look(): Promise<StreamPage | NoStream>;
  /** Adds a note that entries of an era are lost, unless a later era has begun: that has such a note. */
  note(era: string): Promise<unknown>;
}

/** The last entry that was read, or the time (of Redis) at which there was no stream. */
type Place = Position | string;

/**
 * The end of one group's stream, as far as we have read it.
 *
 * What is published arrives over pub/sub, with its place in the stream and the mark of the entry before it. As long as each
 * follows the last one, nothing is read. After an outage, or when something is left out, what is between is read from the
 * stream. What arrives meanwhile is dropped, for it will be read, too.
 *
 * It tells a loss only after the reply from which it goes on has come. So everything that is sent later arrives, and an app
 * may read its state again when it is told.
 */
export class StreamTail {
  readonly #options: TailOptions;
  #at: Place | undefined;
  // Earlier places, for a Redis that is set back: one that is `reach` old (or the first one), and the next to take its place.
  #passed: Place | undefined;
  #passedNext: Place | undefined;
  #passedSince = 0;
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
    return this.#readOnce(() => this.#moveToEnd());
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

  /** Takes what came over pub/sub; `cutFor`: the milliseconds of the outage, 0 where there is none. */
  take(message: Buffer, cutFor: number): void {
    const entry = parsePublished(message);
    // A stranger's; the group refuses it and tells.
    if (entry === undefined) this.#options.deliver(message);
    else if (this.#reading !== undefined || this.#at === undefined) this.#dropped = entry.id;
    else if (this.#isNext(entry, cutFor)) this.#deliver(entry);
    else if (!this.#isOld(entry)) void this.catchUp(cutFor).catch(this.#options.failed);
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
      .finally(() => (this.#reading = undefined))
      .then(() => {
        // Nobody waits for what has come meanwhile: in a busy group that never ends.
        if (this.#hasMore()) void this.catchUp(0).catch(this.#options.failed);
      });
    return this.#reading;
  }

  async #read(cutFor: number): Promise<void> {
    this.#dropped = undefined;
    let page = await this.#readNext(cutFor);
    while (page !== undefined) {
      for (const entry of page.entries) this.#deliver(entry);
      page = page.isMore ? await this.#readNext(cutFor) : undefined;
    }
    this.#touched = now();
    this.#expectsNote = false;
  }

  async #readNext(cutFor: number): Promise<StreamPage | undefined> {
    const at = this.#at;
    if (at === undefined) return undefined;
    if (typeof at === 'string') return this.#readNew(at, cutFor);
    const reply = await this.#options.stream.after(at);
    if (reply.kind === 'none') return this.#readNone(reply, cutFor);
    return reply.last === undefined ? reply : this.#startAnew(at, reply, cutFor);
  }

  /** There was no stream at a time; all that has been in it since is for us, and an era begins with index 1. */
  async #readNew(since: string, cutFor: number): Promise<StreamPage | undefined> {
    const { stream, maxAge, missed } = this.#options;
    const page = await stream.from();
    const first = page.entries[0]?.id;
    if (first !== undefined && isOlder(first.era, since)) {
      await this.#moveToEnd();
      missed(undefined);
      return undefined;
    }
    if (cutFor >= maxAge) missed(undefined);
    else if (first !== undefined && first.index > 1) missed(first.index - 1);
    return page;
  }

  /** There is no stream any more: it has expired, or Redis has lost it. */
  #readNone(reply: NoStream, cutFor: number): undefined {
    const hasExpired = this.#hasExpired(cutFor);
    this.#moveTo(reply.now);
    if (!hasExpired) this.#options.missed(undefined);
  }

  /**
   * The entry that we had last is not there; the page has all that is. Either it has been trimmed, or the stream is another:
   * expired, or lost by Redis, or set back by a restart or by a replica that lagged behind.
   */
  #startAnew(before: Position, page: StreamPage, cutFor: number): StreamPage | Promise<StreamPage> {
    const { missed } = this.#options;
    const { era, index } = before.id;
    const first = page.entries[0]?.id;
    if (first === undefined || !isAfter(first, before.id)) return this.#goBack(before);
    if (first.era !== era) {
      if (!this.#hasExpired(cutFor) || first.index > 1) missed(undefined);
    } else if (first.index > index + 1) {
      missed(first.index - index - 1);
    }
    return page;
  }

  /**
   * Goes on when Redis was set back. A process that had not received the lost entries cannot notice it, and reads the note.
   *
   * New entries may have the ids of lost ones. So this reads again from an earlier place, and groups drop what they have had.
   * If Redis lost that place, too, entries with smaller ids may be from before we began; those with larger ids are new.
   */
  async #goBack(before: Position): Promise<StreamPage> {
    const { stream, missed } = this.#options;
    await stream.note(before.id.era);
    let page = await this.#readPassed();
    if (page === undefined) page = await stream.from(before.id);
    else this.#passedNext = this.#passed;
    this.#expectsNote = true;
    missed(undefined);
    return page;
  }

  /** Reads what comes after the earlier place, if Redis still has that. */
  async #readPassed(): Promise<StreamPage | undefined> {
    const { stream } = this.#options;
    const passed = this.#passed;
    if (passed === undefined) return undefined;
    if (typeof passed === 'string') {
      const page = await stream.from();
      const first = page.entries[0]?.id;
      return first === undefined || isOlder(first.era, passed) ? undefined : page;
    }
    const page = await stream.after(passed);
    return page.kind === 'none' || page.last !== undefined ? undefined : page;
  }

  // In an outage shorter than a stream lives, a message would have kept it alive: so there was none.
  #hasExpired(cutFor: number): boolean {
    const { maxAge } = this.#options;
    return now() - this.#touched >= maxAge && cutFor < maxAge;
  }

  async #moveToEnd(): Promise<void> {
    const reply = await this.#options.stream.look();
    this.#moveTo(reply.kind === 'none' ? reply.now : reply.last);
  }

  /** Goes on from a place; nothing before it is for us. */
  #moveTo(place: Place | undefined): void {
    this.#at = this.#passed = this.#passedNext = place;
    this.#touched = this.#passedSince = now();
  }

  /** Whether something was dropped while we read that we have not read. */
  #hasMore(): boolean {
    const last = typeof this.#at === 'object' ? this.#at.id : undefined;
    const dropped = this.#dropped;
    return dropped !== undefined && (dropped.era !== last?.era || dropped.index > last.index);
  }

  /** Whether it follows our last entry. Its place alone does not show that: Redis may have been set back. */
  #isNext({ id, previous }: PublishedEntry, cutFor: number): boolean {
    const last = typeof this.#at === 'object' ? this.#at : undefined;
    if (last?.id.era === id.era) return id.index === last.id.index + 1 && previous === last.mark;
    // A new era that begins while we listen has nothing before it.
    return id.index === 1 && cutFor === 0;
  }

  /** Whether we had it already. When another one has its place, the stream was set back. */
  #isOld({ id, data }: StreamEntry): boolean {
    if (typeof this.#at !== 'object' || this.#at.id.era !== id.era) return false;
    const { index } = this.#at.id;
    return id.index < index || (id.index === index && markOf(data) === this.#at.mark);
  }

  #deliver({ id, data }: StreamEntry): void {
    const place = { id, mark: markOf(data) };
    if (id.index === 0) {
      this.#moveTo(place);
      if (!this.#expectsNote) this.#options.missed(undefined);
      this.#expectsNote = false;
      return;
    }
    this.#at = place;
    this.#touched = now();
    if (this.#touched - this.#passedSince >= this.#options.reach) {
      this.#passed = this.#passedNext;
      this.#passedNext = place;
      this.#passedSince = this.#touched;
    }
    this.#options.deliver(data);
  }
}

function isAfter(one: StreamId, other: StreamId): boolean {
  return one.era === other.era ? one.index > other.index : !isOlder(one.era, other.era);
}

/** Whether an era began before another one, or before a time. */
function isOlder(era: string, than: string): boolean {
  return Number(era) < Number(than);
}
