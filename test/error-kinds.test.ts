import { expect, test } from 'vitest';
import { WebsocketClosedError, WebsocketError, WebsocketRefusedError } from 'dwebsocket';

const closed = new WebsocketClosedError(1000, '');
const refused = new WebsocketRefusedError({ refused: true, status: 403, text: 'no', headers: {} });

test('instanceof tells one kind of error from another', () => {
  expect(closed instanceof WebsocketClosedError).toBe(true);
  expect(closed instanceof WebsocketRefusedError).toBe(false);
  expect(refused instanceof WebsocketRefusedError).toBe(true);
  expect(refused instanceof WebsocketClosedError).toBe(false);
});

test('instanceof knows every kind as a WebsocketError, and nothing else', () => {
  expect(closed instanceof WebsocketError).toBe(true);
  expect(refused instanceof WebsocketError).toBe(true);
  expect(new TypeError('another') instanceof WebsocketError).toBe(false);
});

test('every kind tells its own name', () => {
  expect(String(closed)).toMatch(/^WebsocketClosedError: /);
  expect(String(refused)).toBe('WebsocketRefusedError: no');
});
