import type { SchemaInput, SchemaIssue, SchemaOutput, StandardSchema } from '../shared/standard-schema.js';

// The types of the platform come from lib.dom or from Node's types, whichever a project has. Without both, these remain.

interface BasicSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}
interface BasicEventTarget {
  addEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
  removeEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
}
type OfPlatform<Name extends string, Basic> =
  typeof globalThis extends Record<Name, { prototype: infer T }> ? T : Basic;
type PlatformSignal = OfPlatform<'AbortSignal', BasicSignal>;
type PlatformEventTarget = OfPlatform<'EventTarget', BasicEventTarget>;

/**
 * Names the state of a websocket that reconnects: `'connecting'` during a handshake, `'waiting'` between two attempts, and
 * `'closed'` when it has stopped for good.
 */
export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed';

/** Maps each value of the option `messages` to the type of the messages that it allows. */
export interface ClientMessageKinds {
  both: string | Uint8Array;
  text: string;
  binary: Uint8Array;
}

/** Stands for all values of the option `messages`. */
export type ClientMessageFormat = keyof ClientMessageKinds | 'json' | StandardSchema;

/** Stands for the type of the messages that a client receives, by its option `messages`. */
export type ReceivedByClient<Format extends ClientMessageFormat> = Format extends keyof ClientMessageKinds
  ? ClientMessageKinds[Format]
  : Format extends StandardSchema
    ? SchemaOutput<Format>
    : unknown;

/** Stands for the messages that a client sends without `messages: 'json'` and without a schema. */
export type ClientData = string | ArrayBuffer | ArrayBufferView;

/** Stands for the type of the messages that a client sends, by its options `messages` and `sends`. */
export type SentByClient<
  Format extends ClientMessageFormat,
  Sends extends StandardSchema,
> = Format extends keyof ClientMessageKinds ? ClientData : SchemaInput<Sends>;

/** Describes how a connection was lost, or why the client has stopped. */
export interface CloseInfo {
  /** The close code. 1005: the close frame had no code. 1006: there was no close frame, or no connection. */
  readonly code: number;
  /**
   * The reason of the close frame. With 1006, what the client knows: `'refused with 403'`, `'connectTimeout'`, `'offline'`,
   * `'sleep'` (of the computer), `'pageshow'` (the page was in the back/forward cache), the error of an attempt, or `''`.
   */
  readonly reason: string;
  /** Whether both sides have sent a close frame. */
  readonly wasClean: boolean;
}

/** Describes the message that `welcome` of a group with a history returns. */
export interface HistoryStart {
  /** The id from which on the client gets everything. */
  readonly position: string;
  /** Whether no message is missing between the last one that the client has had and the next one. */
  readonly complete: boolean;
}

/** Describes a `WebSocket` class: that of browsers, of Node, or of `ws`. */
export type WebSocketClass = new (
  url: string,
  protocols: string[],
) => {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  send(data: string | ArrayBuffer): void;
  close(code?: number, reason?: string): void;
};

/**
 * Stands for where to connect: an absolute URL, or a path relative to the page. `http` means `ws`, and `https` means `wss`.
 *
 * A function is called for each attempt, for instance to get a new token. It may return a promise. `null` stops for good.
 * If it throws or rejects, the client tries again later, because the network may be away.
 */
export type ClientUrl =
  string | PlatformUrl | (() => string | PlatformUrl | null | Promise<string | PlatformUrl | null>);
/** Stands for the `URL` of the platform. */
export type PlatformUrl = OfPlatform<'URL', { readonly href: string }>;

/**
 * Lists the options of `connect`. Numbers are whole, from 1 to 2 ** 31 - 1: times are milliseconds, sizes are bytes. An option
 * that is `undefined` has its default. A wrong number or an unknown name throws.
 */
export interface ClientOptions<
  Format extends ClientMessageFormat = keyof ClientMessageKinds,
  Sends extends StandardSchema = StandardSchema,
