import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import { PEOPLE_CHANNEL } from './channels.js';
import { type GroupVersion, writeBeats, writeUpdate } from './format.js';
import type { SharedGroup } from './shared-group.js';

/** Milliseconds for which questions are collected, so that one answer serves them all. */
const COLLECT_TIME = 10;
/** Lists of all groups from one tick to the next that are sent at once. After an outage, all processes ask for one. */
const MAX_LISTS = 3;

export interface AnnouncerHost {
  /** The name of this process in messages. */
  readonly id: string;
  readonly isCutOff: () => boolean;
  /** Returns the groups that this process shares now. */
  readonly groups: () => Iterable<SharedGroup>;
  /** Resolves with whether the backplane has accepted the message. Never rejects. */
  readonly publish: (channel: string, message: Buffer) => Promise<boolean>;
}

/** Publishes which people this process has: changes at once, and everything to those who ask. */
export class Announcer {
  readonly #host: AnnouncerHost;
  #version = 0;
  #beatNumber = 0;
  readonly #changedSinceBeat = new Set<SharedGroup>();
  /** Whether the next beat lists all groups, and how many have done so since the last tick. */
  #listsAll = false;
  #lists = 0;
  /** Groups for which others have asked. */
  readonly #toAnswer = new Set<SharedGroup>();
  #answering: NodeJS.Timeout | undefined;
  #owesBeat = false;

  constructor(host: AnnouncerHost) {
    this.#host = host;
  }

  /** Publishes the changes in this process. */
  publishChanges(shared: SharedGroup): void {
    const base = shared.version;
    const changes = shared.people.takeChanges();
    if (changes.length === 0) return;
    shared.version = ++this.#version;
    this.#changedSinceBeat.add(shared);
    if (shared.isUnsent || this.#host.isCutOff()) {
      shared.isUnsent = true;
      return;
    }
    for (const message of writeUpdate(this.#host.id, base, shared.version, changes))
      this.#send(shared, message);
  }

  /** Publishes everything that this process has in the group. */
  sendAll(shared: SharedGroup): void {
    if (shared.people.takeChanges().length > 0) {
      shared.version = ++this.#version;
      this.#changedSinceBeat.add(shared);
    }
    shared.isUnsent = false;
    if (shared.version === 0) return;
    const counts = shared.people.listLocal();
    for (const message of writeUpdate(this.#host.id, 0, shared.version, counts)) this.#send(shared, message);
  }

  /** Publishes that this process is alive, and the versions of the groups that have changed, or of all with people. */
  beat(listsAll = this.#listsAll): void {
    this.#owesBeat = false;
    const versions: GroupVersion[] = [];
    for (const { people, hash, version } of listsAll ? this.#host.groups() : this.#changedSinceBeat)
      if (!listsAll || people.hasMembers) versions.push([hash, version]);
    if (listsAll) {
      this.#listsAll = false;
      this.#lists++;
    }
    this.#changedSinceBeat.clear();
    const messages = writeBeats(this.#host.id, this.#beatNumber + 1, this.#version, versions, listsAll);
    this.#beatNumber += messages.length;
    // A lost beat leaves a gap in the numbers.
    for (const message of messages) void this.#host.publish(PEOPLE_CHANNEL, message);
  }

  /** Called at each tick of this process. */
  tick(): void {
    this.#lists = 0;
  }

  /** Soon publishes everything in a group, for those who have asked. */
  answer(shared: SharedGroup): void {
    this.#toAnswer.add(shared);
    this.#answerSoon();
  }

  /** Soon publishes a beat, for a process that listens from now on. */
  answerHello(wantsAll: boolean): void {
    if (wantsAll) this.#listsAll = true;
    this.#owesBeat ||= !wantsAll || this.#lists < MAX_LISTS;
    if (this.#owesBeat) this.#answerSoon();
  }

  /** Called when this process does not share the group any more. */
  forget(shared: SharedGroup): void {
    this.#changedSinceBeat.delete(shared);
    this.#toAnswer.delete(shared);
  }

  /** Leaves questions without an answer. */
  stop(): void {
    clearTimeout(this.#answering);
    this.#answering = undefined;
    this.#toAnswer.clear();
  }

  #answerSoon(): void {
    this.#answering ??= setTimeout(() => {
      this.#answering = undefined;
      for (const shared of this.#toAnswer) {
        this.publishChanges(shared);
        this.sendAll(shared);
      }
      this.#toAnswer.clear();
      if (this.#owesBeat) this.beat(this.#listsAll && this.#lists < MAX_LISTS);
    }, COLLECT_TIME).unref();
  }

  #send(shared: SharedGroup, message: Buffer): void {
    void this.#host.publish(shared.channel.name, message).then((sent) => {
      if (!sent) shared.isUnsent = true;
    });
  }
}
