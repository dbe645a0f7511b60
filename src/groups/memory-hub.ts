import type { Backplane, BackplaneEvents } from './backplane.js';
import { BackplaneError } from './errors.js';

/**
 * Connects several `createGroups()` in one process. Use it to test how an app behaves on many machines and in outages.
 *
 * @example
 * const hub = new MemoryHub();
 * const here = createGroups({ backplane: hub.connect() });
 * const there = createGroups({ backplane: hub.connect() });
 */
export class MemoryHub {
  readonly #backplanes = new Set<MemoryBackplane>();
  #isCut = false;

  /** Returns a backplane for one `createGroups()`. */
  connect(): Backplane {
    return new MemoryBackplane(this.#backplanes, () => this.#isCut);
  }

  /** Begins an outage: no backplane reaches another. */
  cutOff(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const backplane of this.#backplanes) backplane.events?.cutOff(cutOffError());
  }

  /** Ends the outage. */
  restore(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    for (const backplane of this.#backplanes) backplane.events?.back();
  }
}

class MemoryBackplane implements Backplane {
  readonly #backplanes: Set<MemoryBackplane>;
  readonly #isCut: () => boolean;
  readonly #channels = new Set<string>();
  #isClosed = false;
  events: BackplaneEvents | undefined;

  constructor(backplanes: Set<MemoryBackplane>, isCut: () => boolean) {
    this.#backplanes = backplanes;
    this.#isCut = isCut;
  }

  start(events: BackplaneEvents): void {
    this.events = events;
    this.#backplanes.add(this);
    if (this.#isCut()) events.cutOff(cutOffError());
  }

  publish(channel: string, data: Buffer): Promise<void> {
    return this.#act(() => {
      const receivers = [...this.#backplanes].filter(
        (backplane) => backplane !== this && backplane.#channels.has(channel),
      );
      // Delivers after the sender's call has returned, as a network does.
      process.nextTick(() => {
        for (const backplane of receivers) backplane.#receive(channel, data);
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
    this.#backplanes.delete(this);
    this.#channels.clear();
    return Promise.resolve();
  }

  #receive(channel: string, data: Buffer): void {
    if (this.#channels.has(channel)) this.events?.message(channel, data);
  }

  // `async` turns a throw into a rejection.
  async #act(action: () => unknown): Promise<void> {
    if (this.#isClosed) throw new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CLOSED', 'the backplane is closed');
    if (this.#isCut()) throw cutOffError();
    action();
    return Promise.resolve();
  }
}

function cutOffError(): BackplaneError {
  return new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CUT_OFF', 'the hub is cut off; call restore()');
}
