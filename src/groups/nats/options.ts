import { checkEach } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';
import { COMMON_CHECKS, COMMON_DEFAULTS, DEFAULT_PREFIX } from '../common-options.js';

/** Lists the options of {@link natsBackplane}. */
export interface NatsBackplaneOptions {
  /**
   * Sets how the subjects begin: `PREFIX.group.NAME`. All processes of one app need the same prefix. Apps that share a NATS
   * account need different ones.
   *
   * @default 'dwebsocket'
   */
  prefix?: string | undefined;
  /**
   * Limits the bytes of a message to other processes. A larger one reaches only the members in this process, and `send`
   * resolves with the error. The limit `max_payload` of the server applies, too (1 MiB unless configured).
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Limits the memory, in bytes, of messages that NATS has not confirmed. Above the limit a message reaches only the members
   * in this process, and `send` resolves with the error `ERR_WEBSOCKET_BACKPLANE_FULL`.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Reports an outage when NATS has not answered for this many milliseconds.
   *
   * @default 5_000
   */
  timeout?: number | undefined;
}

const CHECKS = { ...COMMON_CHECKS, prefix: checkPrefix };
const DEFAULTS = { ...COMMON_DEFAULTS, prefix: DEFAULT_PREFIX };

export type NatsSettings = typeof DEFAULTS;

export function resolveNatsOptions(options: NatsBackplaneOptions): NatsSettings {
  return { ...DEFAULTS, ...checkEach(options, CHECKS) };
}

function checkPrefix(value: unknown, name: string): void {
  const rule = "one or more words of letters, digits, '_' and '-', with dots between them, such as 'my-app'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  if (!/^[\w-]+(\.[\w-]+)*$/.test(value)) throw optionError(RangeError, name, rule, value);
}
