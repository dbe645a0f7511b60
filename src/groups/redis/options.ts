import { optionError } from '../../errors.js';
import { checkNames, checkTime } from '../../options.js';

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
   * Bytes of messages that this process keeps while it is cut off; what comes beyond is refused, and `send` tells.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
}

type Check = (value: unknown, name: string) => void;

const PUBSUB_CHECKS = { prefix: checkPrefix, maxPayload: checkCount, timeout: checkTime };
const STREAM_CHECKS = { ...PUBSUB_CHECKS, maxLength: checkCount, maxAge: checkTime, maxBuffered: checkCount };

const DEFAULTS = { prefix: 'dwebsocket', maxPayload: 2 ** 20, timeout: 5_000 };

export type PubSubSettings = typeof DEFAULTS;
export type StreamSettings = PubSubSettings & { maxLength: number; maxAge: number; maxBuffered: number };

export function resolvePubSubOptions(options: RedisBackplaneOptions): PubSubSettings {
  return { ...DEFAULTS, ...check(options, PUBSUB_CHECKS) };
}

export function resolveStreamOptions(options: RedisStreamBackplaneOptions): StreamSettings {
  const given = check(options, STREAM_CHECKS) as Partial<StreamSettings>;
  const { maxLength } = given;
  if (maxLength === undefined) checkCount(maxLength, 'maxLength');
  return { ...DEFAULTS, maxAge: 3_600_000, maxBuffered: 2 ** 24, ...given } as StreamSettings;
}

function check(options: unknown, checks: Record<string, Check>): object {
  const given = checkNames(options, Object.keys(checks));
  for (const [name, value] of Object.entries(given)) checks[name]?.(value, name);
  return given;
}

function checkPrefix(value: unknown, name: string): void {
  // A brace would put all groups into one slot of a cluster (a hash tag).
  const rule = "a text that is not empty and has no braces, such as 'my-app'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  if (value === '' || /[{}]/.test(value)) throw optionError(RangeError, name, rule, value);
}

function checkCount(value: unknown, name: string): void {
  const rule = 'a whole number from 1 to 2 ** 31 - 1';
  if (typeof value !== 'number') throw optionError(TypeError, name, rule, value);
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1)
    throw optionError(RangeError, name, rule, value);
}
