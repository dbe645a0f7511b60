import { EventEmitter } from 'node:events';
import type { Member } from '../member.js';
import type { Count } from './format.js';
import { identityOf } from './identity.js';

/** Describes somebody who is in a group. */
export interface Person {
  /** The value of the option `as` of {@link Group.add}. It is frozen. */
  readonly as: unknown;
  /** The number of their websockets in the group, in all processes. */
  readonly websockets: number;
}

/** Maps each event of a group to its arguments. */
export interface GroupEvents {
  /** Somebody is in the group who was not there before. */
  join: [person: Person];
  /** The last websocket of somebody has left the group. `websockets` is 0. */
  leave: [person: Person];
}

/** Owns the people of groups, and connects them with other processes. */
export interface GroupPeopleHost {
  /** Called when somebody joins, listens or reads. Begins to learn the people of other processes. */
  used(people: GroupPeople): void;
  /** Called when a listener was removed. */
  released(people: GroupPeople): void;
  /** Called when websockets have joined or left. Calls `emitEvents` on a later turn. */
  changed(people: GroupPeople): void;
}

interface Entry {
  readonly key: string;
  readonly as: unknown;
  /** The number of websockets in this process. */
  local: number;
  /** The value of `local` that other processes know. */
  published: number;
  /** The number of websockets in all processes. */
  total: number;
  /** Whether the events say that this person is there. */
  wasThere: boolean;
}

/**
 * Counts the websockets of each person in one group.
 *
 * The list changes at once. Events follow on a later turn, and only for a person who came or left between two turns.
 */
export class GroupPeople {
  readonly name: string;
  /** The group. A listener that is registered at a group must keep it alive. */
  readonly owner: object;
  readonly #host: GroupPeopleHost;
  readonly #members = new Map<Member, Entry>();
  readonly #entries = new Map<string, Entry>();
  readonly #touched = new Set<Entry>();
  readonly #unpublished = new Set<Entry>();
  readonly #pending: [keyof GroupEvents, Person][] = [];
  #list: readonly Person[] | undefined;
  #events: EventEmitter<GroupEvents> | undefined;
  #isReady: boolean;
  #whenSettled: Promise<void> | undefined;
  #resolveSettled: (() => void) | undefined;

  constructor(name: string, owner: object, host: GroupPeopleHost, isReady: boolean) {
    this.name = name;
    this.owner = owner;
    this.#host = host;
    this.#isReady = isReady;
  }

  /** Returns everybody who is known to be there. */
  read(): readonly Person[] {
    this.#host.used(this);
    if (this.#list !== undefined) return this.#list;
    const list: Person[] = [];
    for (const entry of this.#entries.values()) if (entry.total > 0) list.push(describePerson(entry));
    return (this.#list = Object.freeze(list));
  }

  /** Resolves with everybody who is there, as soon as other processes have answered. */
  async fetch(): Promise<readonly Person[]> {
    this.#host.used(this);
    await this.whenSettled();
    return this.read();
  }

  on(event: keyof GroupEvents, listener: (person: Person) => void): void {
    // Often each websocket has a listener.
    this.#events ??= new EventEmitter<GroupEvents>().setMaxListeners(0);
    this.#events.on(event, listener);
    this.#host.used(this);
  }

  once(event: keyof GroupEvents, listener: (person: Person) => void): void {
    this.#events ??= new EventEmitter<GroupEvents>().setMaxListeners(0);
    this.#events.once(event, listener);
    this.#host.used(this);
  }

  off(event: keyof GroupEvents, listener: (person: Person) => void): void {
    this.#events?.off(event, listener);
    this.#host.released(this);
  }

  get hasListeners(): boolean {
    return this.#events !== undefined && this.#events.eventNames().length > 0;
  }

  /** Whether somebody is there in this process. */
  get hasMembers(): boolean {
    return this.#members.size > 0;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Adds a member, or changes who it is. */
  join(member: Member, key: string): void {
    const before = this.#members.get(member);
    if (before?.key === key) return;
    if (before !== undefined) this.#countLocal(before, -1);
    const entry = this.#entryOf(key);
    this.#members.set(member, entry);
    this.#countLocal(entry, 1);
    this.#host.used(this);
  }

  leave(member: Member): void {
    const entry = this.#members.get(member);
    if (entry === undefined) return;
    this.#members.delete(member);
    this.#countLocal(entry, -1);
  }

  /** Adds websockets in another process, or removes them (`change` < 0). */
  countRemote(key: string, change: number): void {
    const entry = this.#entryOf(key);
    this.#count(entry, change);
    // What was there before this process took part is no event.
    if (!this.#isReady) entry.wasThere = entry.total > entry.local;
  }

  /** Returns the changes in this process that other processes do not know. They count as published. */
  takeChanges(): Count[] {
    const changes: Count[] = [];
    for (const entry of this.#unpublished) {
      if (entry.published !== entry.local) changes.push([entry.key, entry.local]);
      entry.published = entry.local;
      this.#touched.add(entry);
    }
    this.#unpublished.clear();
    return changes;
  }

  /** Returns everybody who is there in this process. */
  listLocal(): Count[] {
    const counts: Count[] = [];
    for (const { key, local } of this.#entries.values()) if (local > 0) counts.push([key, local]);
    return counts;
  }

  /** Emits the events of all changes. A listener that throws stops it; call it again then. */
  emitEvents(): void {
    if (!this.#isReady) return;
    for (const entry of this.#touched) {
      const isThere = entry.total > 0;
      if (isThere !== entry.wasThere && this.#events !== undefined)
        this.#pending.push([isThere ? 'join' : 'leave', describePerson(entry)]);
      entry.wasThere = isThere;
      if (!isThere && !this.#unpublished.has(entry)) this.#entries.delete(entry.key);
    }
    this.#touched.clear();
    for (let event = this.#pending.shift(); event !== undefined; event = this.#pending.shift())
      this.#events?.emit(...event);
    this.#resolveSettled?.();
    this.#resolveSettled = this.#whenSettled = undefined;
  }

  /** Resolves when the people of other processes are known, and the events of all changes until now are emitted. */
  whenSettled(): Promise<void> {
    if (this.#isReady && this.#touched.size === 0) return SETTLED;
    return (this.#whenSettled ??= new Promise((resolve) => (this.#resolveSettled = resolve)));
  }

  setReady(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#host.changed(this);
  }

  /** From now on, the people of other processes are not known. */
  setUnready(): void {
    this.#isReady = false;
  }

  /** Forgets everybody without an event. Afterwards it counts in this process only. */
  reset(): void {
    this.#members.clear();
    this.#entries.clear();
    this.#touched.clear();
    this.#unpublished.clear();
    this.#pending.length = 0;
    this.#list = undefined;
    this.setReady();
  }

  #entryOf(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, as: identityOf(key), local: 0, published: 0, total: 0, wasThere: false };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #countLocal(entry: Entry, change: number): void {
    entry.local += change;
    this.#unpublished.add(entry);
    this.#count(entry, change);
  }

  #count(entry: Entry, change: number): void {
    entry.total += change;
    this.#touched.add(entry);
    this.#list = undefined;
    this.#host.changed(this);
  }
}

const SETTLED = Promise.resolve();

function describePerson({ as, total }: Entry): Person {
  return Object.freeze({ as, websockets: total });
}
