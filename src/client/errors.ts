import type { CloseInfo } from './types.js';

/** Creates an error with the `code` that errors of the server have. */
export function createError(
  message: string,
  Kind: ErrorConstructor = TypeError,
  code = 'ARGUMENT',
  facts?: object,
): Error {
  return Object.assign(new Kind(message), { code: `ERR_WEBSOCKET_${code}` }, facts);
}

/** Creates the error for those who read after the end. */
export function closedError({ code, reason }: CloseInfo): Error {
  return createError(
    `closed with ${code} (${reason}); leave the loop when wait() resolves with null, or use for await`,
    Error,
    'CLOSED',
    { closeCode: code, closeReason: reason },
  );
}

/** The largest delay of a timer. */
const MAX = 2 ** 31 - 1;

export function isWhole(value: unknown, min: number, max = MAX): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
