import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import type { Backplane } from './backplane.js';
import { Receipts } from './receipts.js';

const FIRST_RETRY = 100;
const LAST_RETRY = 5_000;

/** What a channel needs of those who made it. */
export interface ChannelHost {
  readonly backplane: Backplane;
  /** It could not be subscribed; it is tried again. */
  failed(channel: Channel, error: unknown): void;
  /** It is neither wanted nor subscribed any more. */
  ended(channel: Channel): void;
}

/**
 * One group's subscription at the backplane, while this process has members of the group.
 *
 * Members come and go while a subscription is still on its way; so there is a wish and a state, one step at a time
 * leads from the state to the wish, and nobody waits for anybody.
 */
export class Channel {
  readonly name: string;
  readonly receipts = new Receipts();
  readonly #host: ChannelHost;
  #wanted = false;
  #state: 'off' | 'changing' | 'on' = 'off';
  #delay = FIRST_RETRY;
  #retry: NodeJS.Timeout | undefined;
  #waiters: ((subscribed: boolean) => void)[] = [];

  constructor(name: string, host: ChannelHost) {
    this.name = name;
    this.#host = host;
  }

  get wanted(): boolean {
    return this.#wanted;
  }

  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (!wanted) {
      // What others send while there is no member here is not lost.
      this.receipts.excuse();
      clearTimeout(this.#retry);
      this.#retry = undefined;
      this.#tell(false);
    }
    this.#step();
  }

  /** Resolves with `true` once it is subscribed, with `false` when that cannot be had now. */
  whenSubscribed(): Promise<boolean> {
    if (this.#state === 'on') return Promise.resolve(true);
    if (!this.#wanted || this.#retry !== undefined) return Promise.resolve(false);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The network is back: what failed before is worth a try. */
  retryNow(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#step();
  }

  #step(): void {
    if (this.#state === 'changing' || this.#retry !== undefined) return;
    if (this.#wanted === (this.#state === 'on')) {
      if (!this.#wanted) this.#host.ended(this);
      return;
    }
    const { backplane } = this.#host;
    const on = this.#wanted;
    this.#state = 'changing';
    const change = on
      ? call(() => backplane.subscribe(this.name))
      : call(() => backplane.unsubscribe(this.name));
    change.then(
      () => this.#changed(on),
      (error: unknown) => this.#failed(on, error),
    );
  }

  #changed(on: boolean): void {
    this.#state = on ? 'on' : 'off';
    this.#delay = FIRST_RETRY;
    if (on) this.#tell(true);
    this.#step();
  }

  #failed(on: boolean, error: unknown): void {
    // An unsubscription that failed leaves us with messages that nobody here wants; they are passed over.
    this.#state = 'off';
    if (on && this.#wanted) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#step();
      }, this.#delay).unref();
      this.#delay = Math.min(this.#delay * 2, LAST_RETRY);
      this.#tell(false);
      this.#host.failed(this, error);
      return;
    }
    this.#step();
  }

  #tell(subscribed: boolean): void {
    for (const waiter of this.#waiters.splice(0)) waiter(subscribed);
  }
}

// A backplane of somebody's own may throw where it should reject.
async function call(method: () => PromiseLike<unknown>): Promise<void> {
  await method();
}
