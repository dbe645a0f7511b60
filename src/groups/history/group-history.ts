import { debug } from '../../shared/notices.js';
import { setTimeout } from '../../shared/real-timers.js';
import type { EnvelopeHeader } from '../envelope.js';
import { deliver, deliverAndWait, type GroupMessage } from '../group-message.js';
import type { Member } from '../member.js';
import type { SequenceTracker } from '../sequence-tracker.js';
import { Joining, type Welcome } from './joining.js';
import type { BackplaneHistory } from './kept.js';
import { LogEntry } from './log.js';
import type { HistorySettings } from './options.js';
import { comparePositions, formatPosition, parsePosition, type Position } from './position.js';
import { isNext, readPage } from './read-page.js';
import type { Stamper } from './stamp.js';
import type { HistoryStore, StoredHistory } from './store.js';
import { HistoryWindow, messagesFrom, type Start, type Wanted } from './window.js';

/** The memory in bytes of a history without entries. */
const HISTORY_BYTES = 1_000;

/** While members join, a log may have this many entries more than twice its length. */
const JOINING_SLACK = 1_000;

const FIRST_RETRY = 100;
const LAST_RETRY = 5_000;

/** What all histories of a `createGroups` share. */
export interface HistoryHost {
  readonly settings: HistorySettings;
  readonly stamper: Stamper | undefined;
  readonly store: HistoryStore;
  /** Keeps the messages of all processes. Without it, they are in this process only. */
  readonly source: BackplaneHistory | undefined;
  /** Returns the position before the first message of a history in memory. No other history has this position. */
  begin(): Position;
  /** The origin and the last sequence of the envelopes that this process has sent. */
  readonly writer: { readonly origin: string; readonly sequence: number };
  /** Encodes the message of a {@link Welcome}. */
  encode(value: unknown): GroupMessage;
}

/** The group to which a history belongs. */
export interface HistoryGroup {
  readonly name: string;
  readonly members: ReadonlySet<Member>;
  readonly isSubscribed: boolean;
  /** Resolves with whether the group is subscribed. Resolves with `false` when that fails for now. */
  whenSubscribed(): PromiseLike<boolean>;
  /** Resolves with `true` when the group is subscribed, and with `false` when it has no members any more. */
  untilSubscribed(): PromiseLike<boolean>;
  remove(member: Member): void;
  /** Notes which messages have been there before, so that their duplicates are dropped. */
  learn(earlier: SequenceTracker): void;
}

/** Says which of the kept messages the app wants. */
export interface HistoryRange {
  /**
   * Gives the id of a message, or a position: then what came after it. An id that is unknown counts as too old. You may pass
   * what a client has sent; `undefined`, `null` and `''` mean that there is none.
   */
  since?: unknown;
  /** Gives the last messages of this number, if there is no `since`. */
  last?: number | undefined;
}

/** An entry that a backplane has delivered. */
export interface ReceivedEntry {
  readonly position: Position;
  readonly time: number;
  readonly header: EnvelopeHeader;
  /** `undefined` for an entry that members never see. */
  readonly groupMessage: GroupMessage | undefined;
  readonly isAfterGap: boolean;
}

/** Returns whether a member does not get a message. */
export type Filter = ((member: Member) => boolean) | undefined;

/**
 * Keeps the last messages of one group, and delivers messages to its members.
 *
 * A member that joins reads the log at its own pace. It gets new messages directly from the moment at which it has read
 * everything. So it can neither miss a message nor get one twice. Until then it has no queue, only its place in the log.
 *
 * Without a backplane, the log is the history. Otherwise the log has the last entries that arrived here. It reads earlier ones
 * from the backplane when a member first needs them. All members that join at that time share one read.
 */
