import { BackplaneError, reasonOf } from '../errors.js';

/** What helps, by what Redis or the network says. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [
    /NOPERM|executing the script can't|ACL failure/,
    'let the user of this connection reach our keys and channels: ACL SETUSER … ~PREFIX:* &PREFIX:* +@all',
  ],
  [/NOAUTH|WRONGPASS|AUTH failed/i, 'check user and password in the URL of the client'],
  [/OOM/, 'Redis has no memory left: raise maxmemory, or lower maxLength and maxBytes'],
  [
    /READONLY/,
    'the client is connected to a replica; connect it to the master, over sentinels or as a cluster',
  ],
  [/unknown command/i, 'Redis 7 is needed on a cluster, Redis 5 on a server'],
  [/invalid bulk length/i, 'lower maxPayload of the backplane, or raise proto-max-bulk-len of Redis'],
  [/WRONGTYPE/, 'something else keeps its data under this name: choose another prefix'],
  [/maxclients|max number of clients/i, 'raise maxclients of Redis'],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT|Connection timeout/i,
    'check the URL of the client, and that Redis runs there',
  ],
  [/LOADING/, 'Redis is starting, and is tried again'],
];

function cureOf(reason: string): string {
  const cure = CURES.find(([pattern]) => pattern.test(reason))?.[1];
  return cure === undefined ? '' : `; ${cure}`;
}

/** The other processes cannot be reached, and why. */
export function cutOffError(cause: unknown): BackplaneError {
  if (cause instanceof BackplaneError) return cause;
  const reason = reasonOf(cause);
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_CUT_OFF',
    `groups are cut off from other processes: ${reason}${cureOf(reason)}`,
    { cause },
  );
}

/** Redis was asked and said no. */
export function refusedError(cause: unknown): BackplaneError {
  const reason = reasonOf(cause);
  return new BackplaneError('ERR_WEBSOCKET_BACKPLANE_REFUSED', `Redis refuses: ${reason}${cureOf(reason)}`, {
    cause,
  });
}

export function tooLargeError(group: string, bytes: number, maxPayload: number): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE',
    `a message of ${bytes} bytes stays in this process, for the backplane takes ${maxPayload}: raise its maxPayload, ` +
      'and client-output-buffer-limit of Redis with it (pubsub: 32 MiB)',
    { group },
  );
}

export function closedError(): BackplaneError {
  return new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CLOSED', 'the backplane is closed');
}

/** What a replica says to a write; also for one that cannot be asked in that way. */
export const DEMOTED = 'READONLY this node is a replica';

/** What Redis has answered, when that is what an error tells: such texts begin with a word in capitals. */
function replyIn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof BackplaneError) return replyIn(error.cause);
  // Redis before 7 puts the error of a command in a script into one of the script's own.
  const text = error.message.replace(/^ERR Error running script .*: -?(?=[A-Z]{2,} )/s, '');
  return /^[A-Z]{2,} /.test(text) ? text : undefined;
}

/** Whether Redis itself has answered. */
export function isReply(error: unknown): boolean {
  return replyIn(error) !== undefined;
}

/** Whether Redis has answered "not now": it starts, fails over, moves slots, or waits for its replicas. */
export function isPassing(error: unknown): boolean {
  return /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MOVED|ASK) /.test(
    replyIn(error) ?? '',
  );
}

/** Whether Redis has said no for good. */
export function isFinal(error: unknown): boolean {
  return isReply(error) && !isPassing(error);
}

/** Whether the node is a replica. */
export function isDemoted(error: unknown): boolean {
  return /^READONLY /.test(replyIn(error) ?? '');
}

/** Whether what is published on this node reaches no other process: it is a replica, or its cluster is down. */
export function isUnheard(error: unknown): boolean {
  return /^(READONLY|CLUSTERDOWN) /.test(replyIn(error) ?? '');
}

/** Whether the user of the connection may not do this. */
export function isForbidden(error: unknown): boolean {
  return /^NOPERM /.test(replyIn(error) ?? '');
}
