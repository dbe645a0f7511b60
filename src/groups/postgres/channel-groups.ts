import { channelOf, keyOf } from './notification.js';
import type { RunQuery } from './table.js';

/**
 * Listens to exactly the channels that the subscribed groups need. Several groups share a channel.
 *
 * Outlives the connection: it listens again over the next one.
 */
export class ChannelGroups {
  readonly #prefix: string;
  readonly #run: RunQuery;
  /** The group of each key. */
  readonly #groups = new Map<string, string>();
  /** How many groups need each channel. */
  readonly #wanted = new Map<string, number>();
  /** The channels to which the connection listens. */
  #heard = new Set<string>();
  #generation = 0;
  #change: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(prefix: string, run: RunQuery) {
    this.#prefix = prefix;
    this.#run = run;
  }

  channelOf(key: string): string {
    return channelOf(this.#prefix, key);
  }

  /** Returns the subscribed group with this key. */
  find(key: string): string | undefined {
    return this.#groups.get(key);
  }

  /** Subscribes a group. If this rejects, the group is not subscribed. */
  async add(group: string): Promise<void> {
    const key = keyOf(group);
    const channel = this.channelOf(key);
    this.#groups.set(key, group);
    this.#wanted.set(channel, (this.#wanted.get(channel) ?? 0) + 1);
    if (this.#heard.has(channel) && this.#change === undefined) return;
    try {
      await this.#listen();
    } catch (error) {
      this.delete(group);
      throw error;
    }
  }

  delete(group: string): void {
    const key = keyOf(group);
    if (!this.#groups.delete(key)) return;
    const channel = this.channelOf(key);
    const count = (this.#wanted.get(channel) ?? 0) - 1;
    if (count > 0) {
      this.#wanted.set(channel, count);
      return;
    }
    this.#wanted.delete(channel);
    // If it fails, notifications for no group arrive, and are ignored.
    this.#listen().catch(() => {});
  }

  /** Listens to all channels over a new connection. */
  restore(): Promise<void> {
    this.suspend();
    return this.#listen();
  }

  /** Forgets the channels of the lost connection. */
  suspend(): void {
    this.#generation++;
    this.#heard = new Set();
    this.#change = this.#next = undefined;
  }

  /** Changes the channels after the current change, once for all calls meanwhile. */
  #listen(): Promise<void> {
    const generation = this.#generation;
    if (this.#change === undefined) {
      this.#change = this.#changeChannels().finally(() => {
        if (generation === this.#generation) this.#change = undefined;
      });
      return this.#change;
    }
    this.#next ??= this.#change
      .catch(() => {})
      .then(() => {
        if (generation !== this.#generation) throw new Error('the connection to PostgreSQL is lost');
        this.#next = undefined;
        return this.#listen();
      });
    return this.#next;
  }

  async #changeChannels(): Promise<void> {
    // Waits, so that all changes of one turn go into one query.
    await Promise.resolve();
    const heard = this.#heard;
    const joined = [...this.#wanted.keys()].filter((channel) => !heard.has(channel));
    const left = [...heard].filter((channel) => !this.#wanted.has(channel));
    if (joined.length + left.length === 0) return;
    const commands = [
      ...joined.map((channel) => `LISTEN "${channel}"`),
      ...left.map((channel) => `UNLISTEN "${channel}"`),
    ];
    await this.#run(commands.join('; '));
    for (const channel of joined) heard.add(channel);
    for (const channel of left) heard.delete(channel);
  }
}
