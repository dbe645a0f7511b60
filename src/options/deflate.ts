import { createDeflateRaw, createInflateRaw, type ZlibOptions } from 'node:zlib';
import { optionError } from '../shared/errors.js';
import { checkBoolean, checkCount, checkEach, checkNames, checkNumber, type Check } from './checks.js';

/** Lists the settings of permessage-deflate (RFC 7692) that `ws` accepts. */
export interface PerMessageDeflateOptions {
  /**
   * Compresses each message that we send separately. This takes less memory and compresses less.
   *
   * @default as the client asks
   */
  serverNoContextTakeover?: boolean | undefined;
  /**
   * Requires the client to compress each message separately.
   *
   * @default as the client offers
   */
  clientNoContextTakeover?: boolean | undefined;
  /**
   * Sets the window of our compression: its size is 2 to the power of this number, from 8 to 15. `false` refuses a
   * client that asks for a window.
   *
   * @default as the client asks, else 15
   */
  serverMaxWindowBits?: boolean | number | undefined;
  /**
   * Sets the window of the client's compression: its size is 2 to the power of this number, from 8 to 15.
   *
   * @default 15
   */
  clientMaxWindowBits?: boolean | number | undefined;
  /**
   * Sets `chunkSize`, `level`, `memLevel` and `strategy` of Node's zlib for messages that we send.
   *
   * @default those of zlib
   */
  zlibDeflateOptions?: Pick<ZlibOptions, 'chunkSize' | 'level' | 'memLevel' | 'strategy'> | undefined;
  /**
   * Sets `chunkSize` of Node's zlib for messages that we receive.
   *
   * @default that of zlib
   */
  zlibInflateOptions?: Pick<ZlibOptions, 'chunkSize'> | undefined;
  /**
   * Sends shorter messages (in bytes) uncompressed, if each message is compressed separately. 0 compresses all.
   *
   * @default 1_024
   */
  threshold?: number | undefined;
  /**
   * Limits how many messages the whole process compresses at a time. The first route that compresses sets the limit.
   *
   * @default 10
   */
  concurrencyLimit?: number | undefined;
}

const CHECKS: Readonly<Record<keyof PerMessageDeflateOptions, Check>> = {
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
  concurrencyLimit: checkCount,
};

/** Checks the option `perMessageDeflate`. */
export function checkDeflate(value: unknown, name: string): void {
  if (typeof value === 'boolean') return;
  checkEach(value, CHECKS, name, "true, false, or an object with ws's settings");
}

function checkWindowBits(value: unknown, name: string): void {
  if (typeof value !== 'boolean')
    checkNumber(value, name, 'true, false, or a whole number from 8 to 15 (RFC 7692, 7.1.2)', 8, 15);
}

/** Tries the settings on zlib now. Otherwise zlib would throw at the first message, which ends the process. */
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
      throw optionError(RangeError, full, `a value that zlib accepts (${(error as Error).message})`, one);
    }
  }
}
