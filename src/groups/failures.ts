import { BackplaneError, reasonOf } from './errors.js';

/** Creates the error for an outage. `advice` says what the user can do. */
export function outageError(cause: unknown, advice = ''): BackplaneError {
  if (cause instanceof BackplaneError) return cause;
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_CUT_OFF',
    `groups are cut off from other processes: ${reasonOf(cause)}${advice === '' ? '' : `; ${advice}`}`,
    { cause },
  );
}

/** Creates the error for a command that the service refused, for example for missing permission. */
export function refusalError(service: string, cause: unknown, advice = ''): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_REFUSED',
    `${service} refuses: ${reasonOf(cause)}${advice === '' ? '' : `; ${advice}`}`,
    { cause },
  );
}

export function tooLargeError(
  group: string,
  bytes: number,
  maxPayload: number,
  advice: string,
): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE',
    `a message of ${bytes} bytes is larger than the limit of ${maxPayload} and stays in this process; ${advice}`,
    { group },
  );
}

export function fullError(
  service: string,
  group: string,
  bytes: number,
  maxBuffered: number,
): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_FULL',
    `messages that wait for ${service} take ${String(bytes)} of ${String(maxBuffered)} bytes; ` +
      'send fewer messages, or raise maxBuffered of the backplane',
    { group },
  );
}

export function closedError(): BackplaneError {
  return new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CLOSED', 'the backplane is closed');
}
