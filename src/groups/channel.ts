import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import type { Backplane } from './backplane.js';
import { SequenceTracker } from './sequence-tracker.js';

const FIRST_RETRY = 100;
const LAST_RETRY = 5_000;

/** Owns channels, and receives their events. */
export interface ChannelHost {
  readonly backplane: Backplane;
  /** Called when the channel is subscribed, also when it is subscribed again. */
  subscribed?(channel: Channel): void;
  /** Called when a subscription failed. The channel will retry. */
  failed(channel: Channel, error: unknown): void;
  /** Called when the channel is no longer wanted and no longer subscribed. */
  ended(channel: Channel): void;
}

/**
 * Keeps a group subscribed at the backplane while this process has members of the group.
 *
 * Members may join and leave while a subscription is pending. So the channel stores a wanted and an actual state. It
 * changes the actual state one call at a time until both are equal.
 */
export class Channel {
  readonly name: string;
  readonly sequences = new SequenceTracker();
  readonly #host: ChannelHost;
  #wanted = false;
  #state: 'off' | 'changing' | 'on' = 'off';
  #delay = FIRST_RETRY;
  #retry: NodeJS.Timeout | undefined;
  #waiters: ((subscribed: boolean) => void)[] = [];
  /** Like `#waiters`, but they also wait for the retries. */
  #patientWaiters: ((subscribed: boolean) => void)[] = [];

  constructor(name: string, host: ChannelHost) {
    this.name = name;
    this.#host = host;
  }

  get wanted(): boolean {
    return this.#wanted;
  }

  /** Whether messages of other processes arrive. */
  get isSubscribed(): boolean {
    return this.#wanted && this.#state === 'on';
  }

  setWanted(wanted: boolean): void {
    this.#wanted = wanted;
    if (!wanted) {
      // While this process has no members, it does not want the messages. So they do not count as lost.
      this.sequences.expectGaps();
      clearTimeout(this.#retry);
      this.#retry = undefined;
      this.#resolveWaiters(false);
      this.#resolvePatientWaiters(false);
    }
    this.#reconcile();
  }

  /** Resolves with `true` once the channel is subscribed, with `false` when it is no longer wanted. */
  untilSubscribed(): Promise<boolean> {
    if (this.#state === 'on' || !this.#wanted) return Promise.resolve(this.#wanted);
    return new Promise((resolve) => this.#patientWaiters.push(resolve));
  }

  /** Resolves with `true` once the channel is subscribed, with `false` when that fails for now. */
  whenSubscribed(): Promise<boolean> {
    if (this.#state === 'on') return Promise.resolve(true);
    if (!this.#wanted || this.#retry !== undefined) return Promise.resolve(false);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Retries a failed subscription now, because the network is back. */
  retryNow(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#reconcile();
  }

  #reconcile(): void {
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
    if (on) {
      this.#resolveWaiters(true);
      this.#resolvePatientWaiters(true);
    }
    if (this.isSubscribed) this.#host.subscribed?.(this);
    this.#reconcile();
  }

  #failed(on: boolean, error: unknown): void {
    // After a failed unsubscription, unwanted messages may arrive. Groups ignores them.
    this.#state = 'off';
    if (on && this.#wanted) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#reconcile();
      }, this.#delay).unref();
      this.#delay = Math.min(this.#delay * 2, LAST_RETRY);
      this.#resolveWaiters(false);
      this.#host.failed(this, error);
      return;
    }
    this.#reconcile();
  }

  #resolveWaiters(subscribed: boolean): void {
    for (const waiter of this.#waiters.splice(0)) waiter(subscribed);
  }

  #resolvePatientWaiters(subscribed: boolean): void {
    for (const waiter of this.#patientWaiters.splice(0)) waiter(subscribed);
  }
}

// A user's backplane may throw where it should reject.
async function call(method: () => PromiseLike<unknown>): Promise<void> {
  await method();
}
