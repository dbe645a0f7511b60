import { types } from 'node:util';
import { isSendableCloseCode, MAX_REASON_BYTES } from '../shared/close-codes.js';
import { argumentError, describe } from '../shared/errors.js';
import { MAX_DELAY } from '../shared/real-timers.js';
import { asBytes } from './frame.js';

/** @throws {TypeError} `data` is not a message. */
export function checkMessage(data: unknown): void {
  if (typeof data !== 'string') asBytes(data);
}

/**
 * @throws {RangeError} The code must not be sent, or the reason is too long.
 * @throws {TypeError} The reason is not a string.
 */
export function checkClose(code: number, reason: string): void {
  if (!isSendableCloseCode(code)) {
    throw argumentError(
      RangeError,
      'a close code must be 1000 to 1003, 1007 to 1014, or 3000 to 4999 (applications may define 4000 to 4999); ' +
        `got ${describe(code)}`,
    );
  }
  if (typeof reason !== 'string') {
    throw argumentError(TypeError, `a close reason must be a string; got ${describe(reason)}`);
  }
  const bytes = Buffer.byteLength(reason);
  if (bytes > MAX_REASON_BYTES) {
    throw argumentError(
      RangeError,
      `a close reason must be at most ${String(MAX_REASON_BYTES)} bytes in UTF-8; this one has ${String(bytes)}`,
    );
  }
}

/** Cuts a text to what fits into a close frame, between two characters. */
export function cutReason(text: string): string {
  if (Buffer.byteLength(text) <= MAX_REASON_BYTES) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(MAX_REASON_BYTES));
  return text.slice(0, read);
}

/** @throws {TypeError} `server` is not a `WebSocketServer` of `ws`. */
export function checkLibraryServer(server: unknown): void {
  if (typeof (server as { emit?: unknown } | null)?.emit === 'function') return;
  throw argumentError(
    TypeError,
    `handOver() takes nothing, or a server of ws: new WebSocketServer({ noServer: true }); got ${describe(server)}`,
  );
}

/** @throws {TypeError | RangeError} `ms` is not a whole number of milliseconds, or too large for a timer. */
export function checkDelay(ms: unknown, method: string): void {
  if (Number.isInteger(ms) && (ms as number) >= 0 && (ms as number) <= MAX_DELAY) return;
  const rule = `${method}() takes whole milliseconds from 0 to 2 ** 31 - 1`;
  const cure = method === 'wait' ? '; omit the timeout to wait without a limit' : '';
  throw argumentError(
    typeof ms === 'number' ? RangeError : TypeError,
    `${rule}${cure}; got ${describe(ms)}${adviseOn(ms, method)}`,
  );
}

// Users of Python's dwebsocket may pass seconds.
function adviseOn(ms: unknown, method: string): string {
  if (typeof ms !== 'number' || ms < 0 || ms > MAX_DELAY / 1000 || Number.isInteger(ms) || Number.isNaN(ms))
    return '';
  const inSeconds = `${method}(${String(Math.round(ms * 1000))})`;
  return `. For ${String(ms)} seconds, write ${inSeconds}; for milliseconds, round the number`;
}

/** A smaller number, before March 1973 in milliseconds, is a time in seconds or a delay. */
const EARLIEST_TIME = 1e11;

/** A date of the first day of 1970 stands for a time long ago. Cookies use it, too. */
const FIRST_DAY = 86_400_000;

/** @throws {TypeError | RangeError} `time` is not a time that `closeAt` takes. */
export function checkCloseTime(time: unknown): asserts time is Date | number | null {
  const rule = 'closeAt() takes a Date, milliseconds since 1970, or null for no time';
  if (time === null) return;
  if (typeof time !== 'number' && !types.isDate(time))
    throw argumentError(TypeError, `${rule}; got ${describe(time)}${adviseOnTime(time)}`);
  if (!Number.isFinite(Number(time)))
    throw argumentError(
      RangeError,
      `${rule}; got ${types.isDate(time) ? 'an invalid Date' : describe(time)}; check where the time comes from`,
    );
  // The fake clocks of node:test and sinon begin in 1970.
  if (isTooEarly(time) && Date.now() >= EARLIEST_TIME)
    throw argumentError(
      RangeError,
      `${rule}; got ${types.isDate(time) ? `the Date ${time.toISOString()}` : describe(time)}. ` +
        'For seconds, as in the exp of a token, write closeAt(exp * 1000); for a delay, write closeAt(Date.now() + ms)',
    );
}

function isTooEarly(time: Date | number): boolean {
  if (typeof time === 'number') return time < EARLIEST_TIME;
  return Number(time) >= FIRST_DAY && Number(time) < EARLIEST_TIME;
}

function adviseOnTime(time: unknown): string {
  return typeof time === 'string' ? '; write closeAt(new Date(text))' : '';
}

/** The longest name of the option `latest`, in characters. Each message to other processes contains it. */
const LONGEST_LATEST = 1_000;

/** Checks the option `latest` of `send`. */
export function checkLatest(latest: unknown): void {
  const rule = `the option "latest" must be a string of 1 to ${String(LONGEST_LATEST)} characters`;
  if (typeof latest !== 'string') throw argumentError(TypeError, `${rule}; got ${describe(latest)}`);
  if (latest === '' || latest.length > LONGEST_LATEST)
    throw argumentError(RangeError, `${rule}; got ${describe(latest)}`);
}
