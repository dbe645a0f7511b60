import { expect, test } from 'vitest';
import { isThenable } from '../../src/shared/thenable.js';

const callable = Object.assign(() => undefined, { then: () => undefined });

test.for([
  ['a promise', Promise.resolve(), true],
  ['an object with a method then', { then: () => undefined }, true],
  ['a function with a method then', callable, true],
  ['an object with a field then', { then: true }, false],
  ['an object', {}, false],
  ['a text', 'then', false],
  ['null', null, false],
  ['undefined', undefined, false],
] as const)('%s', ([, value, expected]) => {
  expect(isThenable<unknown>(value)).toBe(expected);
});

test('an object whose getter throws counts, so that a promise for it rejects with the error', async () => {
  const error = new Error('broken');
  const value = {
    get then(): never {
      throw error;
    },
  };
  expect(isThenable<unknown>(value)).toBe(true);
  await expect(Promise.resolve(value)).rejects.toBe(error);
});
