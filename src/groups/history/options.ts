import { checkCount, checkEach, checkTime } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';

/** Lists the settings of the option `history` of `createGroups`. */
export interface HistoryOptions {
  /** Sets how many of its last messages each group keeps. */
  length: number;
  /** Sets for how many milliseconds a group keeps a message. */
  age: number;
  /**
   * Limits the memory, in bytes, that the history of all groups together takes in this process. Beyond it, groups drop their
   * oldest messages. With `redisStreamBackplane` the messages are in Redis, and this limits the copies in this process.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBytes?: number | undefined;
  /**
   * Adds the id to each message, so that a client knows what to ask for when it comes back. A name is the field of a JSON
   * object that gets the id. `send` then throws for a message that is not a JSON object, or that has this field already.
   * A function gets the message and its id, and returns the message to send. With `messages: 'json'` or `sends` it gets and
   * returns a value. Over Redis, every process calls it for every message.
   *
   * @default none (nothing is added)
   */
  stamp?: string | ((message: never, id: string) => unknown) | undefined;
}

export interface HistorySettings {
  readonly length: number;
  readonly age: number;
  readonly maxBytes: number;
  readonly stamp: string | ((message: unknown, id: string) => unknown) | undefined;
}

const DEFAULT_MAX_BYTES = 2 ** 26;

const CHECKS = { length: checkCount, age: checkTime, maxBytes: checkCount, stamp: checkStamp };

export function resolveHistoryOptions(options: unknown): HistorySettings {
  const given = checkEach(
    options,
    CHECKS,
    'history',
    'an object: { length, age }',
  ) as Partial<HistorySettings>;
  if (given.length === undefined) checkCount(undefined, 'history.length');
  if (given.age === undefined) checkTime(undefined, 'history.age');
  return { maxBytes: DEFAULT_MAX_BYTES, stamp: undefined, ...given } as HistorySettings;
}

function checkStamp(value: unknown, name: string): void {
  const rule = 'the name of a field, or a function (message, id) => message';
  if (typeof value === 'function') return;
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  if (value === '') throw optionError(RangeError, name, rule, value);
}
