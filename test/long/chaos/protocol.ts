/** What the conductor of a chaos run and its processes tell each other. */

/** The backplanes. */
export type Kind = 'pubsub' | 'streams' | 'nats' | 'postgres' | 'local';
export const REDIS_KINDS: readonly Kind[] = ['pubsub', 'streams'];

export interface PlayerOptions {
  /** The number of the process. */
  readonly index: number;
  readonly kinds: readonly Kind[];
  /** Of the client for Redis, as in `clientKinds`. */
  readonly client?: string;
  /** Of the server, or the path of the socket. */
  readonly url: string;
  readonly rooms: number;
  /** Milliseconds between two messages to a random room, over each backplane. */
  readonly pace: number;
  readonly timeout: number;
  readonly maxBuffered: number;
  readonly seed: number;
}

export type Order =
  | { readonly do: 'flood'; readonly room: number; readonly count: number }
  | { readonly do: 'join' | 'leave'; readonly kind: Kind; readonly count: number }
  | { readonly do: 'start' | 'status' | 'collect' | 'stop' | 'finish' | 'report' | 'reopen' | 'exit' };

/** What became of a message: taken, kept, or refused. */
export type Fate = 'true' | 'later' | 'false';

export interface SentMessage {
  readonly time: number;
  readonly fate: Fate;
}

/** Messages of one process that did not come to a member. */
export interface Gap {
  readonly sender: number;
  readonly from: number;
  readonly to: number;
  /** When the message after the gap came. */
  readonly seen: number;
  /** When the member joined, if it has joined again since. */
  readonly joined?: number;
}

export interface RoomReport {
  readonly sent: readonly SentMessage[];
  readonly joined: number;
  readonly gaps: readonly Gap[];
  /** When it was told that messages are missed. */
  readonly missed: readonly number[];
  /** How many kept messages it was told could not go out. */
  readonly dropped: number;
}

export interface SideReport {
  readonly rooms: readonly RoomReport[];
  /** From `cutOff` to `back`. */
  readonly outages: readonly { readonly from: number; readonly to: number }[];
}

export type Report = Partial<Record<Kind, SideReport>>;

export interface Status {
  readonly cutOff: readonly Kind[];
  /** Bytes: the largest resident set so far, and the heap. */
  readonly rss: number;
  readonly heap: number;
  readonly received: number;
}

export type Answer =
  | { readonly ready: true }
  | { readonly fault: string }
  | { readonly done: Order['do']; readonly status?: Status; readonly report?: Report };
