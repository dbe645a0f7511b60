import { createHash, randomBytes } from 'node:crypto';
import { debug } from '../../shared/notices.js';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import type { Backplane } from '../backplane.js';
import { Channel, type ChannelHost } from '../channel.js';
import { BackplaneError, reasonOf } from '../errors.js';
import { isPeopleChannel, PEOPLE_CHANNEL } from './channels.js';
import {
  ALL,
  type Beat,
  type GroupVersion,
  type PeopleMessage,
  readPeopleMessage,
  type Update,
  writeAsk,
  writeBeats,
  writeBye,
  writeHello,
  writeUpdate,
} from './format.js';
import type { GroupPeople } from './group-people.js';
import { Budget, Peer, PeerRecord } from './peer.js';

const CHANNEL_OF_GROUP = `${PEOPLE_CHANNEL}:`;

/** Milliseconds from one beat to the next. */
const BEAT = 2_000;
/** A process is gone when it was silent for this many of our own ticks. So a process that was paused misses nobody. */
const SILENT_TICKS = 4;
/** Ticks for which a group stays connected that nobody uses any more: somebody may come back soon. Few, because a stranger may
 * ask an app for the people of many groups. */
const IDLE_TICKS = 5;
/** Milliseconds that other processes have to answer a first question. Later answers count as changes. */
const ANSWER_TIME = 150;
/** Milliseconds until the people of a group count as known, whatever the backplane does. */
const START_TIME = 1_000;
/** Milliseconds for which questions are collected, so that one answer serves them all. */
const COLLECT_TIME = 10;
/** Lists of all groups from one tick to the next that are sent at once. After an outage, all processes ask for one. */
const MAX_LISTS = 3;
/** Unanswered questions about a group before this process asks for a list of all groups. */
const MAX_ASKED = 4;
/** Limits the processes of which this one knows people, and the memory for them. */
const MAX_PEERS = 1_024;
const MAX_BYTES = 2 ** 26;

export interface PeopleNetworkOptions {
  readonly backplane: Backplane;
  readonly isCutOff: () => boolean;
  /** Called when the backplane refuses us, or a message is not ours or too much. */
  readonly refused: (error: BackplaneError) => void;
}

/** A group whose people this process shares with others. */
interface SharedGroup {
  readonly people: GroupPeople;
  readonly hash: string;
  readonly channel: Channel;
  /** The number of this process's last change in the group; 0 if there was none. */
  version: number;
  /** Whether other processes may lack changes of this process. */
  isUnsent: boolean;
  /** Whether other processes were asked since the channel was subscribed. */
  hasAsked: boolean;
  start: NodeJS.Timeout | undefined;
  idleTicks: number;
}

/**
 * Shares the people of groups with other processes, over publish and subscribe alone.
 *
 * Each process owns the list of its own people in each group, and copies the lists of others. It publishes changes at once.
 * Versions show a lost change; then the process asks for the whole list. A beat of each process says that it is alive, and
 * which versions it has, so that no loss stays undetected. See `format.ts` for the messages.
 */
export class PeopleNetwork {
  readonly #options: PeopleNetworkOptions;
  readonly #id = randomBytes(12).toString('base64url');
  readonly #channelHost: ChannelHost;
  readonly #channels = new Map<string, Channel>();
  readonly #groups = new Map<string, SharedGroup>();
  readonly #byHash = new Map<string, SharedGroup>();
  readonly #peers = new Map<string, Peer<SharedGroup>>();
  readonly #budget = new Budget(MAX_BYTES);
  /** The channel of all processes. It exists while there are groups. */
  #beats: Channel | undefined;
  #tick: NodeJS.Timeout | undefined;
  #beatNumber = 0;
  #version = 0;
  readonly #changedSinceBeat = new Set<SharedGroup>();
  /** Whether the next beat lists all groups, and how many have done so since the last tick. */
  #listsAll = false;
  #lists = 0;
  /** Whether other processes were greeted since the channel was subscribed, and whether their answers have come. */
  #hasGreeted = false;
  #knowsPeers = false;
  #greeting: NodeJS.Timeout | undefined;
  /** Whether the backplane returns our own messages, and whether it has done so since the last tick. */
  #hearsItself = false;
  #heardItself = false;
  /** Groups for which others have asked. */
  readonly #toAnswer = new Set<SharedGroup>();
  #answering: NodeJS.Timeout | undefined;
  #owesBeat = false;
  /** Groups of peers of which this process lacks the newest version. */
  readonly #lacking = new Map<PeerRecord, { peer: Peer<SharedGroup>; shared: SharedGroup }>();
  #completing: NodeJS.Timeout | undefined;
  readonly #askedForAll = new Set<string>();
  #isClosed = false;

