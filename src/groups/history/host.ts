import type { GroupMessage } from '../group-message.js';
import type { Member } from '../member.js';
import type { SequenceTracker } from '../sequence-tracker.js';
import type { BackplaneHistory } from './kept.js';
import type { HistorySettings } from './options.js';
import type { Position } from './position.js';
import type { Stamper } from './stamp.js';
import type { HistoryStore } from './store.js';

/** What all histories of a `createGroups` share. */
export interface HistoryHost {
  readonly settings: HistorySettings;
  readonly stamper: Stamper | undefined;
  readonly store: HistoryStore;
  /** Keeps the messages of all processes. Without it, they are in this process only, as after `close` of the groups. */
  readonly source: BackplaneHistory | undefined;
  /** Returns the position before the first message of a history in memory. No other history has this position. */
  begin(): Position;
  /** The origin and the last sequence of the envelopes that this process has sent. */
  readonly writer: { readonly origin: string; readonly sequence: number };
  /** Encodes the message of a {@link Welcome}. */
  encode(value: unknown): GroupMessage;
}

/** The group to which a history belongs. */
export interface HistoryGroup {
  readonly name: string;
  readonly members: ReadonlySet<Member>;
  readonly isSubscribed: boolean;
  /** Resolves with whether the group is subscribed. Resolves with `false` when that fails for now. */
  whenSubscribed(): PromiseLike<boolean>;
  /** Resolves with `true` when the group is subscribed, and with `false` when it has no members any more. */
  untilSubscribed(): PromiseLike<boolean>;
  remove(member: Member): void;
  /** Notes which messages have been there before, so that their duplicates are dropped. */
  learn(earlier: SequenceTracker): void;
}
