/**
 * What carries the messages of groups from process to process.
 *
 * A backplane moves bytes over named channels and need not know what they mean; {@link createGroups} gives each
 * group a channel of the group's name, subscribed only while this process has members of it. Write one for what you
 * already run (NATS, PostgreSQL, …) and let `backplaneContract` of `dwebsocket/testing` tell whether it is right.
 *
 * A channel is any string of whole characters, never one with half of a surrogate pair. Never two calls of `subscribe` and
 * `unsubscribe` for one channel are under way at a time.
 */
export interface Backplane {
  /**
   * Called once, by `createGroups`, before anything else.
   *
   * MUST NOT throw because the network is away; that is told with `events.cutOff`.
   */
  start(events: BackplaneEvents): void;

  /**
   * Sends bytes to all other processes that are subscribed to the channel.
   *
   * Resolves when the network has taken them (with anything but `'later'`), or with `'later'` when they are kept and go
   * out when the network is back. Rejects when they have not left this process.
   *
   * MUST keep the order of calls for one channel. MUST settle soon, also while the network is away. MUST bound what it
   * keeps, and reject beyond that. MUST NOT throw but reject. The bytes do not change after the call.
   */
  publish(channel: string, data: Buffer): PromiseLike<unknown>;

  /**
   * Resolves when everything that is published from now on by other processes will arrive, unchanged, once, and in the
   * order in which each process published it. Rejects when that cannot be had now; it is tried again.
   *
   * What this process publishes itself MAY arrive as well, and what came shortly before an outage MAY arrive again after
   * it: groups know what they have had.
   */
  subscribe(channel: string): PromiseLike<unknown>;

  /** MUST NOT deliver for this channel once it has resolved. */
  unsubscribe(channel: string): PromiseLike<unknown>;

  /**
   * Lets go of everything: connections, timers. What has been published goes out first, as far as it can.
   *
   * MUST NOT reject. MAY be called again. After it `publish` and `subscribe` reject.
   */
  close(): PromiseLike<unknown>;
}

/** What a backplane tells. None of these throws. */
export interface BackplaneEvents {
  /** Bytes that were published on a channel that is subscribed. */
  readonly message: (channel: string, data: Buffer) => void;
  /** The other processes cannot be reached; told once for each outage. */
  readonly cutOff: (error: Error) => void;
  /** The outage is over, and all subscriptions are in force again. */
  readonly back: () => void;
  /**
   * Messages of others have been lost for good; how many, when that is known.
   *
   * MUST come only after the position is fixed from which messages arrive again. An app reads its state again on it, and
   * must learn of each later loss.
   */
  readonly missed: (channel: string, count: number | undefined) => void;
  /** Messages that were kept (`'later'`) could not go out in the end. */
  readonly dropped: (channel: string, count: number, error: Error) => void;
}
