import type { EnvelopeHeader } from '../envelope.js';
import { deliver, type GroupMessage } from '../group-message.js';
import type { Member } from '../member.js';
import { Exclusions, type Filter } from './exclusions.js';
import { type EntriesOwner, GroupEntries } from './group-entries.js';
import type { HistoryGroup, HistoryHost } from './host.js';
import { Joiners } from './joiners.js';
import type { Welcome } from './joining.js';
import { LogEntry } from './log.js';
import { formatPosition, type Position } from './position.js';
import { type HistoryRange, wantedOf } from './range.js';
import type { Stamper } from './stamp.js';
import { messagesFrom } from './window.js';

/** The memory in bytes of a group with a history without entries. The store keeps the group alive. */
const HISTORY_BYTES = 3_600;

/** An entry that a backplane has delivered. */
export interface ReceivedEntry {
  readonly position: Position;
  readonly time: number;
  readonly header: EnvelopeHeader;
  /** `undefined` for an entry that members never see. */
  readonly groupMessage: GroupMessage | undefined;
  readonly isAfterGap: boolean;
}

/**
 * Keeps the last messages of one group, and delivers messages to its members.
 *
 * `entries` has the messages. `joiners` are the members that still read them. All others get new messages directly. So a member
 * can neither miss a message nor get one twice.
 */
export class GroupHistory implements EntriesOwner {
  readonly #group: HistoryGroup;
  readonly #host: HistoryHost;
  readonly #entries: GroupEntries;
  readonly #joiners: Joiners;
  // Most groups have none.
  #exclusions: Exclusions | undefined;

  /** When the last member left. `undefined` if nobody can come back with a position at which nothing was said. */
  #leftAt: number | undefined;

  /** The last message that this process had sent when the first of the members came. */
  #filledAt = 0;

  constructor(group: HistoryGroup, host: HistoryHost) {
    this.#group = group;
    this.#host = host;
    this.#entries = new GroupEntries(group, host, this);
    this.#joiners = new Joiners(group, host, this.#entries);
  }

  get bytes(): number {
    const { length, bytes } = this.#entries.log;
    // Members keep the group alive themselves.
    const isKeptHere = this.#group.members.size === 0 && (length > 0 || this.#leftAt !== undefined);
    return isKeptHere ? HISTORY_BYTES + bytes : bytes;
  }

  get hasReaders(): boolean {
    return this.#joiners.size > 0;
  }

  expire(): void {
    this.#entries.dropExpired();
    // Who has just left may come back with a position, although nothing was said. A new history would not know it.
    if (this.#leftAt !== undefined && Date.now() - this.#leftAt > this.#host.settings.age)
      this.#leftAt = undefined;
  }

  shrink(): void {
    this.#entries.shrink();
    if (this.#entries.log.length === 0) this.#leftAt = undefined;
  }

  /**
   * Gives a new member of the group what is kept, and then what is new.
   *
   * Resolves with `true` when the member has everything that was kept. Resolves with `false` when it has left, or when the
   * backplane is not reachable now; then the member gets everything later. Rejects with what `welcome` throws, and removes the
   * member.
   */
  join(member: Member, range: HistoryRange, welcome: Welcome | undefined): PromiseLike<boolean> {
    if (this.#group.members.size === 1) this.#filledAt = this.#host.writer.sequence;
    this.#host.store.update(this);
    return this.#joiners.add(member, range, welcome);
  }

  /** Returns the promise of {@link join} while the member does not have everything yet. */
  whenJoined(member: Member): PromiseLike<boolean> | undefined {
    return this.#joiners.get(member)?.promise;
  }

  /** Called when the group closes, before its members leave. */
  finish(): void {
    this.#joiners.finish();
  }

  /** Called when a member has left the group. */
  leave(member: Member): void {
    this.#joiners.remove(member);
    if (this.#group.members.size > 0) return;
    if (this.#host.source === undefined) {
      this.#leftAt = Date.now();
    } else {
      // A group without members follows the backplane no more.
      this.#entries.disconnect();
      this.#joiners.wake();
      this.#exclusions = undefined;
    }
    this.#host.store.update(this);
  }

  /**
   * Keeps a message of this process, and delivers it. Returns the number of members.
   *
   * @throws What the function `stamp` throws. Then the message is neither kept nor delivered.
   */
  send(groupMessage: GroupMessage, isExcepted: Filter): number {
    const { end } = this.#entries;
    const position = { ...end, index: end.index + 1 };
    const stamped = this.#host.stamper?.stamp(groupMessage, formatPosition(position)) ?? groupMessage;
    stamped.latest = groupMessage.latest;
    const entry = new LogEntry(position, Date.now(), stamped, false);
    this.#entries.append(entry);
    return this.#deliver(stamped, entry, isExcepted);
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
    if (isExcepted === undefined || this.#group.members.size === 0) return;
    this.#exclusions ??= new Exclusions();
    this.#exclusions.add(sequence, isExcepted);
    this.#joiners.exclude(sequence, isExcepted);
  }

  /** Forgets which members do not get a message, because the backplane has refused it. */
  forgetExcluded(sequence: number): void {
    this.#exclusions?.delete(sequence);
    this.#joiners.forgetExcluded(sequence);
  }

  /** Returns which members do not get a message of this process. */
  takeExcluded(sequence: number): Filter {
    return this.#exclusions?.take(sequence);
  }

  /** Returns whether this process has sent a message before any of the members came. */
  isFromBeforeMembers(sequence: number): boolean {
    return sequence <= this.#filledAt;
  }

  /** Keeps an entry of the backplane, and delivers its message. */
  receive({ position, time, header, groupMessage, isAfterGap }: ReceivedEntry, isExcepted: Filter): void {
    if (isAfterGap) this.#joiners.tellLoss();
    const sequence = header.origin === this.#host.writer.origin ? header.sequence : 0;
    const entry = new LogEntry(position, time, groupMessage, isAfterGap, sequence);
    this.#entries.append(entry, header);
    if (groupMessage !== undefined) this.#deliver(groupMessage, entry, isExcepted);
    this.#joiners.wake();
  }

  /** Begins anew, because the backplane has lost messages, and may have changed earlier ones. */
  reset(): void {
    this.#entries.clear();
    this.#joiners.wake();
    this.#joiners.tellLoss();
  }

  /** Returns the kept messages. Rejects when the backplane is not reachable. */
  async read(range: HistoryRange): Promise<readonly LogEntry[]> {
    const wanted = wantedOf(range, undefined, Infinity);
    const { source } = this.#host;
    if (source !== undefined && !(this.#group.members.size > 0 && (await this.#group.whenSubscribed())))
      return this.#entries.readOnly(source, wanted);
    let start = this.#entries.find(wanted);
    if (source !== undefined && !start.isSure) {
      await this.#entries.readEarlier(source);
      start = this.#entries.find(wanted);
    }
    return messagesFrom(this.#entries.log, start.from);
  }

  #deliver(groupMessage: GroupMessage, entry: LogEntry, isExcepted: Filter): number {
    let count = 0;
    for (const member of this.#group.members) {
      const joining = this.#joiners.size === 0 ? undefined : this.#joiners.get(member);
      if (isExcepted?.(member) === true) joining?.skip(entry, this.#entries.maxLength);
      else if (joining !== undefined || deliver(member, groupMessage, entry)) count++;
    }
    return count;
  }
}
