import { EventEmitter, once } from 'node:events';
import type { Backplane, BackplaneEvents } from 'dwebsocket/groups';
import { within } from '../../support/inbox.js';

/** A backplane between groups and another backplane. It counts what is published, and can lose it. */
export class Wire implements Backplane {
  messages = 0;
  bytes = 0;
  readonly published: { channel: string; data: Buffer }[] = [];
  /** Says whether a message is lost on its way to this process. */
  loses: (channel: string, data: Buffer) => boolean = () => false;
  readonly #sent = new EventEmitter();
  readonly #next: Backplane;
  #events: BackplaneEvents | undefined;
  #isDead = false;

  constructor(next: Backplane) {
    this.#next = next;
  }

  start(events: BackplaneEvents): void {
    this.#events = events;
    this.#next.start({
      ...events,
      message: (channel, data) => {
        if (!this.#isDead && !this.loses(channel, data)) events.message(channel, data);
      },
    });
  }

  /** Waits until this process has published so many beats more. */
  async beats(count: number): Promise<void> {
    for (let beat = 0; beat < count; beat++) await within(once(this.#sent, 'dwebsocket:people'), 'beat');
  }

  /** Delivers bytes, as if another program had published them. */
  inject(channel: string, data: Buffer | string): void {
    this.#events?.message(channel, Buffer.from(data));
  }

  /** Reports a loss, as a backplane does that counts messages. */
  report(event: 'missed' | 'dropped', channel: string): void {
    if (event === 'missed') this.#events?.missed(channel, undefined);
    else this.#events?.dropped(channel, 1, new Error('full'));
  }

  /** From now on the process is silent, as if it was killed. */
  kill(): void {
    this.#isDead = true;
  }

  /** The process goes on, as after SIGCONT. */
  revive(): void {
    this.#isDead = false;
  }

  publish(channel: string, data: Buffer): PromiseLike<unknown> {
    if (this.#isDead) return Promise.resolve();
    this.messages++;
    this.bytes += data.length;
    this.published.push({ channel, data });
    this.#sent.emit(channel);
    return this.#next.publish(channel, data);
  }

  subscribe(channel: string): PromiseLike<unknown> {
    return this.#next.subscribe(channel);
  }

  unsubscribe(channel: string): PromiseLike<unknown> {
    return this.#next.unsubscribe(channel);
  }

  close(): PromiseLike<unknown> {
    return this.#next.close();
  }
}
