import { randomBytes } from 'node:crypto';
import { debug } from '../../shared/notices.js';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import type { Backplane } from '../backplane.js';
import { Channel, type ChannelHost } from '../channel.js';
import { BackplaneError, reasonOf } from '../errors.js';
import { Announcer } from './announcer.js';
import { isPeopleChannel, PEOPLE_CHANNEL } from './channels.js';
import { ALL, type PeopleMessage, readPeopleMessage, writeAsk, writeBye, writeHello } from './format.js';
import type { GroupPeople } from './group-people.js';
import { Peers } from './peers.js';
import { SharedGroup } from './shared-group.js';

const CHANNEL_OF_GROUP = `${PEOPLE_CHANNEL}:`;

/** Milliseconds from one beat to the next. */
const BEAT = 2_000;
/** Ticks for which a group stays connected that nobody uses any more: somebody may come back soon. Few, because a stranger may
 * ask an app for the people of many groups. */
const IDLE_TICKS = 5;
/** Milliseconds that other processes have to answer a first question. Later answers count as changes. */
const ANSWER_TIME = 150;
/** Milliseconds until the people of a group count as known, whatever the backplane does. */
const START_TIME = 1_000;

export interface PeopleNetworkOptions {
  readonly backplane: Backplane;
  readonly isCutOff: () => boolean;
  /** Called when the backplane refuses us, or a message is not ours or too much. */
  readonly refused: (error: BackplaneError) => void;
}

/**
 * Shares the people of groups with other processes, over publish and subscribe alone.
 *
 * Each process owns the list of its own people in each group, and copies the lists of others. It publishes changes at once.
 * Versions show a lost change; then the process asks for the whole list. A beat of each process says that it is alive, and
 * which versions it has, so that no loss stays undetected. See `format.ts` for the messages.
 *
 * `announcer` publishes what this process has, and `peers` copies what others have. This class subscribes, asks and beats.
 */
export class PeopleNetwork {
  readonly #options: PeopleNetworkOptions;
  readonly #id = randomBytes(12).toString('base64url');
  readonly #channelHost: ChannelHost;
  readonly #channels = new Map<string, Channel>();
  readonly #groups = new Map<string, SharedGroup>();
  readonly #byHash = new Map<string, SharedGroup>();
  readonly #announcer: Announcer;
  readonly #peers: Peers;
  /** The channel of all processes. It exists while there are groups. */
  #beats: Channel | undefined;
  #tick: NodeJS.Timeout | undefined;
  /** Whether other processes were greeted since the channel was subscribed, and whether their answers have come. */
  #hasGreeted = false;
  #knowsPeers = false;
  #greeting: NodeJS.Timeout | undefined;
  /** Whether the backplane returns our own messages, and whether it has done so since the last tick. */
  #hearsItself = false;
  #heardItself = false;
  #isClosed = false;

