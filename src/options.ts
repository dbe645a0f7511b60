import type { IncomingMessage } from 'node:http';
import { createDeflateRaw, createInflateRaw, type ZlibOptions } from 'node:zlib';
import { describe, optionError } from './errors.js';

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

/** The settings of permessage-deflate (RFC 7692) that `ws` takes. */
export interface PerMessageDeflateOptions {
  /**
   * Whether we compress each message by itself: less memory, worse compression.
   *
   * @default as the client asks
   */
  serverNoContextTakeover?: boolean | undefined;
  /**
   * Whether the client has to.
   *
   * @default as the client offers
   */
  clientNoContextTakeover?: boolean | undefined;
  /**
   * The window of our compression, as a power of two from 8 to 15; `false` refuses a client that asks for one.
   *
   * @default as the client asks, else 15
   */
  serverMaxWindowBits?: boolean | number | undefined;
  /**
   * The window of the client's compression, as a power of two from 8 to 15.
   *
   * @default 15
   */
  clientMaxWindowBits?: boolean | number | undefined;
  /**
   * `chunkSize`, `level`, `memLevel` and `strategy` of Node's zlib, for what we send.
   *
   * @default those of zlib
   */
  zlibDeflateOptions?: Pick<ZlibOptions, 'chunkSize' | 'level' | 'memLevel' | 'strategy'> | undefined;
  /**
   * `chunkSize` of Node's zlib, for what we receive.
   *
   * @default that of zlib
   */
  zlibInflateOptions?: Pick<ZlibOptions, 'chunkSize'> | undefined;
  /**
   * Bytes below which a message is not compressed where each is compressed by itself; 0 compresses all.
   *
   * @default 1_024
   */
  threshold?: number | undefined;
  /**
   * How many messages may be compressed at a time, in the whole process; the first route that compresses decides.
   *
   * @default 10
   */
  concurrencyLimit?: number | undefined;
}

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
   * client and route have none in common, the handshake goes on without one.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | ProtocolChooser | undefined;
  /**
   * Which web pages may connect. By default those of the request's own host (as Express sees it: behind a proxy set
   * `trust proxy`); `'any'` lets in all, a list those origins (`'https://a.test'`, or a RegExp without `g` and `y`
   * that is tried on the whole origin), a function decides. Others get 403. A client that sends no `Origin` header is
   * no browser and is let in, unless a function refuses it (RFC 6455, 10.2).
   *
   * @default the request's own host; loopback names are equal to each other
   */
  origins?: 'any' | readonly (string | RegExp)[] | OriginJudge | undefined;
  /**
   * Bytes of the largest message that is taken; a larger one closes the websocket with 1009.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Bytes that may have been received and not yet read by the handler. Beyond it nothing more is read from the
   * socket, until half of it has been read by the handler. Each message counts 96 bytes more than its payload.
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
   * message may be larger.
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

const MAX_INT = 2 ** 31 - 1;

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

const CHECKS: { readonly [Name in keyof Policy]: (value: unknown, name: string) => void } = {
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
  if (options === undefined) return defaults;
  const given = checkNames(options, Object.keys(CHECKS));
  for (const [name, value] of Object.entries(given)) CHECKS[name as keyof Policy](value, name);
  // A copy, as the options themselves: what becomes of the object later changes nothing.
  if (typeof given.perMessageDeflate === 'object')
    given.perMessageDeflate = structuredClone(given.perMessageDeflate);
  return Object.freeze({ ...defaults, ...given });
}

/**
 * The options that are given (and not `undefined`), after a check that each name is one of `names`.
 *
 * @param parent The option whose settings they are.
 */
export function checkNames(
  options: unknown,
  names: readonly string[],
  parent = '',
  rule?: string,
): Record<string, unknown> {
  checkObject(options, parent === '' ? 'options' : parent, rule);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name)) {
      throw optionError(
        TypeError,
        parent === '' ? name : `${parent}.${name}`,
        unknownRule(name, names),
        value,
      );
    }
    if (value !== undefined) given[name] = value;
  }
  return given;
}

