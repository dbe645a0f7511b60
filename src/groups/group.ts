import { checkNames } from '../options/checks.js';
import { argumentError, describe, type WebsocketError } from '../shared/errors.js';
import { checkClose, checkLatest } from '../websocket/arguments.js';
import type { Message } from '../options/options.js';
import type { Data } from '../websocket/frame.js';
import type { Envelope } from './envelope.js';
import { deliver, GroupMessage } from './group-message.js';
import type { Filter } from './history/exclusions.js';
import type { GroupHistory } from './history/group-history.js';
import type { HistoryGroup } from './history/host.js';
import type { Welcome } from './history/joining.js';
import { formatPosition } from './history/position.js';
import type { HistoryRange } from './history/range.js';
import { addMembership, isMember, removeMembership, type AnyMember, type Member } from './member.js';
import type { GroupEvents, GroupPeople, Person } from './people/group-people.js';
import { keyOf } from './people/identity.js';
import type { SequenceTracker } from './sequence-tracker.js';

/** Describes the result of sending to a group. */
export interface Sent {
  /** The number of members in this process that the message was sent to. */
  readonly local: number;
  /**
   * Whether the message left this process: `true` if the backplane has accepted it, `false` if not (see `error`),
   * `'later'` if the backplane will send it after the outage, `null` without a backplane.
   */
  readonly backplane: boolean | 'later' | null;
  /** Why `backplane` is `false`. The backplanes of this package give a {@link BackplaneError}. */
  readonly error: WebsocketError | Error | null;
}

/** Lists the options of {@link Group.send}. */
export interface GroupSendOptions {
  /** Excludes members, usually the sender. */
  except?: AnyMember | Iterable<AnyMember> | null | undefined;
  /**
   * Sends a binary message (`true`) or a text message (`false`).
   *
   * @default false for a string, true for bytes
   */
  binary?: boolean | undefined;
  /**
   * Names what the message is about: a position, a price, a cursor. A member that is behind, with more than `highWaterMark` buffered
   * bytes, gets only the newest message for each name, once it has read enough. The order of other messages stays.
   * In a group with a history, what waits goes out before the next message without `latest`, so that ids only grow.
   *
   * @default none (every message is sent)
   */
  latest?: string | undefined;
}

/** Lists the options of {@link Group.add}. Only a group with a history takes the others than `as`. */
export interface GroupAddOptions extends HistoryRange {
  /**
   * Says who the websocket is, in {@link Group.people}: a name, an id, or any other value that JSON can represent, of at most
   * 4,096 bytes as JSON. Websockets with equal values are one person. The group copies the value.
   *
   * @default none (the websocket is nobody, and does not appear among the people)
   */
  as?: unknown;
  /**
   * Creates the first message for the websocket. `position` is the id after which it gets all messages. `complete` is `false`
   * if the history does not reach back to `since`, so that messages are missing. Called again with `complete: false` when
   * messages are lost later. With `messages: 'json'` or `sends` it returns a value, which `sends` does not check.
   */
  welcome?: Welcome | undefined;
}

/** A message that a group keeps. */
export interface KeptMessage<M = Message> {
  /** The id, for the option `since`. */
  readonly id: string;
  /** When it was sent, in milliseconds since 1970. */
  readonly time: number;
  /**
   * The message as members receive it, or its value with `messages: 'json'` or `sends`. If bytes were sent as a text that is
   * not JSON, it is that text.
   */
  readonly message: M;
}

const NO_OPTIONS: GroupSendOptions = {};

