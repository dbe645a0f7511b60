import { setName, WebsocketError } from '../shared/errors.js';

/** Lists the codes of {@link BackplaneError}. */
export type BackplaneErrorCode =
  /** Other processes are not reachable now. */
  | 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF'
  /** `groups.close()` has been called. */
  | 'ERR_WEBSOCKET_BACKPLANE_CLOSED'
  /** The message is larger than the limit of the backplane. */
  | 'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE'
  /** The backplane refused the command, for example for missing permission or full memory. */
  | 'ERR_WEBSOCKET_BACKPLANE_REFUSED'
  /** The messages that wait for the backplane have reached the limit `maxBuffered`. */
  | 'ERR_WEBSOCKET_BACKPLANE_FULL'
  /** A message of another program arrived on the channel of a group. */
  | 'ERR_WEBSOCKET_BACKPLANE_STRANGER';

/** Reports a failure between processes. Members in this process have received the message nevertheless. */
export class BackplaneError extends WebsocketError {
  declare readonly code: BackplaneErrorCode;
  /** The name of the affected group; `undefined` when all groups are affected. */
  readonly group: string | undefined;

  constructor(code: BackplaneErrorCode, message: string, facts: { group?: string; cause?: unknown } = {}) {
    super(code, message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.group = facts.group;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    const { code } = value as { code?: unknown };
    return typeof code === 'string' && code.startsWith('ERR_WEBSOCKET_BACKPLANE_');
  }
}
setName(BackplaneError, 'BackplaneError');

/** Returns the text of a thrown value, for use within a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // When several addresses fail, Node throws an AggregateError without a text.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error.message === '' ? error.name : error.message;
}
