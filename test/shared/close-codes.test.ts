import { expect, test } from 'vitest';
import { CloseCode, isSendableCloseCode } from '../../src/shared/close-codes.js';

test('only the codes that the RFC and IANA allow may be sent', () => {
  const sendable = Array.from({ length: 70_000 }, (_, code) => code).filter((code) =>
    isSendableCloseCode(code),
  );
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  expect(sendable.slice(0, registered.length)).toEqual(registered);
  expect(sendable.slice(registered.length)).toEqual(Array.from({ length: 2_000 }, (_, i) => 3_000 + i));
});

test('a value that is not a whole number is not a close code', () => {
  for (const code of [undefined, null, '1000', 1000.5, NaN, Infinity, -1000, 1000n]) {
    expect(isSendableCloseCode(code)).toBe(false);
  }
});

test('all named codes may be sent except the two that only report', () => {
  const reported: number[] = [CloseCode.noStatus, CloseCode.abnormal];
  for (const code of Object.values(CloseCode))
    expect(isSendableCloseCode(code)).toBe(!reported.includes(code));
});
