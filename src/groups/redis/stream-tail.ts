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
  /** If Redis loses the entries of at most this many milliseconds, the tail still delivers all entries that Redis has. */
  readonly reach: number;
  /**
   * Whether groups have a history. Then each loss leaves a note, because a client may come back to a process that cannot know of
   * the loss.
   */
  readonly isKept: boolean;
  readonly stream: StreamReader;
  /** Receives each new entry, and messages of other programs without an entry. */
  readonly deliver: (data: Buffer, entry?: StreamEntry) => void;
  /** Called when messages are lost; with their number, if known. */
  readonly missed: (count: number | undefined) => void;
  /** Called when reading has failed. Then call `catchUp` again. */
  readonly failed: () => void;
}

/** Reads one stream. Each method rejects when Redis is not reachable or not ready. */
export interface StreamReader {
  /** Reads the entries after a known one; if that one is missing, all entries. */
  after(position: Position): Promise<StreamPage | NoStream>;
  /** Reads all entries from an id, or from the first entry. */
  from(id?: StreamId): Promise<StreamPage>;
  /** Asks for the last entry, and reads no entries. */
  readEnd(): Promise<StreamPage | NoStream>;
  /** Adds a note that entries of an era are lost, unless a later era with such a note has begun. */
  note(era: string): Promise<unknown>;
}

/** The last entry that was read, or the time of Redis's clock at which no stream existed. */
export type Place = Position | string;

/**
 * Follows the end of one group's stream, and delivers each new entry once.
 *
 * Entries arrive over pub/sub, with their id and the mark of the previous entry. While each entry follows the last one, the
 * tail reads nothing. After an outage, or when an entry is missing, it reads the entries in between from the stream. It
 * drops entries that arrive meanwhile, because it will read them, too.
 *
 * It reports a loss only after the reply with the position from which it continues. So everything that is sent later
 * arrives, and an app may read its state again after the report.
 */
export class StreamTail {
  readonly #options: TailOptions;
  #at: Place | undefined;
  // If Redis returns to an earlier state, the tail goes back to `#rewindPlace`, and reads again from there. This place is at
  // least `reach` milliseconds old, or the place where the tail began. `#nextRewindPlace` will replace it.
  #rewindPlace: Place | undefined;
  #nextRewindPlace: Place | undefined;
  #rewindPlaceSince = 0;
  #confirmedAt = now();
  #reading: Promise<void> | undefined;
  #dropped: StreamId | undefined;
  // Whether it has reported that Redis returned to an earlier state, and has not read the note about it.
  #expectsNote = false;
  #isStopped = false;

