import { clearTimeout, now, setTimeout } from '../../shared/real-timers.js';
import { Availability } from '../availability.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { type BatchedMessage, Batches } from '../batches.js';
import { closedError, outageError, tooLargeError } from '../failures.js';
import { tickEvery } from '../ticker.js';
import { Kind, MAX_NAME_BYTES, writeFrame, writeMessage } from './frames.js';
import { Hub } from './hub.js';
import { HubLink, SilentHubError } from './hub-link.js';
import { type LocalBackplaneOptions, type LocalSettings, resolveLocalOptions } from './options.js';
import { Place } from './place.js';

/** Batches of messages in flight. */
const PARALLEL = 4;
/** Milliseconds until the next attempt to reach or to become the hub. */
const FIRST_DELAY = 10;
const LAST_DELAY = 500;
/** Errors of `connect` that show that there is no hub. Others may pass: a hub can have too many connections at once. */
const NO_HUB = ['ENOENT', 'ECONNREFUSED'];

/**
 * Connects the groups of all processes on this machine: workers of `node:cluster`, processes of pm2, several `node`s.
 *
 * Needs no server. The processes meet at a Unix socket, or at a pipe on Windows. The first one becomes the hub, which passes
 * on all messages. When the hub closes its groups, another process takes over, and no message is lost. When the hub is
 * killed, another one takes over, too: groups emit `cutOff` and `back`, and `missed` if messages under way were lost.
 *
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name.
 * @example
 * const groups = createGroups({ backplane: localBackplane() });
 */
export function localBackplane(options: LocalBackplaneOptions = {}): Backplane {
  return new LocalBackplane(resolveLocalOptions(options));
}

