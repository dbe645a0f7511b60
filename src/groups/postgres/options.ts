import { checkEach } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';
import { COMMON_CHECKS, COMMON_DEFAULTS, DEFAULT_PREFIX } from '../common-options.js';

/** Lists the options of {@link postgresBackplane}. */
export interface PostgresBackplaneOptions {
  /**
   * Sets how the names of channels and of the table begin. All processes of one app need the same prefix. Apps that share a
   * database need different ones.
   *
   * @default 'dwebsocket'
   */
  prefix?: string | undefined;
  /**
   * Limits the bytes of a message to other processes. A larger one reaches only the members in this process, and `send`
   * resolves with the error.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Limits the memory, in bytes, of messages that PostgreSQL has not confirmed. Above the limit a message reaches only the
   * members in this process, and `send` resolves with the error `ERR_WEBSOCKET_BACKPLANE_FULL`. The same limit holds for
   * messages that arrive while an earlier large message is read from the table.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Reports an outage when PostgreSQL has not answered for this many milliseconds.
   *
   * @default 5_000
   */
  timeout?: number | undefined;
}

const CHECKS = { ...COMMON_CHECKS, prefix: checkPrefix };
const DEFAULTS = { ...COMMON_DEFAULTS, prefix: DEFAULT_PREFIX };

export type PostgresSettings = typeof DEFAULTS;

export function resolvePostgresOptions(options: PostgresBackplaneOptions): PostgresSettings {
  return { ...DEFAULTS, ...checkEach(options, CHECKS) };
}

// The name of a channel or table has at most 63 bytes.
function checkPrefix(value: unknown, name: string): void {
  const rule = "1 to 40 letters, digits and '_', such as 'my_app'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  if (!/^\w{1,40}$/.test(value)) throw optionError(RangeError, name, rule, value);
}
