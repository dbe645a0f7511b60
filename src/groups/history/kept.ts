import type { Position } from './position.js';

/** An entry of a channel, as a backplane keeps it. */
export interface KeptEntry extends Position {
  /** When it was published, in milliseconds since 1970. */
  readonly time: number;
  readonly data: Buffer;
}

/** The last entries of a channel, oldest first. */
export interface KeptPage {
  readonly entries: readonly KeptEntry[];
  /** Entries just before those, oldest first, of which `data` may be cut after 32 bytes. They show duplicates. */
  readonly earlier: readonly KeptEntry[];
  /** Whether the channel has no earlier entries. */
  readonly isStart: boolean;
}

/** The part of a backplane that keeps the messages of channels. Then it also delivers those of its own process. */
export interface BackplaneHistory {
  /**
   * The time in milliseconds after which a channel without new messages may lose its entries.
   */
  readonly maxAge: number;
  /**
   * Starts to keep messages. Called once, before `start`.
   *
   * @throws {WebsocketOptionError} The backplane cannot keep that much.
   */
  keep(limits: { length: number; age: number; maxBytes: number }): void;
  /** Returns the position of the last entry that a subscribed channel has delivered. */
  position(channel: string): Position | undefined;
  /** Resolves when the channel does not deliver entries from before an outage. Rejects during an outage. */
  settled(channel: string): Promise<void>;
  /** Reads the position of the last entry that the channel has. Rejects during an outage. */
  readEnd(channel: string): Promise<Position>;
  /**
   * Reads the last entries before a position. Without one, reads those that the channel has delivered; if the channel is not
   * subscribed, reads all. Rejects during an outage.
   */
  read(channel: string, before: Position | undefined): Promise<KeptPage>;
}
