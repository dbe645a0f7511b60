import type { Beat, Count, Update } from './format.js';
import type { GroupPeople } from './group-people.js';

/** Bytes of memory for a person in a record, and for a record, without the key. */
const ENTRY_BYTES = 150;
const RECORD_BYTES = 300;

/** Counts the memory that the messages of other processes take. */
export class Budget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Reserves memory. Returns `false` if too little is left. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#max) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** Another process, as far as its messages tell. */
export class Peer<Group> {
  readonly id: string;
  readonly records = new Map<Group, PeerRecord>();
  /** How many of our ticks have passed since its last message. */
  silence = 0;
  #lastBeat: number | undefined;
  /** The number of the beat that began the current list of all groups, if none is missing since. */
  #listBegan: number | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** Records the number of a beat. */
  track({ number, part, parts }: Beat): 'next' | 'gap' | 'old' {
    const last = this.#lastBeat;
    if (last !== undefined && number <= last) return 'old';
    this.#lastBeat = number;
    const hasGap = number !== (last ?? 0) + 1;
    if (parts > 0 && part === 1) {
      this.#listBegan = number;
      return 'next';
    }
    if (hasGap) this.#listBegan = undefined;
    return hasGap ? 'gap' : 'next';
  }

  /** After the last part of a list of all groups: yields the groups that are not on the list. */
  *findUnlisted({ part, parts, at }: Beat): Iterable<[Group, PeerRecord]> {
    if (parts === 0 || part !== parts || this.#listBegan === undefined) return;
    for (const entry of this.records) {
      const [, record] = entry;
      // A change after `at` is newer than the list.
      if (record.listedAt < this.#listBegan && record.newest <= at) yield entry;
    }
    this.#listBegan = undefined;
  }
}

/** What this process knows about the people of one group in another process. */
export class PeerRecord {
  /** The number of the last beat that listed the group. */
  listedAt = 0;
  /** How often this process has asked since it last knew the newest version. */
  asked = 0;
  readonly #people: GroupPeople;
  readonly #budget: Budget;
  readonly #counts = new Map<string, number>();
  #version = 0;
  #newest = 0;
  #staged: { version: number; parts: number; bytes: number; counts: Count[] } | undefined;

  constructor(people: GroupPeople, budget: Budget) {
    this.#people = people;
    this.#budget = budget;
  }

  static create(people: GroupPeople, budget: Budget): PeerRecord | undefined {
    return budget.take(RECORD_BYTES) ? new PeerRecord(people, budget) : undefined;
  }

  /** The newest version that exists, as far as known. */
  get newest(): number {
    return this.#newest;
  }

  get isCurrent(): boolean {
    return this.#version === this.#newest && this.#version > 0;
  }

  /** Records that this version exists. */
  announce(version: number): void {
    if (version > this.#newest) this.#newest = version;
  }

  /** Applies an update. Returns `false` if a person did not fit into the budget. */
  apply({ base, version, part, isLast, counts }: Update): boolean {
    this.announce(version);
    if (version <= this.#version || (base !== 0 && base !== this.#version)) return true;
    if (part === 0 && isLast) return this.#commit(base, version, counts);
    if (part === 0) {
      this.#unstage();
      this.#staged = { version, parts: 0, bytes: 0, counts: [] };
    }
    const staged = this.#staged;
    if (staged === undefined) return true;
    if (staged.version !== version || staged.parts !== part) {
      this.#unstage();
      return true;
    }
    const bytes = counts.reduce((sum, [key]) => sum + costOf(key), 0);
    if (!this.#budget.take(bytes)) {
      this.#unstage();
      // Otherwise this process would ask for it again and again.
      this.#version = version;
      return false;
    }
    staged.parts++;
    staged.bytes += bytes;
    for (const count of counts) staged.counts.push(count);
    if (!isLast) return true;
    this.#unstage();
    return this.#commit(base, version, staged.counts);
  }

  /** Removes all people. */
  clear(): void {
    this.#unstage();
    for (const [key, websockets] of this.#counts) {
      this.#budget.give(costOf(key));
      this.#people.countRemote(key, -websockets);
    }
    this.#counts.clear();
    this.#budget.give(RECORD_BYTES);
  }

  #commit(base: number, version: number, counts: readonly Count[]): boolean {
    this.#unstage();
    this.#version = version;
    const gone = base === 0 ? new Set(this.#counts.keys()) : undefined;
    let fits = true;
    for (const [key, websockets] of counts) {
      if (websockets > 0) gone?.delete(key);
      if (!this.#set(key, websockets)) fits = false;
    }
    for (const key of gone ?? []) this.#set(key, 0);
    return fits;
  }

  #set(key: string, websockets: number): boolean {
    const before = this.#counts.get(key) ?? 0;
    if (before === websockets) return true;
    if (before === 0 && !this.#budget.take(costOf(key))) return false;
    if (websockets > 0) {
      this.#counts.set(key, websockets);
    } else {
      this.#counts.delete(key);
      this.#budget.give(costOf(key));
    }
    this.#people.countRemote(key, websockets - before);
    return true;
  }

  #unstage(): void {
    if (this.#staged === undefined) return;
    this.#budget.give(this.#staged.bytes);
    this.#staged = undefined;
  }
}

function costOf(key: string): number {
  return ENTRY_BYTES + 2 * key.length;
}
