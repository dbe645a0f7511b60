import { isSendableCloseCode, MAX_REASON_BYTES } from '../shared/close-codes.js';
import { argumentError, describe } from '../shared/errors.js';
import { asBytes } from './frame.js';

const MAX_DELAY = 2 ** 31 - 1;

/** @throws {TypeError} It is no message. */
export function checkMessage(data: unknown): void {
  if (typeof data !== 'string') asBytes(data);
}

/** @throws {RangeError} A code that may not be sent, or a reason that is too long. */
export function checkClose(code: number, reason: string): void {
  if (!isSendableCloseCode(code)) {
    throw argumentError(
      RangeError,
      'a close code is one of 1000 to 1003, 1007 to 1014, or 3000 to 4999 (4000 to 4999 are free for applications); ' +
        `got ${describe(code)}`,
    );
  }
  if (typeof reason !== 'string') {
    throw argumentError(TypeError, `a close reason is a string; got ${describe(reason)}`);
  }
  const bytes = Buffer.byteLength(reason);
  if (bytes > MAX_REASON_BYTES) {
    throw argumentError(
      RangeError,
      `a close reason is at most ${String(MAX_REASON_BYTES)} bytes in UTF-8; this one is ${String(bytes)}`,
    );
  }
}

/** @throws {TypeError | RangeError} No whole number of milliseconds that a timer can wait. */
export function checkDelay(ms: unknown, method: string): void {
  if (Number.isInteger(ms) && (ms as number) >= 0 && (ms as number) <= MAX_DELAY) return;
  const rule = `${method}() takes milliseconds from 0 to 2 ** 31 - 1, as a whole number`;
  const cure = method === 'wait' ? '; leave it out to wait for ever' : '';
  throw argumentError(
    typeof ms === 'number' ? RangeError : TypeError,
    `${rule}${cure}; got ${describe(ms)}${adviseOn(ms, method)}`,
  );
}

/** Python's methods take seconds. */
function adviseOn(ms: unknown, method: string): string {
  if (typeof ms !== 'number' || ms < 0 || ms > MAX_DELAY / 1000 || Number.isInteger(ms) || Number.isNaN(ms))
    return '';
  return `. For ${String(ms)} seconds write ${method}(${String(Math.round(ms * 1000))}), or round what you compute`;
}