  constructor(options: PeopleNetworkOptions) {
    this.#options = options;
    this.#channelHost = {
      backplane: options.backplane,
      subscribed: (channel) => this.#subscribed(channel),
      failed: (channel, error) => this.#failed(channel, error),
      ended: (channel) => this.#channels.delete(channel.name),
    };
    this.#announcer = new Announcer({
      id: this.#id,
      isCutOff: options.isCutOff,
      groups: () => this.#groups.values(),
      publish: (channel, message) => this.#publish(channel, message),
    });
    this.#peers = new Peers({
      ask: (shared, id) => void this.#publish(shared.channel.name, writeAsk(this.#id, id)),
      askForAll: (id) => void this.#publish(PEOPLE_CHANNEL, writeHello(this.#id, id, true)),
      refused: (text, group) => this.#refuse('FULL', text, group),
    });
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
    const shared = new SharedGroup(people, this.#openChannel(CHANNEL_OF_GROUP + people.name));
    this.#groups.set(people.name, shared);
    this.#byHash.set(shared.hash, shared);
    if (this.#options.isCutOff()) shared.setReady();
    else shared.setReadyIn(START_TIME);
    shared.channel.setWanted(true);
  }

  /** Publishes the changes in this process. */
  publishChanges(people: GroupPeople): void {
    const shared = this.#groups.get(people.name);
    if (shared !== undefined) this.#announcer.publishChanges(shared);
  }

  cutOff(): void {
    this.#knowsPeers = false;
    // Everything known stays until the others can be heard again.
    for (const shared of this.#groups.values()) shared.setReady();
  }

  back(): void {
    this.#peers.resetSilence();
    this.#beats?.retryNow();
    for (const shared of this.#groups.values()) {
      shared.channel.retryNow();
      if (shared.isUnsent) this.#announcer.sendAll(shared);
    }
    if (this.#beats !== undefined) this.#announcer.beat(true);
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
      this.#peers.heard(message.from);
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

  // Channels

  #startBeats(): void {
    if (this.#beats !== undefined) return;
    this.#beats = this.#openChannel(PEOPLE_CHANNEL);
    this.#beats.setWanted(true);
    this.#scheduleTick();
  }

  #stopBeats(): void {
    this.#beats?.setWanted(false);
    this.#beats = undefined;
    this.#hasGreeted = this.#knowsPeers = this.#hearsItself = false;
    clearTimeout(this.#tick);
    clearTimeout(this.#greeting);
    this.#tick = this.#greeting = undefined;
    this.#announcer.stop();
    this.#peers.clear();
  }

  /** Returns the channel of an earlier use if it is not unsubscribed yet: a backplane gets one call at a time. */
  #openChannel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = new Channel(name, this.#channelHost)));
    return channel;
  }

  #leaveGroup(shared: SharedGroup): void {
    shared.setUnready();
    this.#peers.forgetGroup(shared);
    this.#announcer.forget(shared);
    this.#groups.delete(shared.people.name);
    this.#byHash.delete(shared.hash);
    shared.channel.setWanted(false);
    if (this.#groups.size === 0) this.#stopBeats();
  }

  #leaveIdleGroups(): void {
    for (const shared of this.#groups.values()) {
      const { people } = shared;
      if (people.hasMembers || people.hasListeners) shared.idleTicks = 0;
      else if (++shared.idleTicks > IDLE_TICKS) this.#leaveGroup(shared);
    }
  }

  #groupOf(channel: string): SharedGroup | undefined {
    if (!channel.startsWith(CHANNEL_OF_GROUP)) return undefined;
    return this.#groups.get(channel.slice(CHANNEL_OF_GROUP.length));
  }

  // Ticks

  #scheduleTick(): void {
    this.#tick = setTimeout(() => {
      this.#scheduleTick();
      this.#onTick();
    }, BEAT).unref();
  }

  #onTick(): void {
    this.#peers.tick();
    this.#announcer.tick();
    this.#leaveIdleGroups();
    if (this.#beats === undefined || this.#options.isCutOff()) return;
    // If even our own beat has not come back, the network is silent, and not the others.
    if (this.#beats.isSubscribed && (!this.#hearsItself || this.#heardItself)) this.#peers.dropSilent();
    this.#heardItself = false;
    if (!this.#hasGreeted) this.#greet(false);
    for (const shared of this.#groups.values()) {
      if (shared.isUnsent) this.#announcer.sendAll(shared);
      if (!shared.hasAsked) this.#askAll(shared);
    }
    this.#peers.complete();
    this.#announcer.beat();
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
      if (!sent || (this.#knowsPeers && this.#peers.size === 0)) shared.setReady();
      else shared.setReadyIn(ANSWER_TIME);
    });
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

  // Messages

  #receiveInGroup(shared: SharedGroup, message: PeopleMessage): void {
    if (message.kind === 'update') {
      const isKept = this.#peers.receiveUpdate(shared, message);
      if (!isKept || shared.people.isReady || !shared.hasAsked || !this.#knowsPeers) return;
      if (this.#peers.hasAll(shared)) shared.setReady();
    } else if (message.kind === 'ask' && this.#isFor(message.to)) {
      this.#announcer.answer(shared);
    }
  }

  #receiveOfAll(message: PeopleMessage): void {
    if (message.kind === 'beat') this.#peers.receiveBeat(message, this.#byHash, this.#knowsPeers);
    else if (message.kind === 'bye') this.#peers.drop(message.from);
    else if (message.kind === 'hello' && this.#isFor(message.to))
      this.#announcer.answerHello(message.wantsAll);
  }

  #isFor(to: string): boolean {
    return to === ALL || to === this.#id;
  }

  // Faults

  #failed(channel: Channel, cause: unknown): void {
    const shared = this.#groupOf(channel.name);
    shared?.setReady();
    // During an outage, 'cutOff' has reported this.
    if (this.#options.isCutOff() || this.#isClosed) return;
    const name = shared?.people.name;
    const whose = name === undefined ? 'people' : `people of group ${JSON.stringify(name)}`;
    const text = `the ${whose} in other processes are not known: ${reasonOf(cause)}; the subscription will be retried`;
    this.#refuse('REFUSED', text, name, cause);
  }

  #refuse(code: 'STRANGER' | 'REFUSED' | 'FULL', text: string, group?: string, cause?: unknown): void {
    const facts = { ...(group === undefined ? {} : { group }), ...(cause === undefined ? {} : { cause }) };
    this.#options.refused(new BackplaneError(`ERR_WEBSOCKET_BACKPLANE_${code}`, text, facts));
  }
}
