/**
 * The close codes of RFC 6455, section 7.4.1, by name.
 *
 * Applications use 4000 to 4999 for their own; 3000 to 3999 are registered with IANA.
 */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Never sent: the peer's close frame had no code. */
  noStatus: 1005,
  /** Never sent: the connection ended without a close frame. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
} as const;

/** The close code that says the same as the status of an HTTP response. */
export function closeCodeFor(status: number): number {
  if (status >= 500) return CloseCode.internalError;
  return status >= 400 ? CloseCode.policyViolation : CloseCode.normal;
}

/** The same for an answer of what stands behind a handler; 404 says that nothing does, which is no fault of the peer. */
export function closeCodeBehind(status: number): number {
  return status === 404 ? CloseCode.normal : closeCodeFor(status);
}

/** A close frame holds at most 125 bytes, two of which are the code (RFC 6455, 5.5). */
export const MAX_REASON_BYTES = 123;

/** Whether an endpoint may put this code in a close frame (RFC 6455, 7.4.1 and 7.4.2, and the IANA registry). */
export function isSendableCloseCode(code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false;
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}
