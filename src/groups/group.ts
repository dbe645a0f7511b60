import { argumentError, describe, type WebsocketError } from '../shared/errors.js';
import { checkClose } from '../websocket/arguments.js';
import type { Data } from '../websocket/frame.js';
import type { Envelope } from './envelope.js';
import { deliver, GroupMessage } from './group-message.js';
import { addMembership, isMember, removeMembership, type AnyMember, type Member } from './member.js';

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
  except?: AnyMember | Iterable<AnyMember> | undefined;
  /**
   * Sends a binary message (`true`) or a text message (`false`).
   *
   * @default false for a string, true for bytes
   */
  binary?: boolean | undefined;
}

/** Owns groups, and connects them with other processes. */
export interface GroupHost {
  /** Called when the first member has joined. */
  filled(group: AnyGroup): void;
  /** Called when the last member has left. */
  emptied(group: AnyGroup): void;
  /** Resolves with whether messages of other processes arrive. */
  whenSubscribed(group: AnyGroup): PromiseLike<boolean>;
  /** Encodes the argument of `send` once for all members. */
  createMessage(data: unknown, binary: boolean | undefined): GroupMessage;
  /** Sends to the other processes, and resolves with the result; `local` is the number of members reached here. */
  sendMessage(group: AnyGroup, groupMessage: GroupMessage, local: number): PromiseLike<Sent>;
  sendClose(group: AnyGroup, code: number, reason: string, local: number): PromiseLike<Sent>;
}

/** Stands for a group, whatever it sends. */
export type AnyGroup = Group<unknown>;

/** @internal Creates a group. */
export let createGroup: (name: string, host: GroupHost) => AnyGroup;

/** @internal Applies the message or close of another process to the members in this process. */
export let receive: (group: AnyGroup, envelope: Envelope) => void;

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
  // The number of the last message to other processes.
  #sent = 0;

  private constructor(name: string, host: GroupHost) {
    this.name = name;
    this.#host = host;
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
   * You need not await the promise; it never rejects. It resolves with `true` once messages of all other processes arrive,
   * too. It resolves with `false` if the websocket is closed. It also resolves with `false` during an outage: then those
   * messages will arrive after the outage.
   *
   * @throws {TypeError} The value is not a member: it lacks `send()` or `closed`.
   */
  add(member: AnyMember): PromiseLike<boolean> {
    if (!isMember(member)) {
      throw argumentError(
        TypeError,
        `add() takes a websocket (req.websocket), or an object with send() and the promise closed; ` +
          `got ${describe(member)}`,
      );
    }
    if (member.isClosed?.() === true) return Promise.resolve(false);
    if (!this.#members.has(member)) {
      this.#members.add(member);
      addMembership(member, this);
      if (this.#members.size === 1) this.#host.filled(this);
    }
    return this.#host.whenSubscribed(this);
  }

  /** Removes a member, and leaves it open. Returns whether it was in the group. */
  delete(member: AnyMember): boolean {
    if (!this.#members.delete(member)) return false;
    removeMembership(member, this);
    if (this.#members.size === 0) this.#host.emptied(this);
    return true;
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
   */
  send(data: Out, options: GroupSendOptions = {}): PromiseLike<Sent> {
    const groupMessage = this.#host.createMessage(data, options.binary);
    return this.#host.sendMessage(this, groupMessage, this.#deliver(groupMessage, options.except));
  }

  /**
   * Closes all members in all processes. They receive all earlier messages first.
   *
   * Resolves when the members in this process have closed and the backplane has accepted or refused the request. You need
   * not await the promise; it never rejects. A member without a `close()` method only leaves the group.
   *
   * @throws {RangeError} The code must not be sent, or the reason is too long.
   */
  close(code = 1000, reason = ''): PromiseLike<Sent> {
    checkClose(code, reason);
    const sent = this.#host.sendClose(this, code, reason, this.#members.size);
    return Promise.all([sent, this.#closeMembers(code, reason)]).then(([result]) => result);
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
    const members = [...this.#members];
    for (const member of members) this.delete(member);
    // `async` turns a throw into a rejection, so that the other members still close.
    return Promise.allSettled(members.map(async (member) => await member.close?.(code, reason)));
  }

  static {
    createGroup = (name, host) => new Group(name, host);
    receive = (group, envelope) => {
      if (envelope.kind === 'message') group.#deliver(new GroupMessage(envelope.bytes, envelope.binary));
      else void group.#closeMembers(envelope.code, envelope.reason);
    };
    nextNumber = (group) => (group.#sent = (group.#sent % 0xffff_ffff) + 1);
    removeMembers = (group) => {
      for (const member of group.#members) group.delete(member);
    };
  }
}

function makeFilter(except: GroupSendOptions['except']): ((member: Member) => boolean) | undefined {
  if (except === undefined) return undefined;
  if (isMember(except)) return (member) => member === except;
  const all = new Set(except);
  return (member) => all.has(member);
}
