import { WebsocketError } from '../shared/errors.js';

/** The `code` of a {@link BackplaneError}: one for each thing that can go wrong between the processes. */
export type BackplaneErrorCode =
  /** The other processes cannot be reached now. */
  | 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF'
  /** `groups.close()` has been called. */
  | 'ERR_WEBSOCKET_BACKPLANE_CLOSED'
  /** The message is larger than the backplane takes. */
  | 'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE'
  /** The backplane was asked and said no: a missing permission, a full memory. */
  | 'ERR_WEBSOCKET_BACKPLANE_REFUSED'
  /** The messages that wait for the backplane have reached its limit (`maxBuffered`). */
  | 'ERR_WEBSOCKET_BACKPLANE_FULL'
  /** Somebody else's message came over a channel of ours. */
  | 'ERR_WEBSOCKET_BACKPLANE_STRANGER';

/** Something went wrong between the processes. What was sent has reached the members in this one all the same. */
export class BackplaneError extends WebsocketError {
  declare readonly code: BackplaneErrorCode;
  /** The name of the group it is about; `undefined` when it is about all of them. */
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
Object.defineProperty(BackplaneError.prototype, 'name', {
  value: 'BackplaneError',
  configurable: true,
  writable: true,
});

/** What an error says, whatever was thrown; for the middle of a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node puts the errors of all addresses that it tried into one that has no text of its own.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error.message === '' ? error.name : error.message;
}