class LocalBackplane implements Backplane {
  readonly #settings: LocalSettings;
  readonly #place: Place;
  readonly #availability = new Availability('localBackplane');
  readonly #batches: Batches;
  readonly #channels = new Set<string>();
  #events: BackplaneEvents | undefined;
  #stopTicks: (() => void) | undefined;
  #hub: Hub | undefined;
  #link: HubLink | undefined;
  /** The link to the next hub, while the present one closes. */
  #nextLink: HubLink | undefined;
  #attachingSince = 0;
  #attached: Promise<void> = Promise.resolve();
  #failure: unknown;
  #wake: () => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(settings: LocalSettings) {
    this.#settings = settings;
    this.#place = new Place(settings);
    this.#batches = new Batches({
      service: 'the hub',
      availability: this.#availability,
      maxBuffered: settings.maxBuffered,
      parallel: PARALLEL,
      canSend: () => this.#availability.isUp() && this.#link?.canSend === true,
      send: (batch) => this.#send(batch),
    });
  }

  start(events: BackplaneEvents): void {
    this.#availability.start(events);
    this.#events = events;
    this.#stopTicks = tickEvery(this.#settings.timeout / 2, () => this.#checkTime());
    void this.#run();
  }

  publish(group: string, data: Buffer): Promise<void> {
    const { maxPayload } = this.#settings;
    if (data.length > maxPayload)
      return Promise.reject(
        tooLargeError(group, data.length, maxPayload, 'raise maxPayload of the backplane'),
      );
    const nameError = checkName(group);
    return nameError === undefined ? this.#batches.add(group, data) : Promise.reject(nameError);
  }

  async subscribe(group: string): Promise<void> {
    const nameError = checkName(group);
    if (nameError !== undefined) throw nameError;
    await this.#availability.untilUp();
    await this.#attached;
    const link = this.#link;
    if (link === undefined) throw this.#availability.obstacle ?? this.#cutOffError();
    this.#channels.add(group);
    link.send(writeFrame(Kind.SUBSCRIBE, group));
    try {
      await link.sync();
    } catch (error) {
      this.#channels.delete(group);
      throw outageError(error);
    }
  }

  // `async` turns the result into a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#channels.delete(group);
    const frame = writeFrame(Kind.UNSUBSCRIBE, group);
    this.#link?.send(frame);
    this.#nextLink?.send(frame);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.#batches.close(this.#settings.timeout);
    this.#availability.close();
    this.#stopTicks?.();
    this.#channels.clear();
    this.#wake();
    this.#link?.close();
    this.#nextLink?.destroy(closedError());
    await this.#hub?.close();
    this.#link?.destroy(closedError());
  }

  /** Stays connected with a hub until `close`. */
  async #run(): Promise<void> {
    let previous: HubLink | undefined;
    for (;;) {
      const link = await this.#attach(previous);
      if (link === undefined) return;
      const end = await link.end;
      if (this.#availability.isClosed()) return;
      previous = end === 'leaving' ? link : undefined;
      if (end === 'leaving') continue;
      this.#link = undefined;
      this.#becomeCut(end);
    }
  }

  /**
   * Connects with a hub, or becomes the hub. Resolves with `undefined` after `close`.
   *
   * @param previous The link to a hub that closes. Its messages are delivered before those of the next hub.
   */
  async #attach(previous: HubLink | undefined): Promise<HubLink | undefined> {
    let resolveAttached!: () => void;
    this.#attached = new Promise((resolve) => (resolveAttached = resolve));
    this.#attachingSince = now();
    const link = await this.#findHub();
    if (link !== undefined && previous !== undefined) await this.#leave(previous);
    if (this.#availability.isClosed()) link?.destroy(closedError());
    else if (link !== undefined) {
      this.#link = link;
      this.#nextLink = undefined;
      this.#failure = undefined;
      link.release();
      this.#availability.becomeUp();
      this.#batches.flush();
    }
    resolveAttached();
    return this.#availability.isClosed() ? undefined : link;
  }

  async #findHub(): Promise<HubLink | undefined> {
    for (let delay = FIRST_DELAY; !this.#availability.isClosed(); delay = Math.min(2 * delay, LAST_DELAY)) {
      try {
        const link = await this.#tryHub();
        if (link !== undefined) return link;
      } catch (error) {
        this.#becomeCut(error);
      }
      // By chance, so that many processes do not try at the same time again and again.
      await this.#sleep(delay * (0.5 + Math.random()));
    }
    return undefined;
  }

  /** Tries once to connect. Without a hub, tries to become the hub. Resolves with `undefined` if another attempt may do. */
  async #tryHub(): Promise<HubLink | undefined> {
    const found = this.#place.identify();
    const link = await this.#connect();
    if (link instanceof HubLink) return link;
    if (!isHubMissing(link) || this.#availability.isClosed()) {
      this.#failure = link;
      return undefined;
    }
    // If our own hub does not answer us, another one would not do so, either.
    if (this.#hub?.isOpen === true) throw link;
    const hub = await Hub.open(this.#place, found, this.#settings);
    if (hub === undefined) return undefined;
    this.#hub = hub;
    if (this.#availability.isClosed()) {
      await hub.close();
      return undefined;
    }
    const own = await this.#connect();
    if (own instanceof HubLink) return own;
    throw own;
  }

  async #connect(): Promise<HubLink | Error> {
    let link: HubLink | undefined;
    try {
      link = await HubLink.open(this.#settings, (channel, data) => {
        if (this.#channels.has(channel)) this.#events?.message(channel, data);
      });
      this.#nextLink = link;
      const frames = [...this.#channels].map((channel) => writeFrame(Kind.SUBSCRIBE, channel));
      if (frames.length > 0) link.send(Buffer.concat(frames));
      await link.sync();
      link.pause();
      return link;
    } catch (error) {
      this.#nextLink = undefined;
      link?.destroy(error as Error);
      return error as Error;
    }
  }

  /** Leaves a hub that closes, when it has sent everything. */
  async #leave(previous: HubLink): Promise<void> {
    // It did not wait for this process, so this process may have missed what others sent over the next hub.
    if (previous.isLost) {
      this.#becomeCut(new Error('the hub has closed before this process reached the next one'));
      return;
    }
    previous.moved();
    const timer = setTimeout(
      () => previous.destroy(new Error('the previous hub does not close')),
      this.#settings.timeout,
    );
    await previous.closed;
    clearTimeout(timer);
  }

  async #send(batch: readonly BatchedMessage[]): Promise<void> {
    const link = this.#link;
    if (link === undefined) throw this.#cutOffError();
    const frames = Buffer.concat(batch.map(({ group, data }) => writeMessage(group, data)));
    try {
      await link.publish(frames, batch.length);
    } catch (error) {
      throw outageError(error);
    }
  }

  #checkTime(): void {
    const { timeout } = this.#settings;
    if (this.#link?.canSend === true) this.#link.checkTime(timeout);
    else if (now() - this.#attachingSince >= timeout) this.#becomeCut(this.#cutOffError());
  }

  #cutOffError(): Error {
    return outageError(this.#failure ?? new Error('there is no hub'));
  }

  #becomeCut(cause: unknown): void {
    if (this.#availability.isClosed()) return;
    const error = outageError(cause);
    this.#availability.becomeCut(error);
    this.#batches.failAll(error);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function isHubMissing(error: Error): boolean {
  return error instanceof SilentHubError || NO_HUB.includes((error as NodeJS.ErrnoException).code ?? '');
}

function checkName(group: string): Error | undefined {
  const bytes = Buffer.byteLength(group);
  if (bytes <= MAX_NAME_BYTES) return undefined;
  return tooLargeError(group, bytes, MAX_NAME_BYTES, 'choose a shorter name for the group');
}