/** Owns groups, and connects them with other processes. */
export interface GroupHost {
  /** Called when the first member has joined. */
  filled(group: AnyGroup): void;
  /** Called when the last member has left. */
  emptied(group: AnyGroup): void;
  /** Resolves with whether messages of other processes arrive. */
  whenSubscribed(group: AnyGroup): PromiseLike<boolean>;
  /** Whether messages of other processes arrive now. */
  isSubscribed(group: AnyGroup): boolean;
  /** Resolves with `true` when messages of other processes arrive, and with `false` when the group has no members any more. */
  untilSubscribed(group: AnyGroup): PromiseLike<boolean>;
  /** Notes which messages of other processes have been there before. */
  learn(group: AnyGroup, earlier: SequenceTracker): void;
  /** Encodes the argument of `send` once for all members. */
  createMessage(data: unknown, binary: boolean | undefined): GroupMessage;
  /** Sends to the other processes, and resolves with the result; `local` is the number of members reached here. */
  sendMessage(group: AnyGroup, groupMessage: GroupMessage, local: number): PromiseLike<Sent>;
  sendClose(group: AnyGroup, code: number, reason: string, local: number): PromiseLike<Sent>;
  /** Creates the list of people on first use. */
  createPeople(group: AnyGroup): GroupPeople;
  /** Creates the history of a group, if groups have one. */
  createHistory(group: HistoryGroup): GroupHistory | undefined;
  /** Keeps a message, and sends it to the members in all processes. */
  sendKept(
    group: AnyGroup,
    history: GroupHistory,
    groupMessage: GroupMessage,
    isExcepted: Filter,
  ): PromiseLike<Sent>;
  /** Returns what a kept message is for the app. */
  decode(data: string | Buffer): unknown;
}

interface PendingClose {
  readonly code: number;
  readonly reason: string;
  /** Called when the members have closed. */
  readonly resolve: () => void;
}

/** Stands for a group, whatever it sends. */
export type AnyGroup = Group<unknown>;

/** @internal Creates a group. */
export let createGroup: (name: string, host: GroupHost) => AnyGroup;

/** @internal Applies the message or close of another process to the members in this process. */
export let receive: (group: AnyGroup, envelope: Envelope) => void;

/** @internal Closes the members if the backplane was to deliver a close, because it may be among what is lost. */
export let closeAfterLoss: (group: AnyGroup) => void;

/** @internal Returns the history of a group, if it has one. */
export let historyOf: (group: AnyGroup) => GroupHistory | undefined;

/** @internal Returns the number for the next message to other processes. */
export let nextNumber: (group: AnyGroup) => number;

/** @internal Removes all members in this process, and leaves them open. */
export let removeMembers: (group: AnyGroup) => void;

/**
 * Sends the same messages to all its members: the visitors of a room or a page, or the devices of a user.
 *
 * A group object holds the members of this process. Messages reach the members of all processes. A member that closes
 * leaves the group automatically. The same name always returns the same group.
 */
export class Group<Out = Data> {
  readonly name: string;
  readonly #host: GroupHost;
  readonly #members = new Set<Member>();
  readonly #history: GroupHistory | undefined;
  /** The closes that the backplane has not delivered yet. */
  #pendingCloses: PendingClose[] | undefined;
  // The number of the last message to other processes.
  #sent = 0;
  // Groups without people have none.
  #people: GroupPeople | undefined;

  private constructor(name: string, host: GroupHost) {
    this.name = name;
    this.#host = host;
    this.#history = host.createHistory(this.#createHistoryGroup());
  }