  constructor(options: TailOptions) {
    const missed = (count: number | undefined): void => {
      if (!this.#isStopped) options.missed(count);
    };
    this.#options = { ...options, missed };
  }

  /** Begins at the end of the stream, because earlier entries are not for us. Call it when the channel is subscribed. */
  begin(): Promise<void> {
    return this.#readOnce(() => this.#moveToEnd());
  }

  /** Returns the last known entry, `undefined` if there was no stream, or `false` while it is unknown. */
  get end(): Position | undefined | false {
    if (this.#at === undefined || this.#reading !== undefined) return false;
    return typeof this.#at === 'string' ? undefined : this.#at;
  }

  /** Returns the last entry that was delivered, or the time at which no stream existed; `undefined` before the begin. */
  get place(): Place | undefined {
    return this.#at;
  }

  /** Settles when the current read has ended; `undefined` if there is none. */
  get reading(): Promise<void> | undefined {
    return this.#reading;
  }

  /** Notes that the stream still ends at `end`. */
  confirm(): void {
    this.#confirmedAt = now();
  }

  /** Delivers and reports nothing more, also of what it is reading now. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Handles a message from pub/sub. `cutFor` is the length of the outage in milliseconds, or 0. */
  take(message: Buffer, cutFor: number): void {
    const entry = parsePublished(message);
    // A message of another program. The group ignores it and emits 'refused'.
    if (entry === undefined) this.#options.deliver(message);
    else if (this.#reading !== undefined || this.#at === undefined) this.#dropped = entry.id;
    else if (this.#isNext(entry, cutFor)) this.#deliver(entry);
    else if (!this.#isOld(entry)) void this.catchUp(cutFor).catch(this.#options.failed);
  }

  /**
   * Reads missed entries. Rejects when Redis is not reachable or not ready; then call it again.
   *
   * @param cutFor The length of the outage in milliseconds, or 0.
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
        // The caller does not wait for entries that arrived meanwhile. In a busy group it would wait for ever.
        if (this.#hasMore()) void this.catchUp(0).catch(this.#options.failed);
      });
    return this.#reading;
  }

  async #read(cutFor: number): Promise<void> {
    this.#dropped = undefined;
    let page = await this.#readNext(cutFor);
    while (page !== undefined && !this.#isStopped) {
      for (const entry of page.entries) this.#deliver(entry);
      page = page.isMore ? await this.#readNext(cutFor) : undefined;
    }
    this.#confirmedAt = now();
    this.#expectsNote = false;
  }

  async #readNext(cutFor: number): Promise<StreamPage | undefined> {
    const at = this.#at;
    if (at === undefined) return undefined;
    if (typeof at === 'string') return this.#readNew(at, cutFor);
    const reply = await this.#options.stream.after(at);
    if (reply.kind === 'none') return this.#readNone(at, reply, cutFor);
    return reply.last === undefined ? reply : this.#readOtherStream(at, reply, cutFor);
  }

  /** Reads a new stream from its first entry, because no stream existed at the time `since`. An era begins with index 1. */
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

  /** Handles a stream that no longer exists: it has expired, or Redis has lost it. */
  async #readNone(before: Position, reply: NoStream, cutFor: number): Promise<StreamPage | undefined> {
    const { isKept, stream, missed } = this.#options;
    const hasExpired = this.#hasExpired(cutFor);
    let page: StreamPage | undefined;
    if (isKept && !hasExpired) {
      await stream.note(before.id.era);
      page = await stream.from();
      this.#expectsNote = true;
    }
    this.#moveTo(reply.now);
    if (!hasExpired) missed(undefined);
    return page;
  }

  /**
   * Handles a stream without our last entry. The page has all its entries.
   *
   * Either Redis has trimmed our last entry, or this is another stream. The old one may have expired, or Redis has lost it.
   * Or Redis has returned to an earlier state, after a restart or the promotion of a replica.
   */
  async #readOtherStream(before: Position, page: StreamPage, cutFor: number): Promise<StreamPage> {
    const { isKept, stream, missed } = this.#options;
    const { era, index } = before.id;
    const first = page.entries[0]?.id;
    if (first === undefined || !isAfter(first, before.id)) return this.#rewind(before);
    if (first.era !== era) {
      const hasExpired = this.#hasExpired(cutFor);
      if (isKept && !hasExpired) {
        await stream.note(first.era);
        page = await stream.from();
        this.#expectsNote = true;
      }
      if (!hasExpired || first.index > 1) missed(undefined);
    } else if (first.index > index + 1) {
      missed(first.index - index - 1);
    }
    return page;
  }

  /**
   * Continues after Redis has returned to an earlier state. Adds a note for processes that had not received the lost entries,
   * because they cannot notice the loss otherwise.
   *
   * New entries may have the ids of lost ones. So this reads again from an earlier place, and groups drop the duplicates. If
   * Redis has lost that place, too, this delivers only entries with larger ids: others may be from before we began.
   */
  async #rewind(before: Position): Promise<StreamPage> {
    const { stream, missed } = this.#options;
    await stream.note(before.id.era);
    let page = await this.#readFromRewindPlace();
    if (page === undefined) page = await stream.from(before.id);
    else this.#nextRewindPlace = this.#rewindPlace;
    this.#expectsNote = true;
    missed(undefined);
    return page;
  }

  /** Reads the entries after the earlier place, if Redis still has that place. */
  async #readFromRewindPlace(): Promise<StreamPage | undefined> {
    const { stream } = this.#options;
    const passed = this.#rewindPlace;
    if (passed === undefined) return undefined;
    if (typeof passed === 'string') {
      const page = await stream.from();
      const first = page.entries[0]?.id;
      return first === undefined || isOlder(first.era, passed) ? undefined : page;
    }
    const page = await stream.after(passed);
    return page.kind === 'none' || page.last !== undefined ? undefined : page;
  }

  // A message renews the lifetime of a stream. So if a stream expires during an outage that is shorter than `maxAge`, no
  // message was added in the outage.
  #hasExpired(cutFor: number): boolean {
    const { maxAge } = this.#options;
    return now() - this.#confirmedAt >= maxAge && cutFor < maxAge;
  }

  async #moveToEnd(): Promise<void> {
    const reply = await this.#options.stream.readEnd();
    this.#moveTo(reply.kind === 'none' ? reply.now : reply.last);
  }

  /** Continues from a place, and ignores all earlier entries. */
  #moveTo(place: Place | undefined): void {
    this.#at = this.#rewindPlace = this.#nextRewindPlace = place;
    this.#confirmedAt = this.#rewindPlaceSince = now();
  }

  /** Whether `take` dropped an entry during the last read, and the read did not include that entry. */
  #hasMore(): boolean {
    const last = typeof this.#at === 'object' ? this.#at.id : undefined;
    const dropped = this.#dropped;
    return dropped !== undefined && (dropped.era !== last?.era || dropped.index > last.index);
  }

  /** Whether an entry follows our last one. Compares marks, too, because Redis may have returned to an earlier state. */
  #isNext({ id, previous }: PublishedEntry, cutFor: number): boolean {
    const last = typeof this.#at === 'object' ? this.#at : undefined;
    if (last?.id.era === id.era) return id.index === last.id.index + 1 && previous === last.mark;
    // No entry precedes the first one of an era that begins while we are connected.
    return id.index === 1 && cutFor === 0;
  }

  /** Whether we have had an entry. If another entry has its id, Redis has returned to an earlier state. */
  #isOld({ id, data }: StreamEntry): boolean {
    if (typeof this.#at !== 'object' || this.#at.id.era !== id.era) return false;
    const { index } = this.#at.id;
    return id.index < index || (id.index === index && markOf(data) === this.#at.mark);
  }

  #deliver(entry: StreamEntry): void {
    const { id, data } = entry;
    const place = { id, mark: markOf(data) };
    if (id.index === 0) {
      this.#moveTo(place);
      if (!this.#expectsNote) this.#options.missed(undefined);
      this.#expectsNote = false;
      return;
    }
    this.#at = place;
    this.#confirmedAt = now();
    if (this.#confirmedAt - this.#rewindPlaceSince >= this.#options.reach) {
      this.#rewindPlace = this.#nextRewindPlace;
      this.#nextRewindPlace = place;
      this.#rewindPlaceSince = this.#confirmedAt;
    }
    this.#options.deliver(data, entry);
  }
}

function isAfter(one: StreamId, other: StreamId): boolean {
  return one.era === other.era ? one.index > other.index : !isOlder(one.era, other.era);
}

/** Returns whether an era began before another era, or before a time. */
function isOlder(era: string, than: string): boolean {
  return Number(era) < Number(than);
}
