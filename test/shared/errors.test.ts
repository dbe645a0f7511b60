import { describe as group, expect, test } from 'vitest';
import {
  WebsocketArgumentError,
  WebsocketClosedError,
  WebsocketError,
  WebsocketOptionError,
} from 'dwebsocket';
import { argumentError, describe, optionError } from '../../src/shared/errors.js';

test('WebsocketClosedError has the facts as fields, and its message says what to do', () => {
  const error = new WebsocketClosedError(4000, 'moved');
  expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED', closeCode: 4000, closeReason: 'moved' });
  expect(error.message).toContain(
    'the websocket has closed with 4000 (moved); leave the loop when wait() resolves with null',
  );
  expect(new WebsocketClosedError(1006, '').message).toContain('has closed with 1006; ');
});

test('an option error names option, rule and value, and is a TypeError or RangeError', () => {
  const error = optionError(RangeError, 'heartbeat', 'more than that', 0);
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toBeInstanceOf(WebsocketOptionError);
  expect(error).toBeInstanceOf(WebsocketError);
  expect(error).not.toBeInstanceOf(WebsocketArgumentError);
  expect(error.message).toBe('option "heartbeat" must be more than that; got the number 0');
  expect(error).toMatchObject({
    code: 'ERR_WEBSOCKET_OPTION',
    option: 'heartbeat',
    rule: 'more than that',
    value: 0,
  });
});

test('an argument error is a WebsocketArgumentError and a TypeError', () => {
  const error = argumentError(TypeError, 'pass a string');
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toBeInstanceOf(WebsocketArgumentError);
  expect(error).toBeInstanceOf(WebsocketError);
  expect(error).not.toBeInstanceOf(WebsocketOptionError);
});

test('instanceof recognizes an error of another installed copy of the package by its code', () => {
  const foreign = Object.assign(new Error('elsewhere'), { code: 'ERR_WEBSOCKET_CLOSED' });
  expect(foreign).toBeInstanceOf(WebsocketClosedError);
  expect(foreign).toBeInstanceOf(WebsocketError);
  for (const other of [
    { code: 'ECONNRESET' },
    { code: 5 },
    new Error('no code'),
    null,
    'ERR_WEBSOCKET_CLOSED',
  ]) {
    expect(other).not.toBeInstanceOf(WebsocketError);
    expect(other).not.toBeInstanceOf(WebsocketClosedError);
  }
});

group('an error message describes the value', () => {
  test.for([
    [undefined, 'undefined'],
    [null, 'null'],
    ['short', 'the string "short"'],
    ['"quoted"\n', String.raw`the string "\"quoted\"\n"`],
    ['x'.repeat(61), `the string "${'x'.repeat(60)}…"`],
    [NaN, 'the number NaN'],
    [10n, 'the bigint 10'],
    [false, 'the boolean false'],
    [Symbol('s'), 'Symbol(s)'],
    [function named() {}, 'the function named'],
    [(() => () => {})(), 'a function'],
    [{ secret: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [[], 'an instance of Array'],
    [new Date(0), 'an instance of Date'],
  ] as const)('%o', ([value, text]) => {
    expect(describe(value)).toBe(text);
  });
});
