import { checkCount, checkEach, checkTime } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';

/** Options of {@link redisBackplane}. */
export interface RedisBackplaneOptions {
  /**
   * What the names of channels and keys begin with. Apps that share a Redis need different ones; the processes of one
   * app the same. (The number of the database does not keep channels apart.)
   *
   * @default 'dwebsocket'
   */
  prefix?: string | undefined;
  /**
   * Bytes of the largest message that goes to other processes. A larger one reaches the members in this process, and
   * `send` tells. Redis disconnects a subscriber for whom more than its `client-output-buffer-limit pubsub` waits
   * (32 MiB, or 8 MiB for a minute).
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Milliseconds without an answer after which Redis counts as cut off.
   *
   * @default 5_000
   */
  timeout?: number | undefined;
  /**
   * Bytes of memory that messages may take in this process until Redis has confirmed them. Beyond it a message reaches
   * only the members in this process, and `send` tells (`ERR_WEBSOCKET_BACKPLANE_FULL`). Each message counts with its
   * bytes and with what it costs to keep it.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBuffered?: number | undefined;
}

/** Options of {@link redisStreamBackplane}. */
export interface RedisStreamBackplaneOptions extends RedisBackplaneOptions {
  /**
   * Messages of each group that Redis keeps for processes that are cut off. More may be kept for a while (Redis trims in
   * blocks).
   */
  maxLength: number;
  /**
   * Milliseconds after the last message of a group for which Redis keeps its messages; no outage should last longer.
   *
   * @default 3_600_000 (one hour)
   */
  maxAge?: number | undefined;
  /**
   * Bytes of each group's messages that Redis keeps for processes that are cut off. Older messages go when it is exceeded;
   * the newest one always stays. Each message counts with its bytes and 64 more.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBytes?: number | undefined;
}

const PUBSUB_CHECKS = {
  prefix: checkPrefix,
  maxPayload: checkCount,
  timeout: checkTime,
  maxBuffered: checkCount,
};
const STREAM_CHECKS = { ...PUBSUB_CHECKS, maxLength: checkCount, maxBytes: checkCount, maxAge: checkTime };

const DEFAULTS = { prefix: 'dwebsocket', maxPayload: 2 ** 20, timeout: 5_000, maxBuffered: 2 ** 26 };
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
  // A brace would put all groups into one slot of a cluster (a hash tag). With the part "group" in it, two apps could have the
  // same names: "a" and the group "b:group:c", "a:group:b" and the group "c".
  const rule =
    "a text that is not empty, has no braces, no part ':group' and no half of a surrogate pair, such as 'my-app'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  const isApart = `${value}:group:`.indexOf(':group:') === value.length;
  if (value === '' || !isApart || /[{}]|\p{Surrogate}/u.test(value))
    throw optionError(RangeError, name, rule, value);
}