export class GroupHistory implements StoredHistory {
  readonly #group: HistoryGroup;
  readonly #host: HistoryHost;
  readonly #window = new HistoryWindow();
  readonly #joining = new Map<Member, Joining>();
  readonly #welcomes = new Map<Member, Welcome>();
  /** The position of the last entry, without a backplane. */
  #end: Position;
  /** Changes whenever the log begins anew. */
  #generation = 0;
  /** The entries that arrived before the first read. They may be duplicates of what that read will give. */
  #unchecked: { entry: LogEntry; header: EnvelopeHeader }[] = [];
  /** The members that do not get a message of this process, by its sequence. */
  readonly #excluded = new Map<number, NonNullable<Filter>>();
  #reading: Promise<void> | undefined;
  #readingEnd: Promise<Position> | undefined;
  #nextReadingEnd: Promise<Position> | undefined;
  #arrival: { promise: Promise<void>; resolve: () => void } | undefined;
  #pausing: Promise<void> | undefined;
  #delay = FIRST_RETRY;

  constructor(group: HistoryGroup, host: HistoryHost) {
    this.#group = group;
    this.#host = host;
    this.#end = host.begin();
    // Memory begins empty. A backplane may have kept messages before.
    if (host.source === undefined) this.#window.beginEmpty(this.#end);
  }

  get bytes(): number {
    return HISTORY_BYTES + this.#window.log.bytes;
  }

  expire(): boolean {
    this.#window.dropOlderThan(Date.now() - this.#host.settings.age);
    return this.#isUseless;
  }

  shrink(): boolean {
    this.#window.shift();
    // What is dropped here may still be at the backplane.
    if (this.#host.source !== undefined) this.#window.isWhole = false;
    return this.#isUseless;
  }

  get #isUseless(): boolean {
    return this.#window.log.length === 0 && this.#group.members.size === 0;
  }

