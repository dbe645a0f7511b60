import { checkCount, checkEach, checkTime } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';
import { COMMON_CHECKS, COMMON_DEFAULTS, DEFAULT_PREFIX } from '../common-options.js';

/** Lists the options of {@link redisBackplane}. */
export interface RedisBackplaneOptions {
  /**
   * Sets how the names of channels and keys begin. All processes of one app need the same prefix. Apps that share a Redis
   * need different ones: a database number separates keys, but not channels.
   *
   * @default 'dwebsocket'
   */
  prefix?: string | undefined;
  /**
   * Limits the bytes of a message to other processes. A larger one reaches only the members in this process, and `send`
   * resolves with the error. Redis disconnects a subscriber whose output buffer exceeds `client-output-buffer-limit pubsub`
   * (32 MiB, or 8 MiB for a minute).
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Reports an outage when Redis has not answered for this many milliseconds.
   *
   * @default 5_000
   */
  timeout?: number | undefined;
  /**
   * Limits the memory, in bytes, of messages that Redis has not confirmed. Above the limit a message reaches only the
   * members in this process, and `send` resolves with the error `ERR_WEBSOCKET_BACKPLANE_FULL`. The limit includes the
   * memory that it takes to keep each message.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBuffered?: number | undefined;
}

/** Lists the options of {@link redisStreamBackplane}. */
export interface RedisStreamBackplaneOptions extends RedisBackplaneOptions {
  /**
   * Sets how many messages of each group Redis keeps for processes that are cut off. Redis trims in blocks, so it may keep
   * more for a while.
   */
  maxLength: number;
  /**
   * Deletes the messages of a group this many milliseconds after its last message. Choose a time longer than any outage.
   *
   * @default 3_600_000 (one hour)
   */
  maxAge?: number | undefined;
  /**
   * Limits the bytes that Redis keeps of each group's messages. Above the limit it deletes the oldest messages; the newest
   * one always stays. Each message counts as its bytes and 64 more.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBytes?: number | undefined;
}

const PUBSUB_CHECKS = { ...COMMON_CHECKS, prefix: checkPrefix };
const STREAM_CHECKS = { ...PUBSUB_CHECKS, maxLength: checkCount, maxBytes: checkCount, maxAge: checkTime };

const DEFAULTS = { ...COMMON_DEFAULTS, prefix: DEFAULT_PREFIX };
const STREAM_DEFAULTS = { ...DEFAULTS, maxBytes: 2 ** 24, maxAge: 3_600_000 };

export type PubSubSettings = typeof DEFAULTS;
export type StreamSettings = typeof STREAM_DEFAULTS & { maxLength: number };

export function resolvePubSubOptions(options: RedisBackplaneOptions): PubSubSettings {
  return { ...DEFAULTS, ...checkEach(options, PUBSUB_CHECKS) };
}

export function resolveStreamOptions(options: RedisStreamBackplaneOptions): StreamSettings {
  const given = checkEach(options, STREAM_CHECKS) as Partial<StreamSettings>;
  const { maxLength } = given;
  if (maxLength === undefined) checkCount(maxLength, 'maxLength');
  return { ...STREAM_DEFAULTS, ...given } as StreamSettings;
}

function checkPrefix(value: unknown, name: string): void {
  // A brace would begin a hash tag, and put all groups into one slot of a cluster. With ":group" in a prefix, two apps could
  // share names: prefix "a" with group "b:group:c", and prefix "a:group:b" with group "c".
  const rule =
    "a non-empty string without braces, without ':group' and without half of a surrogate pair, such as 'my-app'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  const isUnambiguous = `${value}:group:`.indexOf(':group:') === value.length;
  if (value === '' || !isUnambiguous || /[{}]|\p{Surrogate}/u.test(value))
    throw optionError(RangeError, name, rule, value);
}
