/**
 * Names close codes of RFC 6455, section 7.4.1, and of the IANA registry.
 *
 * An application may use 4000 to 4999 as it likes. IANA registers 3000 to 3999.
 */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Never sent. Reports that the peer's close frame had no code. */
  noStatus: 1005,
  /** Never sent. Reports that the connection ended without a close frame. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
  /** Like the status 401. IANA registers it for clients that must authenticate (again). */
  unauthorized: 3000,
} as const;

/** Returns the close code that corresponds to the status of an HTTP response. */
export function closeCodeFor(status: number): number {
  if (status >= 500) return CloseCode.internalError;
  return status >= 400 ? CloseCode.policyViolation : CloseCode.normal;
}

/**
 * Returns the close code for a response that was written after the handler called `next()`.
 *
 * 404 means that no later handler exists. The peer did nothing wrong, so the code is 1000.
 */
export function closeCodeBehind(status: number): number {
  return status === 404 ? CloseCode.normal : closeCodeFor(status);
}

/** A close frame holds at most 125 bytes. Two of them are the code (RFC 6455, 5.5). */
export const MAX_REASON_BYTES = 123;

/** Checks whether a close frame may carry this code (RFC 6455, 7.4.1 and 7.4.2, and the IANA registry). */
export function isSendableCloseCode(code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false;
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}
