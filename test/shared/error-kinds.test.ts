import { expect, test } from 'vitest';
import { WebsocketArgumentError, WebsocketClosedError, WebsocketError } from 'dwebsocket';
import { argumentError } from '../../src/shared/errors.js';

const closed = new WebsocketClosedError(1000, '');
const argument = argumentError(RangeError, 'no');

test('instanceof tells one kind of error from another', () => {
  expect(closed instanceof WebsocketClosedError).toBe(true);
  expect(closed instanceof WebsocketArgumentError).toBe(false);
  expect(argument instanceof WebsocketArgumentError).toBe(true);
  expect(argument instanceof WebsocketClosedError).toBe(false);
});

test('instanceof knows every kind as a WebsocketError, and nothing else', () => {
  expect(closed instanceof WebsocketError).toBe(true);
  expect(argument instanceof WebsocketError).toBe(true);
  expect(new TypeError('another') instanceof WebsocketError).toBe(false);
});

test('a kind of its own tells its own name', () => {
  expect(String(closed)).toMatch(/^WebsocketClosedError: /);
});
