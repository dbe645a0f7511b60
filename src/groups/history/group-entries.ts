import type { EnvelopeHeader } from '../envelope.js';
import type { HistoryGroup, HistoryHost } from './host.js';
import type { BackplaneHistory } from './kept.js';
import type { HistoryLog, LogEntry } from './log.js';
import type { Position } from './position.js';
import { isNext, readPage } from './read-page.js';
import { RetryPause } from './retry-pause.js';
import type { StoredHistory } from './store.js';
import { HistoryWindow, messagesFrom, type Start, type Wanted } from './window.js';

/** While members join, a log may have this many entries more than twice its length. */
const JOINING_SLACK = 1_000;

/** The history to which the entries belong. */
export interface EntriesOwner extends StoredHistory {
  /** Whether members still read the log. */
  readonly hasReaders: boolean;
}

/**
 * Holds the last entries of one group.
 *
 * Without a backplane, these are the history. Otherwise they are those that arrived here, and it reads earlier ones from the
 * backplane when somebody needs them. All who need them at that time share one read.
 */
export class GroupEntries {
  readonly #group: HistoryGroup;
  readonly #host: HistoryHost;
  readonly #owner: EntriesOwner;
  readonly #window = new HistoryWindow();
  /** The position of the last entry, without a backplane. */
  #end: Position;
  #generation = 0;
  /** The entries that arrived before the first read. They may be duplicates of what that read will give. */
  #unchecked: { entry: LogEntry; header: EnvelopeHeader }[] = [];
  #pause: RetryPause | undefined;
  #reading: Promise<void> | undefined;
  #readingEnd: Promise<Position> | undefined;
  #nextReadingEnd: Promise<Position> | undefined;

  constructor(group: HistoryGroup, host: HistoryHost, owner: EntriesOwner) {
    this.#group = group;
    this.#host = host;
    this.#owner = owner;
    this.#end = host.begin();
    // Memory begins empty. A backplane may have kept messages before.
    if (host.source === undefined) this.#window.beginEmpty(this.#end);
  }

  get log(): HistoryLog {
    return this.#window.log;
  }

  /** Changes whenever the log begins anew. */
  get generation(): number {
    return this.#generation;
  }

  /** The position of the last entry, as far as known. */
  get end(): Position {
    return this.#host.source?.position(this.#group.name) ?? this.#end;
  }

  /** The number of entries that the log has at most, while members read it. */
  get maxLength(): number {
    return 2 * this.#host.settings.length + JOINING_SLACK;
  }

  /** Finds the first entry for a client. */
  find(wanted: Wanted): Start {
    this.dropExpired();
    return this.#window.find(wanted, this.end, this.#host.source?.maxAge ?? 0);
  }

  /** @param header The header of an entry that a backplane has delivered. */
  append(entry: LogEntry, header?: EnvelopeHeader): void {
    if (header !== undefined && !this.#window.isChecked) this.#unchecked.push({ entry, header });
    this.#end = { era: entry.era, index: entry.index, mark: entry.mark };
    this.log.append(entry);
    this.trim();
  }

  dropExpired(): void {
    const { first } = this.log;
    this.#window.dropOlderThan(Date.now() - this.#host.settings.age);
    if (this.log.first !== first) this.#updateStore();
  }

  /** Drops the first entry, to save memory. Called by the store, which then counts anew. */
  shrink(): void {
    this.#window.shift();
    // What is dropped here may still be at the backplane.
    if (this.#host.source !== undefined) this.#window.isWhole = false;
  }

  /** Drops what is beyond the length. While members read the log, it keeps more, so that they can keep up. */
  trim(): void {
    const max = this.#owner.hasReaders ? this.maxLength : this.#host.settings.length;
    while (this.log.length > max) this.#window.shift();
    this.#updateStore();
  }

  /** Begins anew. */
  clear(): void {
    this.#generation++;
    this.#unchecked = [];
    this.#window.clear();
    this.#updateStore();
  }

  /** Begins anew, because the group follows the backplane no more. */
  disconnect(): void {
    this.clear();
    this.#window.isChecked = false;
    // Without the backplane, nobody knows what comes after the last entry.
    this.#end = this.#host.begin();
  }

  /** Reads the last position. Callers share a read only if it begins after their calls. */
  readEnd(source: BackplaneHistory): Promise<Position> {
    if (this.#readingEnd === undefined) {
      this.#readingEnd = source.readEnd(this.#group.name).finally(() => (this.#readingEnd = undefined));
      return this.#readingEnd;
    }
    const readAgain = (): Promise<Position> => {
      this.#nextReadingEnd = undefined;
      return this.readEnd(source);
    };
    return (this.#nextReadingEnd ??= this.#readingEnd.then(readAgain, readAgain));
  }

  /** Reads the earlier entries once for all callers. */
  readEarlier(source: BackplaneHistory): Promise<void> {
    return (this.#reading ??= this.#readEarlier(source).finally(() => (this.#reading = undefined)));
  }

  /** Reads the messages for a caller, and keeps none here. */
  async readOnly(source: BackplaneHistory, wanted: Wanted): Promise<readonly LogEntry[]> {
    const { stamper, settings } = this.#host;
    const page = await source.read(this.#group.name, undefined);
    const window = new HistoryWindow();
    window.prepend(readPage(page, stamper).entries, page);
    window.dropOlderThan(Date.now() - settings.age);
    const { from } = window.find(wanted, page.entries.at(-1) ?? this.#end, source.maxAge);
    return messagesFrom(window.log, from);
  }

  /** Waits after a read that failed. The pause grows until the earlier entries could be read. */
  waitToRetry(): Promise<void> {
    this.#pause ??= new RetryPause();
    return this.#pause.wait();
  }

  async #readEarlier(source: BackplaneHistory): Promise<void> {
    await source.settled(this.#group.name);
    const generation = this.#generation;
    const { log } = this.#window;
    const { first } = log;
    const page = await source.read(this.#group.name, log.at(first));
    this.#pause = undefined;
    if (generation !== this.#generation) return;
    const { stamper, writer } = this.#host;
    const { entries, sequences } = readPage(page, stamper, writer.origin);
    if (!this.#window.isChecked) {
      for (const { entry, header } of this.#unchecked) if (sequences.has(header)) entry.hide();
      this.#unchecked = [];
      this.#group.learn(sequences);
    }
    // If the log has dropped entries meanwhile, these would not be just before the first one.
    if (log.first === first) {
      const newest = page.entries.at(-1) ?? page.earlier.at(-1);
      const next = log.at(first);
      if (newest !== undefined && next !== undefined && !isNext(next, newest)) log.markGap(first);
      this.#window.prepend(entries, page);
    }
    this.#window.isWhole = this.#window.isChecked = true;
    this.trim();
  }

  /** Called after each change of the memory of the history. */
  #updateStore(): void {
    this.#host.store.update(this.#owner);
  }
}
