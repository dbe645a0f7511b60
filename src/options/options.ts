import type { IncomingMessage } from 'node:http';
import { optionError } from '../shared/errors.js';
import { checkEach, checkNumber, checkTime, type Check } from './checks.js';
import { checkDeflate, type PerMessageDeflateOptions } from './deflate.js';

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

/** Returns one of the offered subprotocols, or `false` for none. Called only when the client offers some. */
export type ProtocolChooser = (offered: readonly string[], req: IncomingMessage) => string | false;

/**
 * Decides whether a page of this origin may connect. Only `true` accepts the page; a promise throws.
 *
 * `origin` is `undefined` when the request has no `Origin` header. Then the client is not a browser.
 */
export type OriginJudge = (origin: string | undefined, req: IncomingMessage) => boolean;

/**
 * Lists the options of `acceptWebsocket`, `requireWebsocket`, `websocketMiddleware` and `withDefaults`.
 *
 * Sizes are whole numbers of bytes from 1 to 2 ** 31 - 1. Times are whole milliseconds from 1 to 2 ** 31 - 1. An option
 * that is `undefined` has its default. A wrong type, a wrong value or an unknown name throws a `WebsocketOptionError`
 * when the route is wrapped.
 */
export interface WebsocketOptions<Kind extends MessageKind = MessageKind> {
  /**
   * Sets which messages a client may send. With `'text'`, messages have the type `string`, and a binary one closes the
   * websocket with 1003. With `'binary'`, they have the type `Buffer`, and a text one closes it (RFC 6455, 7.4.1).
   *
   * @default 'both'
   */
  messages?: Kind | undefined;
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
   * By default pages of the request's own host may connect. Express determines this host: behind a proxy, set
   * `trust proxy`. `'any'` accepts all pages. A list accepts its origins: `'https://a.test'`, `'file://'`, `'null'`, or a
   * RegExp without the flags `g` and `y`, which is tested against the whole origin. A function decides for each request.
   *
   * A client that sends no `Origin` header is not a browser. It may connect unless a function refuses it.
   *
   * @default the request's own host; loopback names are equal to each other
   */
  origins?: 'any' | readonly (string | RegExp)[] | OriginJudge | undefined;
  /**
   * Limits the bytes of a received message. A larger one closes the websocket with 1009; the reason states the limit.
   * With compression, the limit also applies to each frame before it is inflated. A text message is at most 512 MiB
   * long, because Node has no longer strings.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Limits the bytes that are received and that the handler has not read. Above the limit, reading from the socket
   * pauses until the handler has read half of it. The limit bounds memory: each message counts as its payload and
   * 144 bytes more, a small binary one 344 more.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxQueue?: number | undefined;
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

/** Holds a value for every option. */
export type Policy = {
  readonly [Name in keyof WebsocketOptions]-?: Exclude<WebsocketOptions[Name], undefined>;
};

export const DEFAULT_CLOSE_TIMEOUT = 5_000;
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** Stands for the same-origin rule. Compare it by identity: an empty list accepts no origin. */
export const SAME_ORIGIN: readonly never[] = Object.freeze([]);

const DEFAULTS: Policy = {
  messages: 'both',
  protocols: [],
  origins: SAME_ORIGIN,
  maxPayload: 2 ** 20,
  maxQueue: 2 ** 20,
  highWaterMark: 2 ** 16,
  maxBuffered: 2 ** 24,
  heartbeat: 25_000,
  closeTimeout: DEFAULT_CLOSE_TIMEOUT,
  perMessageDeflate: false,
};

const CHECKS: Readonly<Record<keyof Policy, Check>> = {
  messages: checkMessages,
  protocols: checkProtocols,
  origins: checkOrigins,
  maxPayload: checkSize,
  maxQueue: checkSize,
  highWaterMark: checkSize,
  maxBuffered: checkSize,
  heartbeat: (value, name) => {
    if (value !== false)
      checkNumber(value, name, 'whole milliseconds from 1 to 2 ** 31 - 1, or false for none');
  },
  closeTimeout: checkTime,
  perMessageDeflate: checkDeflate,
};

/**
 * Checks options, and adds the defaults of missing ones.
 *
 * @throws {WebsocketOptionError} An option is wrong or unknown. The error names the option, the rule and the value.
 */
export function resolveOptions(options: WebsocketOptions | undefined, defaults: Policy = DEFAULTS): Policy {
  // A new object for each route, because warnings appear once for each route.
  const given = options === undefined ? {} : checkEach(options, CHECKS);
  // A copy, so that later changes of the caller's object have no effect.
  if (typeof given.perMessageDeflate === 'object')
    given.perMessageDeflate = structuredClone(given.perMessageDeflate);
  return Object.freeze({ ...defaults, ...given });
}

function checkSize(value: unknown, name: string): void {
  checkNumber(value, name, 'a whole number of bytes from 1 to 2 ** 31 - 1');
}

function checkMessages(value: unknown, name: string): void {
  const rule = "'text', 'binary' or 'both'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  if (value !== 'both' && value !== 'text' && value !== 'binary')
    throw optionError(RangeError, name, rule, value);
}

// The name of a subprotocol is a token of RFC 9110, 5.6.2.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function checkProtocols(value: unknown, name: string): void {
  const rule = "a list of subprotocol names, such as ['chat'], or a function (offered, req) => name or false";
  if (typeof value === 'function') return;
  if (!Array.isArray(value)) throw optionError(TypeError, name, rule, value);
  for (const item of value as unknown[]) {
    if (typeof item !== 'string') throw optionError(TypeError, name, rule, item);
    if (!TOKEN.test(item))
      throw optionError(RangeError, name, `${rule} (a name is a token of RFC 9110)`, item);
  }
}

// An origin as browsers write it (HTML, 7.1.1). Web views and extensions also send file://, content:// and app://-. Only
// network schemes need a host.
const ORIGIN = /^(?:null|(?:https?|wss?):\/\/[^/?#@\s]+|(?!https?:|wss?:)[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]*)$/i;

/** Checks whether a text is an origin that the option `origins` may list. */
export function isOrigin(text: string): boolean {
  return ORIGIN.test(text);
}

function checkOrigins(value: unknown, name: string): void {
  const rule =
    "'any', a list such as ['https://example.org', /^https:\\/\\/[a-z]+\\.example\\.org$/], or a function";
  if (value === 'any' || typeof value === 'function') return;
  if (!Array.isArray(value)) throw optionError(TypeError, name, rule, value);
  for (const item of value as unknown[]) {
    if (item instanceof RegExp) {
      // A RegExp with g or y starts where its last match ended, so it would refuse every other request.
      if (item.global || item.sticky)
        throw optionError(TypeError, name, 'a RegExp without the flags g and y', item);
    } else if (typeof item !== 'string') {
      throw optionError(TypeError, name, rule, item);
    } else if (!isOrigin(item)) {
      throw optionError(
        RangeError,
        name,
        'an origin: scheme://host, scheme://host:port, file:// or null, and no path',
        item,
      );
    }
  }
}