  #createHistoryGroup(): HistoryGroup {
    const host = this.#host;
    const isSubscribed = (): boolean => host.isSubscribed(this);
    return {
      name: this.name,
      members: this.#members,
      get isSubscribed() {
        return isSubscribed();
      },
      whenSubscribed: () => host.whenSubscribed(this),
      untilSubscribed: () => host.untilSubscribed(this),
      remove: (member) => this.delete(member),
      learn: (earlier) => {
        host.learn(this, earlier);
      },
    };
  }

  /** Returns the number of members in this process. */
  get size(): number {
    return this.#members.size;
  }

  /** Returns whether a member of this process is in the group. */
  has(member: AnyMember): boolean {
    return this.#members.has(member);
  }

  /** Iterates over the members in this process. */
  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values();
  }

  /**
   * Adds a websocket. From now on it receives what this process sends to the group. When it closes, it leaves
   * automatically. A closed websocket is not added.
   *
   * You need not await the promise. It resolves with `true` once messages of all other processes arrive, too. It resolves with
   * `false` if the websocket is closed. It also resolves with `false` during an outage: then those messages will arrive after
   * the outage. It rejects only when `welcome` throws.
   *
   * With `as`, it also waits until {@link Group.people} holds the people of all processes: a moment when it is the first
   * websocket with `as` here, one second at most. Its own event `join` has been emitted then. Another call with another `as` changes who the websocket is.
   *
   * In a group with a history, it first gets the message of `welcome`, then the kept messages that `since` or `last` ask for, and
   * then what is new: each message once, in order. The promise then resolves with `true` when it has what was kept. If
   * `welcome` throws, the websocket leaves the group and stays open, and the process emits a warning. The promise rejects with
   * the error, unless it has resolved before; you need not handle that.
   *
   * @throws {TypeError} The value is not a member: it lacks `send()` or `closed`. Or JSON cannot represent `as`.
   * @throws {RangeError} `as` has more than 4,096 bytes as JSON.
   * @throws {WebsocketOptionError} An option has an unknown name.
   * @throws {WebsocketArgumentError} The group has no history, so it takes no options but `as`; or `last` is not a number of
   *   messages.
   */
  add(member: AnyMember, options?: GroupAddOptions): PromiseLike<boolean> {
    if (!isMember(member)) {
      throw argumentError(
        TypeError,
        `add() takes a websocket (req.websocket), or an object with send() and the promise closed; ` +
          `got ${describe(member)}`,
      );
    }
    const { as, welcome, ...range } = options === undefined ? {} : this.#checkAddOptions(options);
    const key = as === undefined ? undefined : keyOf(as);
    if (member.isClosed?.() === true) return Promise.resolve(false);
    const added = this.#addMember(member, range, welcome);
    return key === undefined ? added : this.#addPerson(member, key, added);
  }

  #addMember(member: Member, range: HistoryRange, welcome: Welcome | undefined): PromiseLike<boolean> {
    if (this.#members.has(member))
      return this.#history?.whenJoined(member) ?? this.#host.whenSubscribed(this);
    this.#members.add(member);
    addMembership(member, this);
    if (this.#members.size === 1) this.#host.filled(this);
    return this.#history?.join(member, range, welcome) ?? this.#host.whenSubscribed(this);
  }

  #checkAddOptions(options: GroupAddOptions): GroupAddOptions {
    const given = checkNames(options, ['as', 'since', 'last', 'welcome']) as GroupAddOptions;
    if (this.#history === undefined && Object.keys(given).some((name) => name !== 'as'))
      throw noHistoryError('add() with the options since, last and welcome');
    checkLast(given.last);
    if (given.welcome === undefined || typeof given.welcome === 'function') return given;
    throw argumentError(
      TypeError,
      `the option "welcome" must be a function ({ position, complete }) => message; got ${describe(given.welcome)}`,
    );
  }

  /**
   * Returns the messages that the group keeps, oldest first: those after `since`, or the last ones. Bytes are copies.
   *
   * @throws {WebsocketArgumentError} The group has no history, or `last` is not a number of messages.
   * @throws {BackplaneError} (as a rejection) The backplane that keeps them is not reachable.
   * @example
   * app.get('/chat/:room/last', async (req, res) => res.json(await groups.group(req.params.room).history({ last: 20 })));
   */
  history(range: HistoryRange = {}): Promise<KeptMessage<[Out] extends [Data] ? Message : Out>[]> {
    if (this.#history === undefined) throw noHistoryError('history()');
    checkLast((checkNames(range, ['since', 'last']) as HistoryRange).last);
    const read = this.#history.read(range);
    return read.then((entries) =>
      entries.map((entry) => ({
        id: formatPosition(entry),
        time: entry.time,
        message: this.#host.decode(entry.copyData() as string | Buffer) as never,
      })),
    );
  }

  /** Removes a member, and leaves it open. Returns whether it was in the group. */
  delete(member: AnyMember): boolean {
    if (!this.#members.delete(member)) return false;
    removeMembership(member, this);
    this.#people?.leave(member);
    this.#history?.leave(member);
    if (this.#members.size === 0) {
      for (const { resolve } of this.#takePendingCloses()) resolve();
      this.#host.emptied(this);
    }
    return true;
  }

  /**
   * Returns who is in the group, in all processes: one entry for each different `as` of {@link Group.add}.
   *
   * It is right within a second of any change. The people of a process that was killed are gone within ten seconds. During
   * an outage of the backplane, the people of other processes stay as they were before.
   *
   * The array is frozen, and a change makes a new one. A process that has neither websockets with `as` nor listeners learns
   * of the people elsewhere only after the first read: use {@link Group.fetchPeople} there.
   */
  get people(): readonly Person[] {
    return this.#openPeople().read();
  }

  /**
   * Resolves with {@link Group.people} as soon as the other processes have answered: at once in a process that follows the
   * group already, otherwise within a second. For routes that only read. Never rejects; during an outage it resolves with
   * what is known.
   */
  fetchPeople(): Promise<readonly Person[]> {
    return this.#openPeople().fetch();
  }

  /**
   * Listens to a change of {@link Group.people}: `join` when somebody comes, `leave` when the last websocket of somebody has
   * left. A second tab is neither.
   *
   * Every process with a listener gets every event. So tell the members of this process (`for (const member of group)`);
   * `send` would reach those of each process once from each process.
   */
  on<Name extends keyof GroupEvents>(event: Name, listener: (...args: GroupEvents[Name]) => void): this {
    this.#openPeople().on(event, listener);
    return this;
  }

  /** Works like {@link Group.on}, for the next event only. */
  once<Name extends keyof GroupEvents>(event: Name, listener: (...args: GroupEvents[Name]) => void): this {
    this.#openPeople().once(event, listener);
    return this;
  }

  /** Removes a listener. */
  off<Name extends keyof GroupEvents>(event: Name, listener: (...args: GroupEvents[Name]) => void): this {
    this.#people?.off(event, listener);
    return this;
  }

  /**
   * Sends a message to all members in all processes, except those in `except`.
   *
   * The call passes the message to all members in this process before it returns. It waits neither for the network nor for
   * slow members: each member has its own limit `maxBuffered`. All processes receive the messages of one process to one
   * group in the order of the calls. You need not await the promise; it never rejects. It resolves with the result, see
   * {@link Sent}. You may reuse a buffer after the call.
   *
   * With the option `messages: 'json'` or `sends` of {@link createGroups}, it sends any value as JSON, a string too. The value
   * is encoded once for all members. A member whose own messages are text gets the JSON text.
   *
   * @throws {WebsocketArgumentError} `data` is not a message. To send another value, encode it: `send(JSON.stringify(value))`,
   *   or set the option `messages: 'json'`. With that option: JSON cannot represent the value, or it does not fit `sends`.
   *   Or `except` is neither a member nor iterable.
   * @throws {WebsocketOptionError} An option has an unknown name; or the options are not an object.
   */
  send(data: Out, options: GroupSendOptions = NO_OPTIONS): PromiseLike<Sent> {
    if (options !== NO_OPTIONS) checkSendOptions(options);
    const groupMessage = this.#host.createMessage(data, options.binary);
    if (options.latest !== undefined) {
      checkLatest(options.latest);
      groupMessage.latest = options.latest;
    }
    if (this.#history !== undefined)
      return this.#host.sendKept(this, this.#history, groupMessage, makeFilter(options.except));
    return this.#host.sendMessage(this, groupMessage, this.#deliver(groupMessage, options.except));
  }

  /**
   * Closes all members in all processes. They receive all earlier messages first. In an outage, a group with a history over
   * Redis closes the members of this process at once, without the messages that Redis does not have yet. A member that still
   * reads the history gets the rest at once, within its limit `maxBuffered`; but not what this process must first read from Redis.
   *
   * Resolves when the members in this process have closed and the backplane has accepted or refused the request. You need
   * not await the promise; it never rejects. A member without a `close()` method only leaves the group.
   *
   * @throws {RangeError} The code must not be sent, or the reason is too long.
   */
  close(code = 1000, reason = ''): PromiseLike<Sent> {
    checkClose(code, reason);
    if (this.#history?.followsBackplane === true) return this.#closeInOrder(code, reason);
    const sent = this.#host.sendClose(this, code, reason, this.#members.size);
    return Promise.all([sent, this.#closeMembers(code, reason)]).then(([result]) => result);
  }

  /** Counts the member as this person. Resolves like `added`, but not before the people are known. */
  #addPerson(member: Member, key: string, added: PromiseLike<boolean>): Promise<boolean> {
    const people = this.#openPeople();
    // A welcome may have closed the member already.
    if (this.#members.has(member)) people.join(member, key);
    const settled = Promise.all([added, people.whenSettled()]).then(([result]) => result);
    // As in `Joining`: the app need not await it.
    settled.catch(() => {});
    return settled;
  }

  #openPeople(): GroupPeople {
    return (this.#people ??= this.#host.createPeople(this));
  }

  /** Closes the members when the backplane delivers the close, because it delivers the messages before it, too. */
  async #closeInOrder(code: number, reason: string): Promise<Sent> {
    const arrived =
      this.#members.size === 0 || !this.#host.isSubscribed(this)
        ? undefined
        : new Promise<void>((resolve) => (this.#pendingCloses ??= []).push({ code, reason, resolve }));
    const sent = await this.#host.sendClose(this, code, reason, this.#members.size);
    if (sent.backplane === true && arrived !== undefined) await arrived;
    else await this.#closeMembers(code, reason);
    return sent;
  }

  #deliver(groupMessage: GroupMessage, except?: GroupSendOptions['except']): number {
    const isExcepted = makeFilter(except);
    let count = 0;
    for (const member of this.#members) {
      if (isExcepted !== undefined && isExcepted(member)) continue;
      if (deliver(member, groupMessage)) count++;
    }
    return count;
  }

  #closeMembers(code: number, reason: string): Promise<unknown> {
    this.#history?.finish();
    const members = [...this.#members];
    const pending = this.#takePendingCloses();
    for (const member of members) this.delete(member);
    // `async` turns a throw into a rejection, so that the other members still close.
    const closed = Promise.allSettled(members.map(async (member) => await member.close?.(code, reason)));
    for (const { resolve } of pending) void closed.then(resolve);
    return closed;
  }

  #takePendingCloses(): readonly PendingClose[] {
    const pending = this.#pendingCloses ?? [];
    this.#pendingCloses = undefined;
    return pending;
  }

  static {
    createGroup = (name, host) => new Group(name, host);
    receive = (group, envelope) => {
      if (envelope.kind === 'message') group.#deliver(createMessage(envelope));
      else void group.#closeMembers(envelope.code, envelope.reason);
    };
    closeAfterLoss = (group) => {
      const [first] = group.#pendingCloses ?? [];
      if (first !== undefined) void group.#closeMembers(first.code, first.reason);
    };
    historyOf = (group) => group.#history;
    nextNumber = (group) => (group.#sent = (group.#sent % 0xffff_ffff) + 1);
    removeMembers = (group) => {
      for (const member of group.#members) group.delete(member);
    };
  }
}

function makeFilter(except: GroupSendOptions['except']): ((member: Member) => boolean) | undefined {
  // `req.websocket` is `null` in a request over plain HTTP.
  if (except === undefined || except === null) return undefined;
  if (isMember(except)) return (member) => member === except;
  const all = setOf(except as Iterable<AnyMember>);
  return (member) => all.has(member);
}

function setOf(except: Iterable<AnyMember>): ReadonlySet<AnyMember> {
  // A string is iterable, too.
  if (typeof except === 'object' && typeof except[Symbol.iterator] === 'function') return new Set(except);
  throw argumentError(
    TypeError,
    `the option "except" must be a member (req.websocket), or several in an array or a set; got ${describe(except)}`,
  );
}

function createMessage({ bytes, binary, latest }: Extract<Envelope, { kind: 'message' }>): GroupMessage {
  const groupMessage = new GroupMessage(bytes, binary);
  groupMessage.latest = latest;
  return groupMessage;
}

function checkLast(last: unknown): void {
  if (last === undefined || (Number.isInteger(last) && (last as number) >= 0)) return;
  throw argumentError(
    typeof last === 'number' ? RangeError : TypeError,
    `the option "last" must be a number of messages, 0 or more; got ${describe(last)}`,
  );
}

// The loop costs less than `checkNames` for each message.
function checkSendOptions(options: object): void {
  let isWrong = typeof options !== 'object' || (options as unknown) === null;
  for (const name in options) if (name !== 'except' && name !== 'binary' && name !== 'latest') isWrong = true;
  if (isWrong) checkNames(options, ['except', 'binary', 'latest']);
}

function noHistoryError(what: string): Error {
  return argumentError(
    TypeError,
    `${what} needs groups that keep messages: createGroups({ history: { length: 100, age: 3_600_000 } })`,
  );
}
