import { createServer, type Server } from 'node:net';
import { debug } from '../../shared/notices.js';
import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import { tickEvery } from '../ticker.js';
import { type Frame, Kind, maxFrameFor, readMessage, writeFrame } from './frames.js';
import { hasPipes, type LocalSettings } from './options.js';
import { Peer, type PeerHost } from './peer.js';
import type { Place } from './place.js';

/** Milliseconds between two checks that the socket file is still ours. */
const CHECK_INTERVAL = 500;
/** Milliseconds that a hub waits for the other processes when it closes. */
const MOVING_TIME = 1_000;

/** Passes on the messages of all processes of an app, its own process included. */
export class Hub implements PeerHost {
  readonly maxFrame: number;
  readonly maxBuffered: number;
  readonly timeout: number;
  readonly #place: Place;
  readonly #server: Server;
  readonly #peers = new Set<Peer>();
  readonly #channels = new Map<string, Set<Peer>>();
  /** Peers with queued frames. */
  readonly #dirty = new Set<Peer>();
  #identity: string | undefined;
  #stopTicks: () => void = () => {};
  #isClosing = false;
  #progressed: () => void = () => {};

  private constructor(place: Place, { maxPayload, maxBuffered, timeout }: LocalSettings) {
    this.#place = place;
    this.maxFrame = maxFrameFor(maxPayload);
    this.maxBuffered = maxBuffered;
    this.timeout = timeout;
    this.#server = createServer((socket) => this.#peers.add(new Peer(socket, this)));
    // The process that runs the hub notices that it cannot connect.
    this.#server.on('error', (error) => debug('the hub of groups failed: %o', error));
  }

  /**
   * Opens a hub. Resolves with `undefined` if another process was faster.
   *
   * @param useless The identity of the socket file to replace.
   */
  static async open(
    place: Place,
    useless: string | undefined,
    settings: LocalSettings,
  ): Promise<Hub | undefined> {
    const hub = new Hub(place, settings);
    const occupied = await place.occupy(hub.#server, useless);
    if (occupied === undefined) {
      hub.#server.close();
      return undefined;
    }
    hub.#identity = occupied.identity;
    hub.#stopTicks = tickEvery(CHECK_INTERVAL, () => hub.#checkPlace());
    return hub;
  }

  get isOpen(): boolean {
    return !this.#isClosing;
  }

  take(peer: Peer, { kind, body, bytes }: Frame): boolean {
    switch (kind) {
      case Kind.MESSAGE: {
        const message = readMessage(body);
        if (message === undefined) return false;
        for (const receiver of this.#channels.get(message.name.toString('latin1')) ?? [])
          if (receiver !== peer) this.#queue(receiver, bytes);
        peer.acknowledge();
        break;
      }
      case Kind.SUBSCRIBE:
        this.#subscribe(peer, body.toString('latin1'));
        break;
      case Kind.UNSUBSCRIBE:
        this.#unsubscribe(peer, body.toString('latin1'));
        break;
      default:
        return false;
    }
    return true;
  }

  flush(): void {
    for (const peer of this.#dirty) peer.flush();
    this.#dirty.clear();
  }

  moved(): void {
    this.#progressed();
  }

  closed(peer: Peer): void {
    this.#peers.delete(peer);
    this.#dirty.delete(peer);
    for (const channel of peer.channels) this.#unsubscribe(peer, channel);
    this.#progressed();
  }

  /**
   * Closes the hub, and loses no message: the other processes first subscribe at their next hub, and send there afterwards.
   */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#stop();
    this.#place.leave(this.#identity);
    for (const peer of this.#peers) if (!peer.isGreeted) peer.destroy();
    // A pipe cannot have a new owner while the old one has connections.
    if (!hasPipes) {
      for (const peer of this.#peers) this.#queue(peer, writeFrame(Kind.LEAVING));
      this.flush();
      await this.#until(() => [...this.#peers].every(({ hasMoved }) => hasMoved));
    }
    for (const peer of this.#peers) peer.end();
    await this.#until(() => this.#peers.size === 0);
    for (const peer of this.#peers) peer.destroy();
  }

  #stop(): void {
    this.#isClosing = true;
    this.#stopTicks();
    this.#server.close();
  }

  /** Ends the hub if another process has replaced its socket file: this one has not answered for too long. */
  #checkPlace(): void {
    if (hasPipes) return;
    try {
      if (this.#place.identify() === this.#identity) return;
    } catch (error) {
      debug('the socket of the hub is gone: %o', error);
    }
    this.#stop();
    for (const peer of this.#peers) peer.destroy();
  }

  /** Waits at most {@link MOVING_TIME} for a condition. */
  async #until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, MOVING_TIME);
      this.#progressed = () => {
        if (!isTrue()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#progressed = () => {};
  }

  #queue(peer: Peer, frame: Buffer): void {
    peer.queue(frame);
    this.#dirty.add(peer);
  }

  #subscribe(peer: Peer, channel: string): void {
    peer.channels.add(channel);
    const peers = this.#channels.get(channel);
    if (peers === undefined) this.#channels.set(channel, new Set([peer]));
    else peers.add(peer);
  }

  #unsubscribe(peer: Peer, channel: string): void {
    peer.channels.delete(channel);
    const peers = this.#channels.get(channel);
    if (peers === undefined) return;
    peers.delete(peer);
    if (peers.size === 0) this.#channels.delete(channel);
  }
}