export function checkObject(
  options: unknown,
  name = 'options',
  rule = 'an object',
): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return;
  throw optionError(TypeError, name, rule, options);
}

function unknownRule(name: string, names: readonly string[]): string {
  if (name === 'handshakeTimeout') return 'given to attachWebsocket(server, { handshakeTimeout })';
  if (name === 'acceptAll') return 'given to websocketMiddleware({ acceptAll })';
  return `left out, for there is no such option here (there are ${names.join(', ')})`;
}

export function checkTime(value: unknown, name: string): void {
  checkNumber(value, name, 'whole milliseconds from 1 to 2 ** 31 - 1');
}

function checkSize(value: unknown, name: string): void {
  checkNumber(value, name, 'a whole number of bytes from 1 to 2 ** 31 - 1');
}

function checkNumber(value: unknown, name: string, rule: string, min = 1, max = MAX_INT): void {
  if (typeof value !== 'number') throw optionError(TypeError, name, rule, value);
  if (!Number.isInteger(value) || value < min || value > max)
    throw optionError(RangeError, name, rule, value);
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

const ORIGIN = /^(?:null|[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+)$/i;

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
    } else if (!ORIGIN.test(item)) {
      throw optionError(
        RangeError,
        name,
        'an origin: scheme://host, or scheme://host:port, and no path',
        item,
      );
    }
  }
}

const DEFLATE_CHECKS: Readonly<
  Record<keyof PerMessageDeflateOptions, (value: unknown, name: string) => void>
> = {
  serverNoContextTakeover: checkBoolean,
  clientNoContextTakeover: checkBoolean,
  serverMaxWindowBits: checkWindowBits,
  clientMaxWindowBits: checkWindowBits,
  zlibDeflateOptions: (value, name) => {
    checkZlib(value, name, ['chunkSize', 'level', 'memLevel', 'strategy'], createDeflateRaw);
  },
  zlibInflateOptions: (value, name) => {
    checkZlib(value, name, ['chunkSize'], createInflateRaw);
  },
  threshold: (value, name) => {
    checkNumber(value, name, 'a whole number of bytes from 0 to 2 ** 31 - 1', 0);
  },
  concurrencyLimit: (value, name) => {
    checkNumber(value, name, 'a whole number from 1 to 2 ** 31 - 1');
  },
};

function checkDeflate(value: unknown, name: string): void {
  if (typeof value === 'boolean') return;
  const given = checkNames(
    value,
    Object.keys(DEFLATE_CHECKS),
    name,
    "true, false, or an object with ws's settings",
  );
  for (const [setting, one] of Object.entries(given)) {
    DEFLATE_CHECKS[setting as keyof PerMessageDeflateOptions](one, `${name}.${setting}`);
  }
}

function checkBoolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') throw optionError(TypeError, name, 'true or false', value);
}

function checkWindowBits(value: unknown, name: string): void {
  if (typeof value !== 'boolean')
    checkNumber(value, name, 'true, false, or a whole number from 8 to 15 (RFC 7692, 7.1.2)', 8, 15);
}

/** Asks zlib itself, which would refuse only when the first message comes: an error there ends the process. */
function checkZlib(
  value: unknown,
  name: string,
  names: readonly string[],
  create: (options: ZlibOptions) => { close(): void },
): void {
  for (const [setting, one] of Object.entries(checkNames(value, names, name))) {
    const full = `${name}.${setting}`;
    if (typeof one !== 'number') throw optionError(TypeError, full, 'a whole number', one);
    if (!Number.isInteger(one)) throw optionError(RangeError, full, 'a whole number', one);
    try {
      create({ [setting]: one }).close();
    } catch (error) {
      throw optionError(RangeError, full, `one that zlib takes (${(error as Error).message})`, one);
    }
  }
}

/** Checks that what is given as a handler is one. */
export function checkHandler(handler: unknown, wrapper: string): void {
  if (typeof handler === 'function') return;
  throw new TypeError(
    `${wrapper} takes the route's handler, a function (req, res) => …; got ${describe(handler)}`,
  );
}
