import type { IncomingMessage } from 'node:http';
import type { SchemaIssue, StandardSchema } from '../shared/standard-schema.js';
import type { ValueFormat } from '../values/codec.js';
import type { PerMessageDeflateOptions } from './deflate.js';

/** Describes a received message: a `string` for a text message, a `Buffer` for a binary one. */
export type Message = string | Buffer;

/** Maps each value of the option `messages` to the type of the messages that it allows. */
export interface MessageKinds {
  both: Message;
  text: string;
  binary: Buffer;
}
/** Names the messages that a route accepts; see the option `messages`. */
export type MessageKind = keyof MessageKinds;

/** Stands for all values of the option `messages`. */
export type MessageFormat = MessageKind | ValueFormat;

/** Returns one of the offered subprotocols, or `false` for none. Called only when the client offers some. */
export type ProtocolChooser = (offered: readonly string[], req: IncomingMessage) => string | false;

/**
 * Decides whether a page of this origin may connect. Only `true` accepts the page. A function that returns a
 * promise causes an error.
 *
 * `origin` is `undefined` when the request has no `Origin` header. Then the client is not a browser.
 */
export type OriginJudge = (origin: string | undefined, req: IncomingMessage) => boolean;

/** Limits how fast a client may send messages: `count` within `per` milliseconds. */
export interface MessageRate {
  /** The number of messages. As many may come at once after a pause. */
  count: number;
  /** The time in milliseconds. */
  per: number;
}

/** Lists the options of a route that do not decide what its messages are. {@link WebsocketOptions} adds those. */
export interface RouteOptions {
  /**
   * Lists the subprotocols of the route in order of preference, or chooses with a function (RFC 6455, 1.9). If client
   * and route have none in common, the handshake continues without one, and the route warns once.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | ProtocolChooser | undefined;
  /**
   * Sets which web pages may connect (RFC 6455, 10.2). All other pages get 403.
   *
   * By default pages of the request's own host may connect. The host is the one that Express reports: behind a
   * proxy, set `trust proxy`. `'any'` accepts all pages. A list accepts its origins: `'https://a.test'`, `'file://'`,
   * `'null'`, or a RegExp without the flags `g` and `y`, which is tested against the whole origin. A function decides for
   * each request.
   *
   * A client that sends no `Origin` header is not a browser. It may connect unless a function refuses it.
   *
   * @default the request's own host; loopback names are equal to each other
   */
  origins?: 'any' | readonly (string | RegExp)[] | OriginJudge | undefined;
  /**
   * Limits the bytes of a received message. A larger one closes the websocket with 1009; the reason states the limit.
   * With compression, the limit also applies to each compressed frame. A text message may have at most 512 MiB, which is
   * the size of the longest string in Node.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Limits the bytes of received messages that the handler has not read. Above the limit, reading from the socket pauses
   * until the unread messages take at most half of the limit. The limit bounds memory: each message counts as its payload
   * plus 144 bytes, and a small binary message as its payload plus 344 bytes.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxQueue?: number | undefined;
  /**
   * Limits how fast messages are received: at most `count` within `per` milliseconds on average, and `count` at once after a
   * pause (a token bucket). Above the limit, reading from the socket pauses. So no message is lost, and the client must wait,
   * however the messages are read. A message counts once, also after `ignoreMessages`. Its further fragments, pings, pongs and
   * the close do not count; they wait behind a message that comes too fast. What a client has sent above the limit is
   * discarded only if its connection ends without a closing handshake; a browser ends it about a minute after `close()`. While
   * reading pauses, the heartbeat does not detect a dead connection. `false` turns the limit off.
   *
   * @default false
   */
  messageRate?: MessageRate | false | undefined;
  /**
   * Sets the high-water mark: with more buffered bytes, the promise of `send()` waits for the peer.
   *
   * @default 65_536 (64 KiB)
   */
  highWaterMark?: number | undefined;
  /**
   * Limits the buffered bytes for a peer that reads too slowly. The next message above the limit ends its connection.
   * A single message may be larger than the limit. The limit bounds memory: buffered small messages are joined, and with
   * compression each message counts as its payload and 1,000 bytes more.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Pings the peer after this many milliseconds without a byte from it. Two unanswered pings end the connection
   * (RFC 6455, 5.5.2). `false` turns the heartbeat off.
   *
   * @default 25_000
   */
  heartbeat?: number | false | undefined;
  /**
   * Ends the connection if the peer does not answer our close frame within this many milliseconds.
   *
   * @default 5_000
   */
  closeTimeout?: number | undefined;
  /**
   * Turns on compression (RFC 7692), with the settings of `ws`. It takes memory and time for each connection.
   *
   * @default false
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
}

/** Describes the options of a route of any format. Routes and test clients narrow the types. */
export interface AnyOptions extends RouteOptions {
  messages?: MessageFormat | undefined;
  sends?: StandardSchema | undefined;
  invalid?: InvalidListener<never> | undefined;
}

/** Handles a message that does not fit; see the option `invalid`. `text` is the message as it came. */
export type InvalidListener<W> = (issues: readonly SchemaIssue[], websocket: W, text: string) => unknown;
