import { debug, warnOnce } from '../../shared/notices.js';
import { deliver, deliverAndWait, type GroupMessage } from '../group-message.js';
import type { Member } from '../member.js';
import type { Filter } from './exclusions.js';
import type { GroupEntries } from './group-entries.js';
import type { HistoryGroup, HistoryHost } from './host.js';
import { Joining, type Welcome } from './joining.js';
import type { BackplaneHistory } from './kept.js';
import type { LogEntry } from './log.js';
import { comparePositions, formatBefore, formatPosition, parsePosition, type Position } from './position.js';
import { type HistoryRange, wantedOf } from './range.js';
import type { Start } from './window.js';

interface Next {
  readonly groupMessage: GroupMessage | undefined;
  readonly entry: LogEntry | undefined;
}

/**
 * Gives new members what is kept, and welcomes them.
 *
 * Each of them reads the log at its own pace. It joins the others at the moment at which it has read everything. Until then it
 * has no queue, only its place in the log.
 */
export class Joiners {
  readonly #group: HistoryGroup;
  readonly #host: HistoryHost;
  readonly #entries: GroupEntries;
  readonly #joining = new Map<Member, Joining>();
  readonly #welcomes = new Map<Member, Welcome>();
  #arrival: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(group: HistoryGroup, host: HistoryHost, entries: GroupEntries) {
    this.#group = group;
    this.#host = host;
    this.#entries = entries;
  }

  /** The number of members that do not have everything yet. */
  get size(): number {
    return this.#joining.size;
  }

  get(member: Member): Joining | undefined {
    return this.#joining.get(member);
  }

  /** Begins with a new member. Resolves as `GroupHistory.join` does. */
  add(member: Member, range: HistoryRange, welcome: Welcome | undefined): PromiseLike<boolean> {
    const { since, last } = wantedOf(range, member.since, 0);
    if (welcome !== undefined) this.#welcomes.set(member, welcome);
    const isUpToDate = this.#host.source === undefined || this.#group.isSubscribed;
    const wantsNothing = since === undefined && last === 0 && welcome === undefined;
    if (wantsNothing && isUpToDate && member.begin === undefined) return this.#group.whenSubscribed();
    // Until the group is subscribed, nobody delivers what this process sends.
    const sent = isUpToDate ? undefined : this.#host.writer.sequence;
    const joining = new Joining(member, { since, last, start: this.#entries.log.end, sent });
    this.#joining.set(member, joining);
    void this.#replay(joining);
    return joining.promise;
  }

  /** Called when a member has left the group. */
  remove(member: Member): void {
    this.#welcomes.delete(member);
    this.#end(member, false);
  }

  /** Notes which members do not get a message of this process. They may read it before the backplane delivers it. */
  exclude(sequence: number, isExcepted: NonNullable<Filter>): void {
    for (const [member, joining] of this.#joining) if (isExcepted(member)) joining.excluded.add(sequence);
  }

  /** Forgets which members do not get a message that the backplane has refused. */
  forgetExcluded(sequence: number): void {
    for (const joining of this.#joining.values()) joining.excluded.delete(sequence);
  }

  /** Sends the members what they have not read yet, without waiting for them, because the group closes. */
  finish(): void {
    for (const joining of this.#joining.values()) {
      try {
        this.#sendRest(joining);
      } catch (error) {
        this.#warn(error, 'so a websocket does not know that messages are lost');
      }
    }
  }

  /** Called when an entry has arrived, and when the log begins anew. */
  wake(): void {
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  /** Tells the members that messages are lost. Those that still read find it in the log. */
  tellLoss(): void {
    for (const [member, welcome] of this.#welcomes) {
      if (this.#joining.has(member)) continue;
      try {
        const start = { position: formatPosition(this.#entries.end), complete: false };
        deliver(member, this.#host.encode(welcome(start)), undefined);
      } catch (error) {
        this.#warn(error, 'so a websocket does not know that messages are lost');
      }
    }
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
        const { log } = this.#entries;
        if (cursor === undefined || cursor < log.first || generation !== this.#entries.generation) {
          await this.#readFor(joining);
          await this.#greet(joining, this.#findStart(joining));
        } else if (cursor === log.end) {
          this.#end(member, true);
        } else {
          await this.#sendNext(joining, cursor);
        }
      }
    } catch (error) {
      joining.fail(error);
      this.#group.remove(member);
      this.#warn(error, 'so a websocket has left the group');
    }
  }

  /** Warns of a `welcome` that has thrown. `add` may have resolved before, and nobody need await it. */
  #warn(error: unknown, effect: string): void {
    debug('the function given as welcome failed: %o', error);
    const text = error instanceof Error ? error.message : String(error);
    warnOnce(
      this.#host,
      'WEBSOCKET_GROUPS_WELCOME',
      `the function given as welcome failed, ${effect}: ${text}`,
    );
  }

  #isJoining(joining: Joining): boolean {
    return this.#joining.get(joining.member) === joining;
  }

  #end(member: Member, isUpToDate: boolean): void {
    this.#joining.get(member)?.settle(isUpToDate);
    this.wake();
    if (this.#joining.delete(member) && this.#joining.size === 0) this.#entries.trim();
  }

  #findStart(joining: Joining): Start {
    const start = this.#entries.find(joining.wanted);
    joining.cursor = start.from;
    joining.generation = this.#entries.generation;
    joining.known = this.#entries.log.end - 1;
    return start;
  }

  async #greet(joining: Joining, { position, isComplete }: Start): Promise<void> {
    if (!this.#isJoining(joining) || (joining.isGreeted && isComplete)) return;
    if (!joining.isGreeted) joining.member.begin?.(position);
    joining.isGreeted = true;
    await this.#welcome(joining, position, isComplete);
  }

  async #welcome({ member }: Joining, position: string, complete: boolean): Promise<void> {
    const groupMessage = this.#createWelcome(member, position, complete);
    if (groupMessage !== undefined) await deliverAndWait(member, groupMessage, undefined);
  }

  #createWelcome(member: Member, position: string, complete: boolean): GroupMessage | undefined {
    const welcome = this.#welcomes.get(member);
    return welcome && this.#host.encode(welcome({ position, complete }));
  }

  async #sendNext(joining: Joining, cursor: number): Promise<void> {
    const { groupMessage, entry } = this.#takeNext(joining, cursor);
    if (groupMessage !== undefined) await deliverAndWait(joining.member, groupMessage, entry);
  }

  /** Sends the rest of the log at once. The limit of the member for buffered bytes holds. */
  #sendRest(joining: Joining): void {
    const { log, generation } = this.#entries;
    for (;;) {
      const { cursor } = joining;
      if (cursor === undefined || cursor < log.first || generation !== joining.generation) return;
      if (cursor === log.end) {
        this.#end(joining.member, true);
        return;
      }
      const { groupMessage, entry } = this.#takeNext(joining, cursor);
      if (groupMessage !== undefined) deliver(joining.member, groupMessage, entry);
    }
  }

  /** Returns the next message for the member, if the entry has one for it, and moves on. A welcome has no entry. */
  #takeNext(joining: Joining, cursor: number): Next {
    const { log } = this.#entries;
    const entry = log.at(cursor) as LogEntry;
    if (entry.isAfterGap && cursor > joining.known) {
      joining.known = cursor;
      const before = log.at(cursor - 1) ?? joining.sent;
      const position = before === undefined ? formatBefore(entry) : formatPosition(before);
      return { groupMessage: this.#createWelcome(joining.member, position, false), entry: undefined };
    }
    joining.cursor = cursor + 1;
    const groupMessage = entry.createMessage();
    if (groupMessage === undefined) return { groupMessage, entry };
    joining.sent = { era: entry.era, index: entry.index, mark: entry.mark };
    return { groupMessage: joining.skips(entry) ? undefined : groupMessage, entry };
  }

  /** Reads what the backplane has kept, if the member may need it. */
  async #readFor(joining: Joining): Promise<void> {
    const { source } = this.#host;
    if (source === undefined) return;
    if (!this.#entries.find(joining.wanted).isSure)
      await this.#retry(joining, () => this.#entries.readEarlier(source));
    const since = parsePosition(joining.wanted.since);
    if (since !== undefined && this.#isBehind(since))
      await this.#retry(joining, () => this.#catchUp(joining, source, since));
  }

  /** The client may come from another process, which is ahead of this one. */
  #isBehind(since: Position): boolean {
    return comparePositions(this.#entries.end, since) < 0;
  }

  async #catchUp(joining: Joining, source: BackplaneHistory, since: Position): Promise<void> {
    const end = await this.#entries.readEnd(source);
    if (comparePositions(end, since) < 0) return;
    while (this.#isJoining(joining) && this.#isBehind(since)) await this.#nextArrival();
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

  /** Retries a read of the backplane for as long as the member waits for it. */
  async #retry(joining: Joining, read: () => Promise<void>): Promise<void> {
    const entries = this.#entries;
    while (this.#isJoining(joining)) {
      try {
        const { generation } = entries;
        await read();
        if (generation === entries.generation) return;
      } catch (error) {
        debug('the history of group %j could not be read: %o', this.#group.name, error);
        joining.settle(false);
        await entries.waitToRetry();
      }
    }
  }
}
