import type { BackplaneEvents } from './backplane.js';
import { closedError } from './failures.js';

/**
 * Tracks whether a backplane reaches other processes. Calls `cutOff` and `back` once for each outage.
 *
 * During the start, messages wait. Otherwise a script that sends at once would reach nobody.
 */
export class Availability {
  readonly #backplane: string;
  #events: BackplaneEvents | undefined;
  #state: 'new' | 'starting' | 'up' | 'cut' | 'closed' = 'new';
  #reason: Error | undefined;
  #resolveKnown!: () => void;
  readonly #known = new Promise<void>((resolve) => (this.#resolveKnown = resolve));

  /** @param backplane The name of the function that created the backplane. */
  constructor(backplane: string) {
    this.#backplane = backplane;
  }

  start(events: BackplaneEvents): void {
    if (this.#state !== 'new')
      throw new Error(`a ${this.#backplane} serves one createGroups(); create another backplane`);
    this.#state = 'starting';
    this.#events = events;
  }

  isUp(): boolean {
    return this.#state === 'up';
  }

  isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Why messages cannot be sent: the outage, or the end. `undefined` during the start, and while all is well. */
  get obstacle(): Error | undefined {
    if (this.#state === 'closed') return closedError();
    return this.#state === 'cut' ? this.#reason : undefined;
  }

  becomeUp(): void {
    const before = this.#state;
    if (before === 'closed' || before === 'up') return;
    this.#state = 'up';
    this.#resolveKnown();
    if (before === 'cut') this.#events?.back();
  }

  /** Returns whether an outage begins. */
  becomeCut(reason: Error): boolean {
    if (this.#state === 'closed') return false;
    this.#reason = reason;
    if (this.#state === 'cut') return false;
    this.#state = 'cut';
    this.#resolveKnown();
    this.#events?.cutOff(reason);
    return true;
  }

  close(): void {
    this.#state = 'closed';
    this.#resolveKnown();
  }

  /** Resolves when the start has ended and other processes can be reached. Rejects in an outage. */
  async untilUp(): Promise<void> {
    await this.#known;
    if (this.obstacle !== undefined) throw this.obstacle;
  }
}
