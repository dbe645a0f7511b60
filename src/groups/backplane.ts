import type { BackplaneHistory } from './history/kept.js';
import type { Position } from './history/position.js';

/**
 * Carries the messages of groups between processes.
 *
 * A backplane moves bytes over named channels. It need not know what the bytes mean. {@link createGroups} uses one channel
 * for each group, with the name of the group. It subscribes the channel only while this process has members of the group.
 * You can write a backplane for a service that you already run (Kafka, MQTT, …). Test it with `backplaneContract` of
 * `dwebsocket/testing`.
 *
 * The people of groups have channels whose names begin with `dwebsocket:people`. A backplane that keeps messages for later need
 * not keep those.
 *
 * The name of a channel is any well-formed string: it never contains half of a surrogate pair. For each channel, groups
 * call `subscribe` or `unsubscribe` only after the previous call has settled.
 */
export interface Backplane {
  /**
   * Starts the backplane. `createGroups` calls it once, before every other method.
   *
   * MUST NOT throw when the network is down; call `events.cutOff` instead.
   */
  start(events: BackplaneEvents): void;

  /**
   * Sends bytes to all other processes that are subscribed to the channel.
   *
   * Resolves with any value except `'later'` when the network has accepted the bytes. Resolves with `'later'` when the
   * backplane keeps them and will send them after the outage. Rejects when they have not left this process.
   *
   * MUST keep the order of calls for each channel. MUST settle soon, also during an outage. MUST limit the bytes that it
   * keeps, and reject above the limit. MUST reject instead of throwing. The bytes do not change after the call.
   */
  publish(channel: string, data: Buffer): PromiseLike<unknown>;

  /**
   * Subscribes to a channel.
   *
   * Resolves when everything that other processes publish from now on will arrive: unchanged, once, and in the order in
   * which each process published it. Rejects when this is impossible now; groups will retry.
   *
   * This process's own messages MAY arrive, too. Messages from just before an outage MAY arrive again after it. Groups
   * ignore both.
   */
  subscribe(channel: string): PromiseLike<unknown>;

  /** Unsubscribes from a channel. MUST NOT deliver messages of this channel after it has resolved. */
  unsubscribe(channel: string): PromiseLike<unknown>;

  /**
   * Closes all connections and stops all timers. Sends published messages first, if it can.
   *
   * MUST NOT reject. MAY be called again. Afterwards `publish` and `subscribe` reject.
   */
  close(): PromiseLike<unknown>;

  /** Keeps messages for the option `history` of `createGroups`. Only `redisStreamBackplane` of this package does. */
  readonly history?: BackplaneHistory;
}

/** Receives the events of a backplane. None of these functions throws. */
export interface BackplaneEvents {
  /**
   * Receives bytes that were published on a subscribed channel. A backplane that keeps messages also gives their place, and
   * delivers the messages of this process, too.
   */
  readonly message: (channel: string, data: Buffer, kept?: Position & { readonly time: number }) => void;
  /** Called once at the start of each outage: other processes are not reachable. */
  readonly cutOff: (error: Error) => void;
  /** Called when the outage is over and all channels are subscribed again. */
  readonly back: () => void;
  /**
   * Called when messages of other processes are lost; with their number, if known.
   *
   * MUST be called only when it is certain that every message sent from then on will arrive. An app reads its state again
   * after this event, and must learn of every later loss.
   */
  readonly missed: (channel: string, count: number | undefined) => void;
  /** Called when kept messages (`'later'`) could not be sent after all. */
  readonly dropped: (channel: string, count: number, error: Error) => void;
}
