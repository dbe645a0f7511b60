import { expect, test } from 'vitest';
import { WebsocketArgumentError, WebsocketClosedError, WebsocketError } from 'dwebsocket';
import { argumentError, defineKind } from '../../src/shared/errors.js';

const closed = new WebsocketClosedError(1000, '');
const argument = argumentError(RangeError, 'no');

test('instanceof distinguishes the kinds of errors', () => {
  expect(closed instanceof WebsocketClosedError).toBe(true);
  expect(closed instanceof WebsocketArgumentError).toBe(false);
  expect(argument instanceof WebsocketArgumentError).toBe(true);
  expect(argument instanceof WebsocketClosedError).toBe(false);
});

test('every kind is an instance of WebsocketError, and other errors are not', () => {
  expect(closed instanceof WebsocketError).toBe(true);
  expect(argument instanceof WebsocketError).toBe(true);
  expect(new TypeError('another') instanceof WebsocketError).toBe(false);
});

test('the text of an error begins with the name of its class', () => {
  expect(String(closed)).toMatch(/^WebsocketClosedError: /);
});

test('the name of an error does not come from its class, because a minifier renames classes', () => {
  class e extends WebsocketError {}
  defineKind(e, 'WebsocketTestError', 'ERR_WEBSOCKET_TEST');
  expect(String(new e('ERR_WEBSOCKET_TEST', 'the text'))).toBe('WebsocketTestError: the text');
});
