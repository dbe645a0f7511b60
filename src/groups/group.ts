import { argumentError, describe, type WebsocketError } from '../shared/errors.js';
import { checkClose } from '../websocket/arguments.js';
import type { Data } from '../websocket/frame.js';
import type { Envelope } from './envelope.js';
import { forget, isMember, remember, type Member } from './member.js';
import { deliver, Parcel } from './parcel.js';

/** What became of something that was sent to a group. */
export interface Sent {
  /** How many members in this process it was handed to. */
  readonly local: number;
  /**
   * Whether it left this process: `true` when the backplane has taken it, `false` when it has not (see `error`),
   * `'later'` when it is kept and goes out after the outage, `null` where there is no backplane.
   */
  readonly backplane: boolean | 'later' | null;
  /** Why `backplane` is `false`; a {@link BackplaneError} unless the backplane is not of this package. */
  readonly error: WebsocketError | Error | null;
}

/** Settings of {@link Group.send}. */
export interface GroupSendOptions {
  /** Who does not get it: mostly the sender. */
  except?: Member | Iterable<Member> | undefined;
  /**
   * Whether the message is a binary one.
   *
   * @default false for a string, true for bytes
   */
  binary?: boolean | undefined;
}

/** What a group needs of those who made it. */
export interface GroupHost {
  /** The group has its first member. */
  filled(group: Group): void;
  /** The last member has left. */
  emptied(group: Group): void;
  /** Resolves when messages of other processes arrive. */
  whenSubscribed(group: Group): PromiseLike<boolean>;
  /** Sends to the other processes, and tells what became of it; `local`: what became of it here. */
  sendMessage(group: Group, parcel: Parcel, local: number): PromiseLike<Sent>;
  sendClose(group: Group, code: number, reason: string, local: number): PromiseLike<Sent>;
}

/** @internal Makes the group of a name. */
export let createGroup: (name: string, host: GroupHost) => Group;

/** @internal Does to the members in this process what another process has asked for. */
export let receive: (group: Group, envelope: Envelope) => void;

/** @internal The number of the next message that goes to other processes. */
export let nextNumber: (group: Group) => number;

/** @internal Lets all members in this process go, and leaves them open. */
export let dismiss: (group: Group) => void;

/**
 * Everybody who gets the same messages: a room, a page, a user's devices.
 *
 * Members are those in this process; messages reach the members in all processes. A member leaves by itself when it
 * closes. The same name gives the same group.
 */
export class Group {
  readonly name: string;
  readonly #host: GroupHost;
  readonly #members = new Set<Member>();
  // Messages that were given to the backplane.
  #sent = 0;

  private constructor(name: string, host: GroupHost) {
    this.name = name;
    this.#host = host;
  }

  /** How many members there are in this process. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether this member of this process is in the group. */
  has(member: Member): boolean {
    return this.#members.has(member);
  }

  /** The members in this process. */
  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values();
  }

  /**
   * Adds a websocket. It gets what is sent in this process from now on, and leaves by itself when it closes; one that is
   * closed is not added.
   *
   * The promise need not be awaited and never rejects: it gives `true` once messages of all other processes arrive,
   * too, and `false` when that cannot be had now (closed; cut off: then they will when the network is back).
   *
   * @throws {TypeError} It is no member: nothing with `send()` and `closed`.
   */
  add(member: Member): PromiseLike<boolean> {
    if (!isMember(member)) {
      throw argumentError(
        TypeError,
        `add() takes a websocket (req.websocket), or something with send() and the promise closed; ` +
          `got ${describe(member)}`,
      );
    }
    if (member.isClosed?.() === true) return Promise.resolve(false);
    if (!this.#members.has(member)) {
      this.#members.add(member);
      remember(member, this);
      if (this.#members.size === 1) this.#host.filled(this);
    }
    return this.#host.whenSubscribed(this);
  }

  /** Takes a member out, and leaves it open; whether it was in. */
  delete(member: Member): boolean {
    if (!this.#members.delete(member)) return false;
    forget(member, this);
    if (this.#members.size === 0) this.#host.emptied(this);
    return true;
  }

  /**
   * Sends a message to all members in all processes, but for those in `except`.
   *
   * Members in this process have it when the call returns: nobody waits for the network, or for a slow member (each
   * falls under its own `maxBuffered`). What one process sends to one group arrives everywhere in that order. The
   * promise need not be awaited and never rejects: it tells what is known, see {@link Sent}. A buffer may be refilled
   * after the call.
   *
   * @throws {TypeError} `data` is no message. To send a value, encode it: `send(JSON.stringify(value))`.
   */
  send(data: Data, options: GroupSendOptions = {}): PromiseLike<Sent> {
    const parcel = new Parcel(data, options.binary);
    return this.#host.sendMessage(this, parcel, this.#deliver(parcel, options.except));
  }

  /**
   * Closes all members in all processes, after what was sent to them before.
   *
   * Resolves when those in this process have ended and the backplane has been told; never rejects, need not be awaited.
   * A member of another make that has no `close()` just leaves.
   *
   * @throws {RangeError} A code that may not be sent, or a reason that is too long.
   */
  close(code = 1000, reason = ''): PromiseLike<Sent> {
    checkClose(code, reason);
    const sent = this.#host.sendClose(this, code, reason, this.#members.size);
    return Promise.all([sent, this.#closeMembers(code, reason)]).then(([result]) => result);
  }

  #deliver(parcel: Parcel, except?: GroupSendOptions['except']): number {
    const isExcepted = makeFilter(except);
    let count = 0;
    for (const member of this.#members) {
      if (isExcepted !== undefined && isExcepted(member)) continue;
      if (deliver(member, parcel)) count++;
    }
    return count;
  }

  #closeMembers(code: number, reason: string): Promise<unknown> {
    const members = [...this.#members];
    for (const member of members) this.delete(member);
    // `async`: one that throws must not keep the others open.
    return Promise.allSettled(members.map(async (member) => await member.close?.(code, reason)));
  }

  static {
    createGroup = (name, host) => new Group(name, host);
    receive = (group, envelope) => {
      if (envelope.kind === 'message') group.#deliver(new Parcel(envelope.bytes, envelope.binary));
      else void group.#closeMembers(envelope.code, envelope.reason);
    };
    nextNumber = (group) => (group.#sent = (group.#sent % 0xffff_ffff) + 1);
    dismiss = (group) => {
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
