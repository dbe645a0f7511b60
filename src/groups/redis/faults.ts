import { BackplaneError, reasonOf } from '../errors.js';
import { outageError, refusalError } from '../failures.js';

export { closedError } from '../failures.js';

/** Maps an error text of Redis or the network to what the user should do. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /NOPERM|executing the script can't|ACL failure/,
    'allow the Redis user to access our keys and channels: ACL SETUSER … ~PREFIX:* &PREFIX:* +@all',
  ],
  [/NOAUTH|WRONGPASS|AUTH failed/i, 'check user and password in the URL of the client'],
  [/OOM/, 'Redis has no memory left: raise maxmemory, or lower maxLength and maxBytes'],
  [
    /READONLY/,
    'the client is connected to a replica; connect it to the master, through sentinels or as a cluster',
  ],
  [/unknown command/i, 'use Redis 7 or later for a cluster, Redis 5 or later for a single server'],
  [/invalid bulk length/i, 'lower maxPayload of the backplane, or raise proto-max-bulk-len of Redis'],
  [/WRONGTYPE/, 'another program uses this key; choose another prefix'],
  [/maxclients|max number of clients/i, 'raise maxclients of Redis'],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|Connection timeout/i,
    'check the URL of the client, and that Redis runs there',
  ],
  [/LOADING/, 'Redis is starting; the command will be retried'],
];

function adviceFor(cause: unknown): string | undefined {
  const reason = reasonOf(cause);
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1];
}

/** Creates the error for an outage, with its cause. */
export function cutOffError(cause: unknown): BackplaneError {
  return outageError(cause, adviceFor(cause));
}

/** Creates the error for a command that Redis refused. */
export function refusedError(cause: unknown): BackplaneError {
  return refusalError('Redis', cause, adviceFor(cause));
}

export function tooLargeError(group: string, bytes: number, maxPayload: number): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE',
    `a message of ${bytes} bytes is larger than the limit maxPayload of ${maxPayload} and stays in this process; ` +
      'raise maxPayload of the backplane and client-output-buffer-limit of Redis (pubsub: 32 MiB)',
    { group },
  );
}

/** The reply of a replica to a write. Also used when the command ROLE has shown that a node is a replica. */
export const REPLICA_ERROR = 'READONLY this node is a replica';

/** Returns the error reply of Redis that an error contains, if any. Such a reply begins with a word in capitals. */
function replyIn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof BackplaneError) return replyIn(error.cause);
  // Before version 7, Redis wraps an error of a command in a script into an error of the script.
  const text = error.message.replace(/^ERR Error running script .*: -?(?=[A-Z]{2,} )/s, '');
  return /^[A-Z]{2,} /.test(text) ? text : undefined;
}

/** Checks whether Redis itself has replied with this error. */
export function isReply(error: unknown): boolean {
  return replyIn(error) !== undefined;
}

/** Checks for a temporary refusal: Redis starts, fails over, moves slots, waits for its replicas, or has lost its scripts. */
export function isTemporary(error: unknown): boolean {
  return /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MOVED|ASK|NOSCRIPT) /.test(
    replyIn(error) ?? '',
  );
}

/** Checks whether a retry would get the same refusal. */
export function isPermanent(error: unknown): boolean {
  return isReply(error) && !isTemporary(error);
}

/** Checks whether the node says that it is a replica. */
export function isReplica(error: unknown): boolean {
  return /^READONLY /.test(replyIn(error) ?? '');
}

/** Checks for a node whose messages reach no other process: it is a replica, or its cluster is down. */
export function isIsolated(error: unknown): boolean {
  return /^(READONLY|CLUSTERDOWN) /.test(replyIn(error) ?? '');
}

/** Checks whether the Redis user lacks the permission for a command. */
export function isForbidden(error: unknown): boolean {
  return /^NOPERM /.test(replyIn(error) ?? '');
}

/** Checks whether Redis does not know the script of EVALSHA. */
export function isMissingScript(error: unknown): boolean {
  return /^NOSCRIPT /.test(replyIn(error) ?? '');
}
