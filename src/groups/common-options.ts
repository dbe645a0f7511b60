import { checkCount, checkTime } from '../options/checks.js';

/** Checks the options that all backplanes have. */
export const COMMON_CHECKS = { maxPayload: checkCount, maxBuffered: checkCount, timeout: checkTime };

export const COMMON_DEFAULTS = { maxPayload: 2 ** 20, maxBuffered: 2 ** 26, timeout: 5_000 };

/** The default of the option `prefix` of those that share a server with other apps. */
export const DEFAULT_PREFIX = 'dwebsocket';
