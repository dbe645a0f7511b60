import { optionError } from '../shared/errors.js';
import { Codec } from '../values/codec.js';
import { checkCount, checkEach, checkNames, checkNumber, checkTime, type Check } from './checks.js';
import { checkDeflate } from './deflate.js';
import type { AnyOptions, InvalidListener, MessageKind, RouteOptions } from './options.js';
import { A_SCHEMA, checkSchema, isSchema } from './schema.js';

/** Holds a value for every option. */
export type Policy = {
  readonly [Name in keyof RouteOptions]-?: Exclude<RouteOptions[Name], undefined>;
} & {
  readonly messages: MessageKind;
  /** Set if text messages are values. Then `messages` is `'text'`. */
  readonly values: ValuePolicy | undefined;
};

/** Holds the options for messages that are values. */
export interface ValuePolicy {
  readonly codec: Codec;
  readonly invalid: InvalidListener<never> | undefined;
}

export const DEFAULT_CLOSE_TIMEOUT = 5_000;
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** Stands for the same-origin rule. Compare it by identity: an empty list accepts no origin. */
export const SAME_ORIGIN: readonly never[] = Object.freeze([]);

const DEFAULTS: Policy = {
  messages: 'both',
  values: undefined,
  protocols: [],
  origins: SAME_ORIGIN,
  maxPayload: 2 ** 20,
  maxQueue: 2 ** 20,
  messageRate: false,
  highWaterMark: 2 ** 16,
  maxBuffered: 2 ** 24,
  heartbeat: 25_000,
  closeTimeout: DEFAULT_CLOSE_TIMEOUT,
  perMessageDeflate: false,
};

const CHECKS: Readonly<Record<keyof AnyOptions, Check>> = {
  messages: checkMessages,
  sends: checkSchema,
  invalid: checkInvalid,
  protocols: checkProtocols,
  origins: checkOrigins,
  maxPayload: checkSize,
  maxQueue: checkSize,
  messageRate: checkMessageRate,
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
export function resolveOptions(options: AnyOptions | undefined, defaults: Policy = DEFAULTS): Policy {
  // A new object for each route, because warnings appear once for each route.
  const { messages, sends, invalid, ...given } = (
    options === undefined ? {} : checkEach(options, CHECKS)
  ) as AnyOptions;
  // A copy, so that later changes of the caller's object have no effect.
  if (typeof given.perMessageDeflate === 'object')
    given.perMessageDeflate = structuredClone(given.perMessageDeflate);
  if (typeof given.messageRate === 'object') given.messageRate = { ...given.messageRate };
  const resolved = { ...defaults, ...given, ...resolveMessages({ messages, sends, invalid }, defaults) };
  return Object.freeze(resolved as Policy);
}

function resolveMessages(
  { messages, sends, invalid }: Pick<AnyOptions, 'messages' | 'sends' | 'invalid'>,
  defaults: Policy,
): Pick<Policy, 'messages' | 'values'> {
  const format = messages ?? defaults.values?.codec.format ?? defaults.messages;
  if (isMessageKind(format)) {
    if (sends !== undefined) throw needsValues('sends', sends, format);
    if (invalid !== undefined) throw needsValues('invalid', invalid, format);
    return { messages: format, values: undefined };
  }
  const codec = new Codec(format, sends ?? defaults.values?.codec.sends);
  return { messages: 'text', values: { codec, invalid: invalid ?? defaults.values?.invalid } };
}

/** Returns whether a value of the option `messages` names text or bytes, and not values. */
export function isMessageKind(value: unknown): value is MessageKind {
  return value === 'both' || value === 'text' || value === 'binary';
}

function needsValues(name: string, value: unknown, messages: MessageKind): Error {
  const rule = `used together with messages: 'json' or a schema (messages is '${messages}' here)`;
  return optionError(TypeError, name, rule, value);
}

function checkSize(value: unknown, name: string): void {
  checkNumber(value, name, 'a whole number of bytes from 1 to 2 ** 31 - 1');
}

function checkMessageRate(value: unknown, name: string): void {
  if (value === false) return;
  const rule = 'an object such as { count: 20, per: 1_000 }, or false for no limit';
  const { count, per } = checkNames(value, ['count', 'per'], name, rule);
  checkCount(count, `${name}.count`);
  checkTime(per, `${name}.per`);
}

function checkMessages(value: unknown, name: string): void {
  const rule = `'text', 'binary', 'both', 'json', or ${A_SCHEMA}`;
  if (isMessageKind(value) || value === 'json') return;
  if (typeof value === 'string') throw optionError(RangeError, name, rule, value);
  if (!isSchema(value)) throw optionError(TypeError, name, rule, value);
}

function checkInvalid(value: unknown, name: string): void {
  if (typeof value !== 'function')
    throw optionError(TypeError, name, 'a function (issues, websocket, text) => …', value);
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
      // A RegExp with g or y starts where its last match ended. So it would refuse an allowed origin at every second
      // request.
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
