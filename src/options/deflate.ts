import { createDeflateRaw, createInflateRaw, type ZlibOptions } from 'node:zlib';
import { optionError } from '../shared/errors.js';
import { checkBoolean, checkCount, checkEach, checkNames, checkNumber, type Check } from './checks.js';

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
