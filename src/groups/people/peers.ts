import { debug } from '../../shared/notices.js';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import type { Beat, Update } from './format.js';
import { Budget, Peer, PeerRecord } from './peer.js';
import type { SharedGroup } from './shared-group.js';

/** A process is gone when it was silent for this many of our own ticks. So a process that was paused misses nobody. */
const SILENT_TICKS = 4;
/** Milliseconds for which a message on another channel may bring what is lacking. */
const WAIT_TIME = 150;
/** Unanswered questions about a group before this process asks for a list of all groups. */
const MAX_ASKED = 4;
/** Limits the processes of which this one knows people, and the memory for them. */
const MAX_PEERS = 1_024;
const MAX_BYTES = 2 ** 26;

const TOO_MANY = `other processes have more people than this one can keep: ${String(MAX_PEERS)} processes, and ${String(MAX_BYTES)} bytes`;

export interface PeersHost {
  /** Asks a process for everything that it has in a group. */
  readonly ask: (shared: SharedGroup, id: string) => void;
  /** Asks a process for the versions of all its groups. */
  readonly askForAll: (id: string) => void;
  /** Called when there is no room for a process, or for its people in a group. */
  readonly refused: (text: string, group: string | undefined) => void;
}

/** Copies what other processes say about their people, and asks for what is missing. */
export class Peers {
  readonly #host: PeersHost;
  readonly #peers = new Map<string, Peer<SharedGroup>>();
  readonly #budget = new Budget(MAX_BYTES);
  /** Groups of peers of which this process lacks the newest version. */
  readonly #lacking = new Map<PeerRecord, { peer: Peer<SharedGroup>; shared: SharedGroup }>();
  #completing: NodeJS.Timeout | undefined;
  readonly #askedForAll = new Set<string>();

  constructor(host: PeersHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Returns whether this process has the newest version of a group from each other process. */
  hasAll(shared: SharedGroup): boolean {
    for (const { records } of this.#peers.values()) if (records.get(shared)?.isCurrent !== true) return false;
    return true;
  }

  /** Called for each message of another process: it is alive. */
  heard(id: string): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.silence = 0;
  }

  /** Counts the silence of all processes anew, after an outage. */
  resetSilence(): void {
    for (const peer of this.#peers.values()) peer.silence = 0;
  }

  /** Applies an update. Returns `false` if there is no room for it. */
  receiveUpdate(shared: SharedGroup, update: Update): boolean {
    const peer = this.#findOrAdd(update.from);
    const record = peer && this.#findOrAddRecord(peer, shared);
    if (peer === undefined || record === undefined) return false;
    if (!record.apply(update)) this.#host.refused(TOO_MANY, shared.people.name);
    this.#completeSoon(record, peer, shared);
    return true;
  }

  /**
   * Compares the versions that a process has with those known here.
   *
   * @param knowsPeers Whether the processes that were there at the start have answered.
   */
  receiveBeat(beat: Beat, groups: ReadonlyMap<string, SharedGroup>, knowsPeers: boolean): void {
    const isNew = !this.#peers.has(beat.from);
    const peer = this.#findOrAdd(beat.from);
    if (peer === undefined) return;
    const order = peer.track(beat);
    if (order === 'old') return;
    // A process that has just started asks about each of its groups.
    if (order === 'gap' && (!isNew || knowsPeers)) this.#askForAll(peer);
    for (const [hash, version] of beat.versions) {
      const shared = groups.get(hash);
      const record = shared && this.#findOrAddRecord(peer, shared);
      if (shared === undefined || record === undefined) continue;
      record.listedAt = beat.number;
      record.announce(version);
      this.#completeSoon(record, peer, shared);
    }
    for (const [shared, record] of peer.findUnlisted(beat)) this.#forget(peer, shared, record);
  }

  /** Called at each tick of this process. */
  tick(): void {
    this.#askedForAll.clear();
  }

  /** Asks for everything that is lacking. */
  complete(): void {
    clearTimeout(this.#completing);
    this.#completing = undefined;
    for (const [record, { peer, shared }] of this.#lacking) {
      if (record.isCurrent) {
        this.#lacking.delete(record);
        record.asked = 0;
        continue;
      }
      this.#host.ask(shared, peer.id);
      if (++record.asked % MAX_ASKED === 0) this.#askForAll(peer);
    }
  }

  /** Removes a process, and its people. */
  drop(id: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    debug('the process %s is gone, with its people in %d groups', id, peer.records.size);
    for (const [shared, record] of peer.records) this.#forget(peer, shared, record);
    this.#peers.delete(id);
  }

  /** Counts a tick of silence, and removes those that were silent for too long. */
  dropSilent(): void {
    for (const peer of this.#peers.values()) if (++peer.silence >= SILENT_TICKS) this.drop(peer.id);
  }

  /** Called when this process does not share the group any more. */
  forgetGroup(shared: SharedGroup): void {
    for (const peer of this.#peers.values()) {
      const record = peer.records.get(shared);
      if (record !== undefined) this.#forget(peer, shared, record);
    }
  }

  clear(): void {
    clearTimeout(this.#completing);
    this.#completing = undefined;
    this.#peers.clear();
    this.#lacking.clear();
  }

  /** Checks soon: a message on another channel may bring what is lacking. */
  #completeSoon(record: PeerRecord, peer: Peer<SharedGroup>, shared: SharedGroup): void {
    if (record.isCurrent || this.#lacking.has(record)) return;
    this.#lacking.set(record, { peer, shared });
    this.#completing ??= setTimeout(() => this.complete(), WAIT_TIME).unref();
  }

  /** Asks a process for the versions of all its groups, because one of its beats is missing. */
  #askForAll(peer: Peer<SharedGroup>): void {
    if (this.#askedForAll.has(peer.id)) return;
    this.#askedForAll.add(peer.id);
    this.#host.askForAll(peer.id);
  }

  #findOrAdd(id: string): Peer<SharedGroup> | undefined {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) {
      this.#host.refused(TOO_MANY, undefined);
      return undefined;
    }
    const peer = new Peer<SharedGroup>(id);
    this.#peers.set(id, peer);
    return peer;
  }

  #findOrAddRecord(peer: Peer<SharedGroup>, shared: SharedGroup): PeerRecord | undefined {
    let record = peer.records.get(shared);
    if (record !== undefined) return record;
    record = PeerRecord.create(shared.people, this.#budget);
    if (record === undefined) this.#host.refused(TOO_MANY, shared.people.name);
    else peer.records.set(shared, record);
    return record;
  }

  #forget(peer: Peer<SharedGroup>, shared: SharedGroup, record: PeerRecord): void {
    record.clear();
    peer.records.delete(shared);
    this.#lacking.delete(record);
  }
}
