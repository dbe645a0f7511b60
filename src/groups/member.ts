import { Websocket } from '../websocket/websocket.js';

/**
 * Describes a member of a group. A `Websocket` is a member, and so is any object of this shape.
 */
export interface Member {
  /**
   * Sends a message. Must not wait for the peer, because a group never waits for its slowest member. If a group with history
   * gets a promise, it waits for the promise before it sends the next kept message.
   *
   * `id` is the id of the message in the history of the group, if any. `latest` is what the message is about, if only the newest
   * message about it matters.
   */
  send(message: string | Buffer, options?: { binary?: boolean; id?: string; latest?: string }): unknown;
  /** Settles when the member has ended. Then it leaves all groups. */
  readonly closed: PromiseLike<unknown>;
  /** Returns whether the member has begun to close. Then a group does not add it. */
  isClosed?(): boolean;
  /** Closes the member. Without this method, it only leaves a group that is closed. */
  close?(code?: number, reason?: string): unknown;
  /** The id of the last message that the peer has had, if it says so. A group with history begins after it. */
  readonly since?: unknown;
  /** Called by a group with history, with the position at which the member begins. */
  begin?(position: string): void;
}

/** Stands for a websocket, whatever its messages are, and for any other member. */
export type AnyMember = Member | Websocket<unknown, unknown>;

/** Represents a group that a member must leave when it closes. */
export interface Membership {
  delete(member: Member): boolean;
}

// The memberships of each member. They share one listener on `closed`. Otherwise a websocket that joins and leaves rooms
// for days would collect listeners.
const memberships = new WeakMap<Member, Set<Membership>>();

export function addMembership(member: Member, membership: Membership): void {
  let all = memberships.get(member);
  if (all === undefined) {
    memberships.set(member, (all = new Set()));
    const leaveAll = (): void => {
      for (const each of memberships.get(member) ?? []) each.delete(member);
    };
    member.closed.then(leaveAll, leaveAll);
  }
  all.add(membership);
}

export function removeMembership(member: Member, membership: Membership): void {
  memberships.get(member)?.delete(membership);
}

export function isMember(value: unknown): value is Member {
  if (value instanceof Websocket) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { send, closed } = value as Partial<Record<keyof Member, unknown>>;
  if (typeof send !== 'function' || typeof closed !== 'object' || closed === null) return false;
  return typeof (closed as { then?: unknown }).then === 'function';
}