  constructor(options: PeopleNetworkOptions) {
    this.#options = options;
    this.#channelHost = {
      backplane: options.backplane,
      subscribed: (channel) => this.#subscribed(channel),
      failed: (channel, error) => this.#failed(channel, error),
      ended: (channel) => this.#channels.delete(channel.name),
    };
  }

  /** Takes part in a group, until nobody has used it for a while. */
  use(people: GroupPeople): void {
    if (this.#isClosed) return;
    const known = this.#groups.get(people.name);
    if (known !== undefined) {
      known.idleTicks = 0;
      return;
    }
    this.#startBeats();
    const shared: SharedGroup = {
      people,
      hash: createHash('sha256').update(people.name).digest('base64url').slice(0, 16),
      channel: this.#openChannel(CHANNEL_OF_GROUP + people.name),
      version: 0,
      isUnsent: false,
      hasAsked: false,
      start: undefined,
      idleTicks: 0,
    };
    this.#groups.set(people.name, shared);
    this.#byHash.set(shared.hash, shared);
    if (this.#options.isCutOff()) people.setReady();
    else shared.start = setTimeout(() => this.#setReady(shared), START_TIME).unref();
    shared.channel.setWanted(true);
  }

  /** Publishes the changes in this process. */
  publishChanges(people: GroupPeople): void {
    const shared = this.#groups.get(people.name);
    if (shared === undefined) return;
    const base = shared.version;
    const changes = people.takeChanges();
    if (changes.length === 0) return;
    shared.version = ++this.#version;
    this.#changedSinceBeat.add(shared);
    if (shared.isUnsent || this.#options.isCutOff()) {
      shared.isUnsent = true;
      return;
    }
    for (const message of writeUpdate(this.#id, base, shared.version, changes)) this.#send(shared, message);
  }

  cutOff(): void {
    this.#knowsPeers = false;
    // Everything known stays until the others can be heard again.
    for (const shared of this.#groups.values()) this.#setReady(shared);
  }

  back(): void {
    for (const peer of this.#peers.values()) peer.silence = 0;
    this.#beats?.retryNow();
    for (const shared of this.#groups.values()) {
      shared.channel.retryNow();
      if (shared.isUnsent) this.#sendAll(shared);
    }
    this.#beat(true);
    this.#greet(true);
  }

  /** Handles bytes of the backplane. Must not throw. */
  receive(channel: string, data: Buffer): void {
    const shared = this.#groupOf(channel);
    if (shared === undefined && channel !== this.#beats?.name) return;
    const message = readPeopleMessage(data);
    if (typeof message === 'string') {
      this.#refuse('STRANGER', `ignored a message about people: ${message}`, shared?.people.name);
    } else if (message.from === this.#id) {
      if (shared === undefined) this.#hearsItself = this.#heardItself = true;
    } else {
      const peer = this.#peers.get(message.from);
      if (peer !== undefined) peer.silence = 0;
      if (shared !== undefined) this.#receiveInGroup(shared, message);
      else this.#receiveOfAll(message);
    }
  }

  /** Handles a loss that the backplane reports. Returns whether the channel is one of ours. */
  missed(channel: string): boolean {
    const shared = this.#groupOf(channel);
    if (shared !== undefined) this.#askAll(shared);
    else if (channel === this.#beats?.name) this.#greet(true);
    return isPeopleChannel(channel);
  }

  /** Handles messages of this process that the backplane could not send. Returns whether the channel is one of ours. */
  dropped(channel: string): boolean {
    const shared = this.#groupOf(channel);
    if (shared !== undefined) shared.isUnsent = true;
    return isPeopleChannel(channel);
  }

  /** Says goodbye. Forgets everybody without an event: people of other processes are still there. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#beats !== undefined && !this.#options.isCutOff())
      void this.#publish(PEOPLE_CHANNEL, writeBye(this.#id));
    this.#isClosed = true;
    for (const shared of this.#groups.values()) {
      this.#leaveGroup(shared);
      shared.people.reset();
    }
  }

  // Own presence

  #startBeats(): void {
    if (this.#beats !== undefined) return;
    this.#beats = this.#openChannel(PEOPLE_CHANNEL);
    this.#beats.setWanted(true);
    this.#scheduleTick();
  }

  /** Returns the channel of an earlier use if it is not unsubscribed yet: a backplane gets one call at a time. */
  #openChannel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = new Channel(name, this.#channelHost)));
    return channel;
  }

  #stopBeats(): void {
    this.#beats?.setWanted(false);
    this.#beats = undefined;
    this.#hasGreeted = this.#knowsPeers = this.#hearsItself = false;
    for (const timer of [this.#tick, this.#greeting, this.#answering, this.#completing]) clearTimeout(timer);
    this.#tick = this.#greeting = this.#answering = this.#completing = undefined;
    this.#peers.clear();
    this.#toAnswer.clear();
    this.#lacking.clear();
  }

  #scheduleTick(): void {
    this.#tick = setTimeout(() => {
      this.#scheduleTick();
      this.#onTick();
    }, BEAT).unref();
  }

  #onTick(): void {
    this.#askedForAll.clear();
    this.#lists = 0;
    this.#leaveIdleGroups();
    if (this.#beats === undefined || this.#options.isCutOff()) return;
    // If even our own beat has not come back, the network is silent, and not the others.
    if (this.#beats.isSubscribed && (!this.#hearsItself || this.#heardItself)) this.#dropSilentPeers();
    this.#heardItself = false;
    if (!this.#hasGreeted) this.#greet(false);
    for (const shared of this.#groups.values()) {
      if (shared.isUnsent) this.#sendAll(shared);
      if (!shared.hasAsked) this.#askAll(shared);
    }
    this.#complete();
    this.#beat(this.#listsAll);
  }

  #leaveIdleGroups(): void {
    for (const shared of this.#groups.values()) {
      const { people } = shared;
      if (people.hasMembers || people.hasListeners) shared.idleTicks = 0;
      else if (++shared.idleTicks > IDLE_TICKS) this.#leaveGroup(shared);
    }
  }

  #leaveGroup(shared: SharedGroup): void {
    clearTimeout(shared.start);
    shared.people.setUnready();
    for (const peer of this.#peers.values()) {
      const record = peer.records.get(shared);
      if (record !== undefined) this.#forget(peer, shared, record);
    }
    this.#groups.delete(shared.people.name);
    this.#byHash.delete(shared.hash);
    this.#changedSinceBeat.delete(shared);
    this.#toAnswer.delete(shared);
    shared.channel.setWanted(false);
    if (this.#groups.size === 0) this.#stopBeats();
  }

  /** Publishes that this process is alive, and the versions of the groups that have changed, or of all with people. */
  #beat(listsAll: boolean): void {
    this.#owesBeat = false;
    if (this.#beats === undefined) return;
    const versions: GroupVersion[] = [];
    for (const { people, hash, version } of listsAll ? this.#groups.values() : this.#changedSinceBeat)
      if (!listsAll || people.hasMembers) versions.push([hash, version]);
    if (listsAll) {
      this.#listsAll = false;
      this.#lists++;
    }
    this.#changedSinceBeat.clear();
    const messages = writeBeats(this.#id, this.#beatNumber + 1, this.#version, versions, listsAll);
    this.#beatNumber += messages.length;
    // A lost beat leaves a gap in the numbers.
    for (const message of messages) void this.#publish(PEOPLE_CHANNEL, message);
  }

  #send(shared: SharedGroup, message: Buffer): void {
    void this.#publish(shared.channel.name, message).then((sent) => {
      if (!sent) shared.isUnsent = true;
    });
  }

  /** Publishes everything that this process has in the group. */
  #sendAll(shared: SharedGroup): void {
    if (shared.people.takeChanges().length > 0) {
      shared.version = ++this.#version;
      this.#changedSinceBeat.add(shared);
    }
    shared.isUnsent = false;
    if (shared.version === 0) return;
    const counts = shared.people.listLocal();
    for (const message of writeUpdate(this.#id, 0, shared.version, counts)) this.#send(shared, message);
  }

  /** Resolves with whether the backplane has accepted the message. Never rejects. */
  async #publish(channel: string, message: Buffer): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      await this.#options.backplane.publish(channel, message);
      return true;
    } catch (error) {
      debug('a message about people was not sent: %o', error);
      return false;
    }
  }

  // Questions

  #subscribed(channel: Channel): void {
    const shared = this.#groupOf(channel.name);
    if (shared !== undefined) {
      shared.hasAsked = false;
      this.#askAll(shared);
    } else {
      this.#greet(false);
    }
  }

  #askAll(shared: SharedGroup): void {
    if (!shared.channel.isSubscribed || this.#options.isCutOff()) return;
    shared.hasAsked = true;
    void this.#publish(shared.channel.name, writeAsk(this.#id, ALL)).then((sent) => {
      shared.hasAsked = sent;
      if (shared.people.isReady || !this.#groups.has(shared.people.name)) return;
      clearTimeout(shared.start);
      if (!sent || (this.#knowsPeers && this.#peers.size === 0)) this.#setReady(shared);
      else shared.start = setTimeout(() => this.#setReady(shared), ANSWER_TIME).unref();
    });
  }

  #setReady(shared: SharedGroup): void {
    clearTimeout(shared.start);
    shared.start = undefined;
    shared.people.setReady();
  }

  /** Says to all processes that this one listens. They answer with beats. */
  #greet(wantsAll: boolean): void {
    if (this.#beats?.isSubscribed !== true || this.#options.isCutOff()) return;
    this.#hasGreeted = true;
    void this.#publish(PEOPLE_CHANNEL, writeHello(this.#id, ALL, wantsAll)).then((sent) => {
      this.#hasGreeted = sent;
      if (!sent || this.#beats === undefined) return;
      clearTimeout(this.#greeting);
      this.#greeting = setTimeout(() => (this.#knowsPeers = !this.#options.isCutOff()), ANSWER_TIME).unref();
    });
  }

  /** Asks a process for the versions of all its groups, because one of its beats is missing. */
  #askForAll(peer: Peer<SharedGroup>): void {
    if (this.#askedForAll.has(peer.id)) return;
    this.#askedForAll.add(peer.id);
    void this.#publish(PEOPLE_CHANNEL, writeHello(this.#id, peer.id, true));
  }

  /** Asks for everything that is lacking. */
  #complete(): void {
    clearTimeout(this.#completing);
    this.#completing = undefined;
    for (const [record, { peer, shared }] of this.#lacking) {
      if (record.isCurrent) {
        this.#lacking.delete(record);
        record.asked = 0;
        continue;
      }
      void this.#publish(shared.channel.name, writeAsk(this.#id, peer.id));
      if (++record.asked % MAX_ASKED === 0) this.#askForAll(peer);
    }
  }

  /** Checks soon: a message on another channel may bring what is lacking. */
  #completeSoon(record: PeerRecord, peer: Peer<SharedGroup>, shared: SharedGroup): void {
    if (record.isCurrent || this.#lacking.has(record)) return;
    this.#lacking.set(record, { peer, shared });
    this.#completing ??= setTimeout(() => this.#complete(), ANSWER_TIME).unref();
  }

  #answerSoon(): void {
    this.#answering ??= setTimeout(() => {
      this.#answering = undefined;
      for (const shared of this.#toAnswer) {
        this.publishChanges(shared.people);
        this.#sendAll(shared);
      }
      this.#toAnswer.clear();
      if (this.#owesBeat) this.#beat(this.#listsAll && this.#lists < MAX_LISTS);
    }, COLLECT_TIME).unref();
  }

  // Other processes

  #receiveInGroup(shared: SharedGroup, message: PeopleMessage): void {
    if (message.kind === 'update') {
      this.#receiveUpdate(shared, message);
    } else if (message.kind === 'ask' && (message.to === ALL || message.to === this.#id)) {
      this.#toAnswer.add(shared);
      this.#answerSoon();
    }
  }

  #receiveUpdate(shared: SharedGroup, message: Update): void {
    const peer = this.#findOrAddPeer(message.from);
    const record = peer && this.#findOrAddRecord(peer, shared);
    if (peer === undefined || record === undefined) return;
    if (!record.apply(message)) this.#refuseTooMany(shared.people.name);
    this.#completeSoon(record, peer, shared);
    if (shared.people.isReady || !shared.hasAsked || !this.#knowsPeers) return;
    for (const { records } of this.#peers.values()) if (records.get(shared)?.isCurrent !== true) return;
    this.#setReady(shared);
  }

  #receiveOfAll(message: PeopleMessage): void {
    switch (message.kind) {
      case 'beat':
        this.#receiveBeat(message);
        break;
      case 'hello':
        if (message.to !== ALL && message.to !== this.#id) break;
        if (message.wantsAll) this.#listsAll = true;
        this.#owesBeat ||= !message.wantsAll || this.#lists < MAX_LISTS;
        if (this.#owesBeat) this.#answerSoon();
        break;
      case 'bye': {
        const peer = this.#peers.get(message.from);
        if (peer !== undefined) this.#drop(peer);
      }
    }
  }

  #receiveBeat(beat: Beat): void {
    const isNew = !this.#peers.has(beat.from);
    const peer = this.#findOrAddPeer(beat.from);
    if (peer === undefined) return;
    const order = peer.track(beat);
    if (order === 'old') return;
    // A process that has just started asks about each of its groups.
    if (order === 'gap' && (!isNew || this.#knowsPeers)) this.#askForAll(peer);
    for (const [hash, version] of beat.versions) {
      const shared = this.#byHash.get(hash);
      const record = shared && this.#findOrAddRecord(peer, shared);
      if (shared === undefined || record === undefined) continue;
      record.listedAt = beat.number;
      record.announce(version);
      this.#completeSoon(record, peer, shared);
    }
    for (const [shared, record] of peer.findUnlisted(beat)) this.#forget(peer, shared, record);
  }

  #findOrAddPeer(id: string): Peer<SharedGroup> | undefined {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    if (this.#peers.size >= MAX_PEERS) {
      this.#refuseTooMany(undefined);
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
    if (record === undefined) this.#refuseTooMany(shared.people.name);
    else peer.records.set(shared, record);
    return record;
  }

  #dropSilentPeers(): void {
    for (const peer of this.#peers.values()) if (++peer.silence >= SILENT_TICKS) this.#drop(peer);
  }

  #drop(peer: Peer<SharedGroup>): void {
    debug('the process %s is gone, with its people in %d groups', peer.id, peer.records.size);
    for (const [shared, record] of peer.records) this.#forget(peer, shared, record);
    this.#peers.delete(peer.id);
  }

  #forget(peer: Peer<SharedGroup>, shared: SharedGroup, record: PeerRecord): void {
    record.clear();
    peer.records.delete(shared);
    this.#lacking.delete(record);
  }

  // Faults

  #failed(channel: Channel, cause: unknown): void {
    const shared = this.#groupOf(channel.name);
    if (shared !== undefined) this.#setReady(shared);
    // During an outage, 'cutOff' has reported this.
    if (this.#options.isCutOff() || this.#isClosed) return;
    const name = shared?.people.name;
    const whose = name === undefined ? 'people' : `people of group ${JSON.stringify(name)}`;
    const text = `the ${whose} in other processes are not known: ${reasonOf(cause)}; the subscription will be retried`;
    this.#refuse('REFUSED', text, name, cause);
  }

  #refuseTooMany(group: string | undefined): void {
    const text = `other processes have more people than this one can keep: ${String(MAX_PEERS)} processes, and ${String(MAX_BYTES)} bytes`;
    this.#refuse('FULL', text, group);
  }

  #refuse(code: 'STRANGER' | 'REFUSED' | 'FULL', text: string, group?: string, cause?: unknown): void {
    const facts = { ...(group === undefined ? {} : { group }), ...(cause === undefined ? {} : { cause }) };
    this.#options.refused(new BackplaneError(`ERR_WEBSOCKET_BACKPLANE_${code}`, text, facts));
  }

  #groupOf(channel: string): SharedGroup | undefined {
    if (!channel.startsWith(CHANNEL_OF_GROUP)) return undefined;
    return this.#groups.get(channel.slice(CHANNEL_OF_GROUP.length));
  }
}
