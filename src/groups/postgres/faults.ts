import { BackplaneError, reasonOf } from '../errors.js';
import { outageError, refusalError } from '../failures.js';

/** Maps an error text of PostgreSQL, `pg` or the network to what the user should do. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /password authentication|no pg_hba\.conf entry|role .* does not exist/,
    'check user and password of the pool',
  ],
  [
    /during recovery|read-only transaction/,
    'the pool is connected to a standby; connect it to the primary server',
  ],
  [/too many (clients|connections)|connection slots/, 'raise max_connections, or lower max of the pools'],
  [/Cannot use a pool after calling end/, 'close the groups before the pool'],
  [
    /permission denied/,
    'allow the user of the pool to create the table, or create it as docs/groups.md says',
  ],
  [
    /notifications in the NOTIFY queue/,
    'some connection that listens does not read; find it in pg_stat_activity',
  ],
  [/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|timeout/i, 'check that PostgreSQL runs there'],
];

function adviceFor(error: unknown): string {
  const reason = reasonOf(error);
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? '';
}

/** Returns the SQLSTATE of an error that PostgreSQL has replied with. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  // Codes of Node, such as EPIPE, can have five characters, too; those of PostgreSQL begin with a digit or with F, H, P, X.
  return error instanceof Error && typeof code === 'string' && /^[0-9FHPX][0-9A-Z]{4}$/.test(code)
    ? code
    : undefined;
}

/** Checks whether PostgreSQL has refused a query, and the connection stays. */
export function isRefusal(error: unknown): boolean {
  const state = sqlStateOf(error);
  // 08: connection exception; 57P: the server shuts down, crashes or starts.
  return state !== undefined && !/^(08|57P)/.test(state);
}

export function cutOffError(error: unknown): BackplaneError {
  return outageError(error, adviceFor(error));
}

/** Creates the error for a failed query: a refusal, or an outage. */
export function queryError(error: unknown): BackplaneError {
  if (error instanceof BackplaneError) return error;
  return isRefusal(error) ? refusalError('PostgreSQL', error, adviceFor(error)) : cutOffError(error);
}
