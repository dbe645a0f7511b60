import { Websocket } from '../websocket/websocket.js';

/**
 * What a group knows of its members. A `Websocket` is one; so is anything else of this shape.
 */
export interface Member {
  /** Must not wait for its peer: a group never waits for its slowest member. */
  send(message: string | Buffer, options?: { binary?: boolean }): unknown;
  /** Settles when it has ended; it then leaves all groups. */
  readonly closed: PromiseLike<unknown>;
  /** Whether it has begun to close: then it is not added. */
  isClosed?(): boolean;
  /** Closes it; one that has no `close` just leaves a group that is closed. */
  close?(code?: number, reason?: string): unknown;
}

/** Something a member is in and has to leave when it closes. */
export interface Membership {
  delete(member: Member): boolean;
}

// The memberships of each member. One listener on `closed` for all of them: a websocket that joins and leaves rooms
// for days must not gather listeners.
const memberships = new WeakMap<Member, Set<Membership>>();

export function remember(member: Member, membership: Membership): void {
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

export function forget(member: Member, membership: Membership): void {
  memberships.get(member)?.delete(membership);
}

export function isMember(value: unknown): value is Member {
  if (value instanceof Websocket) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { send, closed } = value as Partial<Record<keyof Member, unknown>>;
  if (typeof send !== 'function' || typeof closed !== 'object' || closed === null) return false;
  return typeof (closed as { then?: unknown }).then === 'function';
}