> {
  /**
   * Sets which messages the server may send, as the option `messages` of a route does. With `'text'`, messages are strings.
   * With `'binary'`, they have the type `Uint8Array`. With `'json'`, they are values parsed from text. With a schema (zod,
   * valibot, arktype, or another Standard Schema), the values are also checked.
   *
   * A message that does not fit or has the wrong kind stops the client with 4007. A server closes with 1003 and 1007, which
   * browsers do not let a page send.
   *
   * @default 'both'
   */
  messages?: Format | undefined;
  /**
   * Sets the type of the values that `send` takes, with a schema. Only TypeScript uses it: the server checks what arrives.
   * Needs `messages: 'json'` or a schema.
   *
   * @default none (any value that JSON can represent)
   */
  sends?: Sends | undefined;
  /**
   * Handles a message that does not fit, instead of stopping with 4007. The message is skipped. `data` is the message as it
   * came.
   *
   * @default none (stops with 4007)
   */
  invalid?:
    | ((
        issues: readonly SchemaIssue[],
        socket: ReconnectingWebsocket<ReceivedByClient<Format>, SentByClient<Format, Sends>>,
        data: string | Uint8Array,
      ) => unknown)
    | undefined;
  /**
   * Lists the subprotocols to offer (RFC 6455, 1.9). If the server selects none of them, a browser refuses the connection.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | undefined;
  /**
   * Says where the ids of a group's history are, so that the client resumes there: the name of a field, as in the option
   * `history.stamp` of the server, or a function that returns the id of a message (not that of `welcome`). From the second
   * attempt on, the URL has the last id as `?since=`. The name of a field needs `messages: 'json'` or a schema. The id is read
   * before a schema sees the message.
   *
   * The client also takes the `position` of the message that `welcome` of the group returns.
   *
   * @default none (the client does not resume)
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- only the app knows its messages
  stamp?: string | ((message: any) => unknown) | undefined;
  /**
   * Handles the message that `welcome` of a group returns, which then does not go to the reader, nor to a schema: an object
   * with `position` and `complete`. If `complete` is `false`, messages are missing: load them in another way, or start over.
   * Needs `messages: 'json'` or a schema.
   *
   * @default none (it is an ordinary message)
   */
  welcome?: ((start: HistoryStart) => unknown) | undefined;
  /**
   * Decides after each loss whether to stop for good.
   *
   * @default stops at 1000, 1008, 4400 to 4499, and a handshake that was refused with 400 to 499 except 408, 425 and 429
   */
  stop?: ((close: CloseInfo) => boolean) | undefined;
  /**
   * Sets the shortest pause before the second attempt. The pause is random, between `minPause` and five times as long. It
   * doubles with each failed attempt. It starts anew when a connection has been open for ten seconds.
   *
   * @default 1_000
   */
  minPause?: number | undefined;
  /**
   * Limits the pauses. The longest ones are random, between a fifth of `maxPause` and `maxPause`.
   *
   * @default 30_000
   */
  maxPause?: number | undefined;
  /**
   * Limits the time of an attempt, with the function that returns the URL.
   *
   * @default 10_000
   */
  connectTimeout?: number | undefined;
  /**
   * Limits the time that `close` waits for the close frame of the server.
   *
   * @default 5_000
   */
  closeTimeout?: number | undefined;
  /**
   * Limits the messages that are kept while there is no open connection. Each counts as its bytes (a text as its
   * characters) plus 100. A single message may be larger.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Sets the `WebSocket` class, for Node 20: `import { WebSocket } from 'ws'`.
   *
   * @default globalThis.WebSocket
   */
  WebSocket?: WebSocketClass | undefined;
}

/**
 * Represents a websocket that reconnects. `connect` returns it.
 *
 * Its members are those of `req.websocket` on the server. Reading goes on over reconnections: the end that `wait`, `read` and
 * iterations report is the end for good. The event `'state'` comes after each change of `state`.
 */
export interface ReconnectingWebsocket<M = string | Uint8Array, Out = ClientData>
  extends AsyncIterable<M>, PlatformEventTarget {
  /** Returns what it does now. The event `'state'` comes after each change. */
  readonly state: ClientState;
  /** Returns how the last connection or attempt ended, or `undefined` at first. A page can show it while it waits. */
  readonly lastClose: CloseInfo | undefined;
  /** Returns the subprotocol of the connection, or `''`. */
  readonly protocol: string;
  /** Resolves with the close code and reason when it has stopped for good. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /** Returns a signal that aborts when it stops for good. Its reason is an error with the code `ERR_WEBSOCKET_CLOSED`. */
  readonly signal: PlatformSignal;
  /**
   * Waits for the oldest unread message.
   *
   * Resolves with `null` when `timeout` has passed, and once when it has stopped for good and no message is left. If several
   * calls are pending at the end, all of them resolve with `null`. Concurrent calls get messages in order. A call that has
   * timed out takes no message.
   *
   * @param timeout Whole milliseconds from 0 to 2 ** 31 - 1. Without a timeout, it waits without a limit.
   * @throws {Error} (as a rejection) The end was reported before. The `code` is `ERR_WEBSOCKET_CLOSED`.
   * @throws {RangeError | TypeError} `timeout` is out of range, or not a number.
   */
  wait(timeout?: number): Promise<M | null>;
  /**
   * Returns the oldest unread message, or `fallback` when there is none. After the end it returns the remaining messages, and
   * then `fallback` once.
   *
   * @throws {Error} The end was reported before. The `code` is `ERR_WEBSOCKET_CLOSED`.
   */
  read<F = null>(fallback?: F): M | F;
  /** Returns the number of unread messages. Those that a schema still checks count, too. */
  countMessages(): number;
  /** Returns whether there is an unread message. */
  hasMessages(): boolean;
  /** Iterates over all messages, of all connections, until it stops for good. After `break` it can be iterated again. */
  [Symbol.asyncIterator](): AsyncIterableIterator<M>;
  /**
   * Sends a message: a string as text, bytes as binary, and with `messages: 'json'` or a schema any value as JSON.
   *
   * Without an open connection, the message is kept, and sent in order when there is one. Resolves with `true` when an open
   * connection has taken the message and has at most 64 KiB left to send, or has been lost. Resolves with
   * `false` if the message is never sent: `maxBuffered` has no room, or the client stops first. Never rejects.
   *
   * No message is sent twice. So one that a lost connection had taken may not have arrived; only an answer of the server can
   * tell.
   *
   * @throws {TypeError} `data` is not a message.
   */
  send(data: Out): PromiseLike<boolean>;
  /**
   * Stops for good. An open connection is closed (RFC 6455, 7.1.2), after what `send` has passed to it. Kept messages are
   * dropped. Resolves when the connection has ended, at the latest after `closeTimeout`. Further calls have no effect.
   *
   * @param code 1000, or 3000 to 4999: browsers do not allow others.
   * @param reason At most 123 bytes in UTF-8.
   * @throws {RangeError} The code must not be sent, or the reason is too long.
   */
  close(code?: number, reason?: string): PromiseLike<void>;
  /** Returns whether it has stopped for good, even if there are unread messages. */
  isClosed(): boolean;
}
