import type { Backplane, BackplaneEvents } from './backplane.js';
import { BackplaneError } from './errors.js';

/**
 * Connects several `createGroups()` in one process: for tests of what an app does on many machines, and when they lose
 * each other.
 *
 * @example
 * const hub = new MemoryHub();
 * const here = createGroups({ backplane: hub.connect() });
 * const there = createGroups({ backplane: hub.connect() });
 */
export class MemoryHub {
  readonly #links = new Set<MemoryLink>();
  #isCut = false;

  /** A backplane for one `createGroups()`. */
  connect(): Backplane {
    return new MemoryLink(this.#links, () => this.#isCut);
  }

  /** Begins an outage: nobody reaches anybody. */
  cutOff(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const link of this.#links) link.events?.cutOff(cutOffError());
  }

  /** Ends the outage. */
  restore(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    for (const link of this.#links) link.events?.back();
  }
}

class MemoryLink implements Backplane {
  readonly #links: Set<MemoryLink>;
  readonly #isCut: () => boolean;
  readonly #channels = new Set<string>();
  #isClosed = false;
  events: BackplaneEvents | undefined;

  constructor(links: Set<MemoryLink>, isCut: () => boolean) {
    this.#links = links;
    this.#isCut = isCut;
  }

  start(events: BackplaneEvents): void {
    this.events = events;
    this.#links.add(this);
    if (this.#isCut()) events.cutOff(cutOffError());
  }

  publish(channel: string, data: Buffer): Promise<void> {
    return this.#act(() => {
      const receivers = [...this.#links].filter((link) => link !== this && link.#channels.has(channel));
      // Not within the call of the sender, as over a network.
      process.nextTick(() => {
        for (const link of receivers) link.#receive(channel, data);
      });
    });
  }

  subscribe(channel: string): Promise<void> {
    return this.#act(() => this.#channels.add(channel));
  }

  unsubscribe(channel: string): Promise<void> {
    this.#channels.delete(channel);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#links.delete(this);
    this.#channels.clear();
    return Promise.resolve();
  }

  #receive(channel: string, data: Buffer): void {
    if (this.#channels.has(channel)) this.events?.message(channel, data);
  }

  // `async`, so that what is thrown is a rejection.
  async #act(action: () => unknown): Promise<void> {
    if (this.#isClosed) throw new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CLOSED', 'the backplane is closed');
    if (this.#isCut()) throw cutOffError();
    action();
    return Promise.resolve();
  }
}

function cutOffError(): BackplaneError {
  return new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CUT_OFF', 'the hub is cut off: call restore()');
}
