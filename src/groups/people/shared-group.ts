import { createHash } from 'node:crypto';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import type { Channel } from '../channel.js';
import type { GroupPeople } from './group-people.js';

/** A group whose people this process shares with others. */
export class SharedGroup {
  readonly people: GroupPeople;
  readonly hash: string;
  readonly channel: Channel;
  /** The number of this process's last change in the group; 0 if there was none. */
  version = 0;
  /** Whether other processes may lack changes of this process. */
  isUnsent = false;
  /** Whether other processes were asked since the channel was subscribed. */
  hasAsked = false;
  idleTicks = 0;
  #start: NodeJS.Timeout | undefined;

  constructor(people: GroupPeople, channel: Channel) {
    this.people = people;
    this.hash = createHash('sha256').update(people.name).digest('base64url').slice(0, 16);
    this.channel = channel;
  }

  /** From now on, the people count as known. */
  setReady(): void {
    clearTimeout(this.#start);
    this.#start = undefined;
    this.people.setReady();
  }

  /** The people count as known after this time in milliseconds, whatever comes until then. */
  setReadyIn(time: number): void {
    clearTimeout(this.#start);
    this.#start = setTimeout(() => this.setReady(), time).unref();
  }

  setUnready(): void {
    clearTimeout(this.#start);
    this.people.setUnready();
  }
}
