import type { IncomingMessage } from 'node:http';
import { optionError } from '../shared/errors.js';
import { checkEach, checkNumber, checkTime, type Check } from './checks.js';
import { checkDeflate, type PerMessageDeflateOptions } from './deflate.js';

/** What a websocket receives: a `string` for a text message, a `Buffer` for a binary one. */
export type Message = string | Buffer;

/** The values of the option `messages`, and the type of message that each lets through. */
export interface MessageKinds {
  both: Message;
  text: string;
  binary: Buffer;
}
/** Which messages a route takes; see the option `messages`. */
export type MessageKind = keyof MessageKinds;

/** Chooses the subprotocol: one of those offered, or `false` for none. Asked only when the client offers some. */
export type ProtocolChooser = (offered: readonly string[], req: IncomingMessage) => string | false;

/**
 * Whether a page of this origin may connect. Only `true` lets it in; a promise throws. `origin` is `undefined` when
 * the request has no `Origin` header, as from a client that is no browser.
 */
export type OriginJudge = (origin: string | undefined, req: IncomingMessage) => boolean;

/**
 * Options of `acceptWebsocket`, `requireWebsocket`, `websocketMiddleware` and `withDefaults`.
 *
 * Sizes are whole numbers of bytes from 1 to 2 ** 31 - 1, times whole milliseconds from 1 to 2 ** 31 - 1. An option that
 * is `undefined` has its default. A wrong type, a wrong value or an unknown name throws a `WebsocketOptionError`
 * when the route is wrapped.
 */
export interface WebsocketOptions<Kind extends MessageKind = MessageKind> {
  /**
   * Which messages a client may send. With `'text'` messages are typed `string` and a binary one closes the websocket
   * with 1003; with `'binary'` they are typed `Buffer` and a text one does (RFC 6455, 7.4.1).
   *
   * @default 'both'
   */
  messages?: Kind | undefined;
  /**
   * The subprotocols that the route speaks, in order of preference, or a function that chooses (RFC 6455, 1.9). When
   * client and route have none in common, the handshake goes on without one, and one warning a route says so.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | ProtocolChooser | undefined;
  /**
   * Which web pages may connect. By default those of the request's own host (as Express sees it: behind a proxy set
   * `trust proxy`); `'any'` lets in all, a list those origins (`'https://a.test'`, `'file://'`, `'null'`, or a RegExp
   * without `g` and `y` that is tried on the whole origin), a function decides. Others get 403. A client that sends no
   * `Origin` header is no browser and is let in, unless a function refuses it (RFC 6455, 10.2).
   *
   * @default the request's own host; loopback names are equal to each other
   */
  origins?: 'any' | readonly (string | RegExp)[] | OriginJudge | undefined;
  /**
   * Bytes of the largest message that is taken. A larger one closes the websocket with 1009 and a reason that says the
   * limit. With compression, a frame must not be longer than this before it is inflated, either. A text never has more
   * than 512 MiB, which is what Node's longest string has.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Bytes that may have been received and not yet read by the handler. Beyond it nothing more is read from the
   * socket, until half of it has been read by the handler. It bounds memory: each message counts 144 bytes more than its
   * payload, a small binary one 344.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxQueue?: number | undefined;
  /**
   * Bytes waiting to be sent beyond which the promise of `send()` waits for the peer.
   *
   * @default 65_536 (64 KiB)
   */
  highWaterMark?: number | undefined;
  /**
   * Bytes waiting to be sent beyond which a peer that reads too slowly is cut off, when the next message is sent to it. One
   * message may be larger. It bounds memory: small messages are joined while they wait, and with compression each counts
   * 1,000 bytes more than its payload.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Milliseconds without a byte from the peer after which it is pinged; when a second ping is not answered either,
   * the connection is ended (RFC 6455, 5.5.2). `false` turns it off.
   *
   * @default 25_000
   */
  heartbeat?: number | false | undefined;
  /**
   * Milliseconds that the peer has to answer our close frame before the connection is cut.
   *
   * @default 5_000
   */
  closeTimeout?: number | undefined;
  /**
   * Compression (RFC 7692), with the settings of `ws`. Costs memory and time for each connection.
   *
   * @default false
   */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
}

/** All options, each with its value. */
export type Policy = {
  readonly [Name in keyof WebsocketOptions]-?: Exclude<WebsocketOptions[Name], undefined>;
};

export const DEFAULT_CLOSE_TIMEOUT = 5_000;
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** The same-origin rule needs the request, so it is told from an empty list by identity. */
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
 * Checks options and fills in what is not given.
 *
 * @throws {WebsocketOptionError} naming the option, the rule and the value.
 */
export function resolveOptions(options: WebsocketOptions | undefined, defaults: Policy = DEFAULTS): Policy {
  // A new object for each route: warnings are given once for each.
  const given = options === undefined ? {} : checkEach(options, CHECKS);
  // A copy, as the options themselves: what becomes of the object later changes nothing.
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

// A token of RFC 9110, 5.6.2, which is what a subprotocol's name is.
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

// As browsers write it (HTML, 7.1.1), with what web views and extensions send besides: file://, content://, app://-. Only
// the schemes of a network have a host in any case.
const ORIGIN = /^(?:null|(?:https?|wss?):\/\/[^/?#@\s]+|(?!https?:|wss?:)[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]*)$/i;

/** Whether a text is an origin that can be listed. */
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
      // A RegExp with g or y remembers where it stopped: it would let in every other request.
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