  /**
   * Gives a new member of the group what is kept, and then what is new.
   *
   * Resolves with `true` when the member has everything that was kept. Resolves with `false` when it has left, or when the
   * backplane is not reachable now; then the member gets everything later. Rejects with what `welcome` throws, and removes the
   * member.
   */
  join(member: Member, range: HistoryRange, welcome: Welcome | undefined): PromiseLike<boolean> {
    const { since, last } = wantedOf(range, member.since, 0);
    this.#host.store.add(this);
    if (welcome !== undefined) this.#welcomes.set(member, welcome);
    const isUpToDate = this.#host.source === undefined || this.#group.isSubscribed;
    const wantsNothing = since === undefined && last === 0 && welcome === undefined;
    if (wantsNothing && isUpToDate && member.begin === undefined) return this.#group.whenSubscribed();
    // Until the group is subscribed, nobody delivers what this process sends.
    const sent = isUpToDate ? undefined : this.#host.writer.sequence;
    const wanted = { since, last, start: this.#window.log.end, sent };
    const joining = new Joining(member, wanted);
    this.#joining.set(member, joining);
    void this.#replay(joining);
    return joining.promise;
  }

  /** Returns the promise of {@link join} while the member does not have everything yet. */
  whenJoined(member: Member): PromiseLike<boolean> | undefined {
    return this.#joining.get(member)?.promise;
  }

  /** Called when a member has left the group. */
  leave(member: Member): void {
    this.#welcomes.delete(member);
    this.#endJoining(member, false);
    // A group without members follows the backplane no more.
    if (this.#group.members.size > 0 || this.#host.source === undefined) return;
    this.#clear();
    this.#window.isChecked = false;
    this.#excluded.clear();
    this.#host.store.delete(this);
  }

  /**
   * Keeps a message of this process, and delivers it. Returns the number of members.
   *
   * @throws What the function `stamp` throws. Then the message is neither kept nor delivered.
   */
  send(groupMessage: GroupMessage, isExcepted: Filter): number {
    const position = { ...this.#end, index: this.#end.index + 1 };
    const stamped = this.#host.stamper?.stamp(groupMessage, formatPosition(position)) ?? groupMessage;
    stamped.latest = groupMessage.latest;
    this.#host.store.add(this);
    this.#append(new LogEntry(position, Date.now(), stamped, false));
    return this.#deliver(stamped, position, isExcepted);
  }

  /** Whether messages reach the members only over the backplane, which gives them their place. */
  get followsBackplane(): boolean {
    return this.#host.source !== undefined;
  }

  /** Returns the stamper of the option `stamp`. */
  get stamper(): Stamper | undefined {
    return this.#host.stamper;
  }

  /** Notes which members do not get a message of this process when the backplane delivers it. */
  exclude(sequence: number, isExcepted: Filter): void {
    if (isExcepted !== undefined && this.#group.members.size > 0) this.#excluded.set(sequence, isExcepted);
  }

  /** Returns which members do not get a message of this process. Messages arrive in order, so earlier ones were dropped. */
  takeExcluded(sequence: number): Filter {
    const isExcepted = this.#excluded.get(sequence);
    for (const each of this.#excluded.keys()) {
      if (each > sequence) break;
      this.#excluded.delete(each);
    }
    return isExcepted;
  }

  /** Keeps an entry of the backplane, and delivers its message. */
  receive({ position, time, header, groupMessage, isAfterGap }: ReceivedEntry, isExcepted: Filter): void {
    if (isAfterGap) this.#tellLoss();
    const sequence = header.origin === this.#host.writer.origin ? header.sequence : 0;
    const entry = new LogEntry(position, time, groupMessage, isAfterGap, sequence);
    if (!this.#window.isChecked) this.#unchecked.push({ entry, header });
    this.#append(entry);
    if (groupMessage !== undefined) this.#deliver(groupMessage, position, isExcepted);
    this.#arrived();
  }

  /** Begins anew, because the backplane has lost messages, and may have changed earlier ones. */
  reset(): void {
    this.#host.store.update(this, () => {
      this.#clear();
    });
    this.#tellLoss();
  }

  /** Returns the kept messages. Rejects when the backplane is not reachable. */
  async read(range: HistoryRange): Promise<readonly LogEntry[]> {
    const wanted = wantedOf(range, undefined, Infinity);
    const { source, stamper, settings } = this.#host;
    if (source === undefined || (this.#group.members.size > 0 && (await this.#group.whenSubscribed()))) {
      let start = this.#find(wanted);
      if (source !== undefined && !start.isSure) {
        await this.#readOnce(source);
        start = this.#find(wanted);
      }
      return messagesFrom(this.#window.log, start.from);
    }
    const page = await source.read(this.#group.name, undefined);
    const window = new HistoryWindow();
    window.prepend(readPage(page, stamper).entries, page);
    window.dropOlderThan(Date.now() - settings.age);
    const { from } = window.find(wanted, page.entries.at(-1) ?? this.#end, source.maxAge);
    return messagesFrom(window.log, from);
  }

  async #replay(joining: Joining): Promise<void> {
    const { member } = joining;
    try {
      // Without a backplane, the start is found at once: messages that are sent from now on are new.
      if (this.#host.source !== undefined && !(await this.#group.whenSubscribed())) {
        joining.settle(false);
        if (!(await this.#group.untilSubscribed())) {
          if (this.#isJoining(joining)) this.#joining.delete(member);
          return;
        }
      }
      if (this.#host.source === undefined) await this.#greet(joining, this.#findStart(joining));
      while (this.#isJoining(joining)) {
        const { cursor, generation } = joining;
        const { log } = this.#window;
        if (cursor === undefined || cursor < log.first || generation !== this.#generation) {
          await this.#readFor(joining);
          await this.#greet(joining, this.#findStart(joining));
        } else if (cursor === log.end) {
          this.#endJoining(member, true);
        } else {
          await this.#sendNext(joining, cursor);
        }
      }
    } catch (error) {
      joining.fail(error);
      this.#group.remove(member);
    }
  }

  #isJoining(joining: Joining): boolean {
    return this.#joining.get(joining.member) === joining;
  }

  /** Reads what the backplane has kept, if the member may need it. */
  async #readFor(joining: Joining): Promise<void> {
    const { source } = this.#host;
    if (source === undefined) return;
    if (!this.#find(joining.wanted).isSure) await this.#retry(joining, () => this.#readOnce(source));
    // The client may come from another process, which is ahead of this one.
    const since = parsePosition(joining.wanted.since);
    const isBehind = (): boolean => since !== undefined && comparePositions(this.#endPosition(), since) < 0;
    if (since === undefined || !isBehind()) return;
    await this.#retry(joining, async () => {
      const end = await this.#readEnd(source);
      if (comparePositions(end, since) < 0) return;
      while (this.#isJoining(joining) && isBehind()) await this.#nextArrival();
    });
  }

  /** Reads the last position. Callers share a read only if it begins after their calls. */
  #readEnd(source: BackplaneHistory): Promise<Position> {
    if (this.#readingEnd === undefined) {
      this.#readingEnd = source.readEnd(this.#group.name).finally(() => (this.#readingEnd = undefined));
      return this.#readingEnd;
    }
    const readAgain = (): Promise<Position> => {
      this.#nextReadingEnd = undefined;
      return this.#readEnd(source);
    };
    return (this.#nextReadingEnd ??= this.#readingEnd.then(readAgain, readAgain));
  }

  /** Resolves when an entry arrives, when the log begins anew, and when a member has joined or left. */
  #nextArrival(): Promise<void> {
    if (this.#arrival === undefined) {
      let resolve!: () => void;
      const promise = new Promise<void>((settle) => (resolve = settle));
      this.#arrival = { promise, resolve };
    }
    return this.#arrival.promise;
  }

  #arrived(): void {
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  #findStart(joining: Joining): Start {
    const start = this.#find(joining.wanted);
    joining.cursor = start.from;
    joining.generation = this.#generation;
    joining.known = this.#window.log.end - 1;
    return start;
  }

  #find(wanted: Wanted): Start {
    this.#window.dropOlderThan(Date.now() - this.#host.settings.age);
    return this.#window.find(wanted, this.#endPosition(), this.#host.source?.maxAge ?? 0);
  }

  #endPosition(): Position {
    return this.#host.source?.position(this.#group.name) ?? this.#end;
  }

  async #greet(joining: Joining, { position, isComplete }: Start): Promise<void> {
    if (!this.#isJoining(joining) || (joining.isGreeted && isComplete)) return;
    if (!joining.isGreeted) joining.member.begin?.(position);
    joining.isGreeted = true;
    await this.#welcome(joining, position, isComplete);
  }

  async #welcome({ member }: Joining, position: string, complete: boolean): Promise<void> {
    const welcome = this.#welcomes.get(member);
    if (welcome === undefined) return;
    await deliverAndWait(member, this.#host.encode(welcome({ position, complete })), undefined);
  }

  async #sendNext(joining: Joining, cursor: number): Promise<void> {
    const { log } = this.#window;
    const entry = log.at(cursor) as LogEntry;
    const id = formatPosition(entry);
    if (entry.isAfterGap && cursor > joining.known) {
      joining.known = cursor;
      const before = log.at(cursor - 1) ?? joining.sent;
      await this.#welcome(joining, before === undefined ? id : formatPosition(before), false);
      return;
    }
    joining.cursor = cursor + 1;
    const groupMessage = entry.createMessage();
    if (groupMessage === undefined || joining.skipped.delete(id)) return;
    joining.sent = { era: entry.era, index: entry.index, mark: entry.mark };
    await deliverAndWait(joining.member, groupMessage, entry);
  }

  #endJoining(member: Member, isUpToDate: boolean): void {
    this.#joining.get(member)?.settle(isUpToDate);
    this.#arrived();
    if (!this.#joining.delete(member) || this.#joining.size > 0) return;
    this.#host.store.update(this, () => {
      this.#trim();
    });
  }

  #append(entry: LogEntry): void {
    this.#end = { era: entry.era, index: entry.index, mark: entry.mark };
    this.#host.store.update(this, () => {
      this.#window.log.append(entry);
      this.#trim();
    });
  }

  /** Drops what is beyond the length. While members read the log, it keeps more, so that they can keep up. */
  #trim(): void {
    const { length } = this.#host.settings;
    const max = this.#joining.size === 0 ? length : 2 * length + JOINING_SLACK;
    while (this.#window.log.length > max) this.#window.shift();
  }

  #clear(): void {
    this.#generation++;
    this.#arrived();
    this.#unchecked = [];
    this.#window.clear();
  }

  #deliver(groupMessage: GroupMessage, position: Position, isExcepted: Filter): number {
    let count = 0;
    for (const member of this.#group.members) {
      const joining = this.#joining.size === 0 ? undefined : this.#joining.get(member);
      if (isExcepted?.(member) === true) joining?.skipped.add(formatPosition(position));
      else if (joining !== undefined || deliver(member, groupMessage, position)) count++;
    }
    return count;
  }

  /** Tells the members that messages are lost. Members that join find it in the log. */
  #tellLoss(): void {
    for (const [member, welcome] of this.#welcomes) {
      if (this.#joining.has(member)) continue;
      try {
        const start = { position: formatPosition(this.#endPosition()), complete: false };
        deliver(member, this.#host.encode(welcome(start)), undefined);
      } catch (error) {
        debug('the function given as welcome failed: %o', error);
      }
    }
  }

  /** Retries a read of the backplane for as long as the member waits for it. */
  async #retry(joining: Joining, read: () => Promise<void>): Promise<void> {
    while (this.#isJoining(joining)) {
      try {
        const generation = this.#generation;
        await read();
        if (generation === this.#generation) return;
      } catch (error) {
        debug('the history of group %j could not be read: %o', this.#group.name, error);
        joining.settle(false);
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    if (this.#pausing === undefined) {
      this.#pausing = new Promise((resolve) => {
        setTimeout(() => {
          this.#pausing = undefined;
          resolve();
        }, this.#delay).unref();
      });
      this.#delay = Math.min(this.#delay * 2, LAST_RETRY);
    }
    return this.#pausing;
  }

  /** Reads the earlier entries once for all callers. */
  #readOnce(source: BackplaneHistory): Promise<void> {
    return (this.#reading ??= this.#readEarlier(source).finally(() => (this.#reading = undefined)));
  }

  async #readEarlier(source: BackplaneHistory): Promise<void> {
    await source.settled(this.#group.name);
    const generation = this.#generation;
    const { log } = this.#window;
    const { first } = log;
    const page = await source.read(this.#group.name, log.at(first));
    this.#delay = FIRST_RETRY;
    if (generation !== this.#generation) return;
    const { stamper, writer } = this.#host;
    const { entries, sequences } = readPage(page, stamper, writer.origin);
    if (!this.#window.isChecked) {
      for (const { entry, header } of this.#unchecked) if (sequences.has(header)) entry.hide();
      this.#unchecked = [];
      this.#group.learn(sequences);
    }
    this.#host.store.update(this, () => {
      // If the log has dropped entries meanwhile, these would not be just before the first one.
      if (log.first === first) {
        const newest = page.entries.at(-1) ?? page.earlier.at(-1);
        const next = log.at(first);
        if (newest !== undefined && next !== undefined && !isNext(next, newest)) log.markGap(first);
        this.#window.prepend(entries, page);
      }
      this.#window.isWhole = this.#window.isChecked = true;
      this.#trim();
    });
  }
}

/** Of two ids, that of the member itself is newer: a client sends it when it reconnects, with the same URL. */
function wantedOf({ since, last }: HistoryRange, ofMember: unknown, unlessGiven: number): Wanted {
  return { since: [ofMember, since].find(isGiven), last: last ?? unlessGiven };
}

function isGiven(id: unknown): boolean {
  return id !== undefined && id !== null && id !== '';
}
