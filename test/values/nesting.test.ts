import { expect, test } from 'vitest';
import { isNestedDeeply } from '../../src/values/nesting.js';

const nested = (depth: number, inside = '') => '['.repeat(depth) + inside + ']'.repeat(depth);

test.for([
  ['no text', '""', false],
  ['500 levels', nested(500), false],
  ['501 levels', nested(501), true],
  ['501 levels of objects', '{"a":'.repeat(501) + '1' + '}'.repeat(501), true],
  ['many arrays one behind the other', `[${nested(499)},${nested(499)}]`, false],
  ['brackets in a string', `["${'['.repeat(2_000)}"]`, false],
  ['brackets in a string with escapes', `["\\"${'['.repeat(2_000)}\\\\",1]`, false],
  ['brackets in a string that ends with an escaped quote', `["${'['.repeat(2_000)}\\"",{}]`, false],
  ['brackets after a string with escapes', `["\\\\",${nested(500)}]`, true],
  ['brackets after a string of many backslashes', `["${'\\\\'.repeat(1_000)}",${nested(500)}]`, true],
  ['brackets around a long string', nested(500, `"${'x'.repeat(5_000)}"`), false],
  ['half a million levels', nested(500_000), true],
] as const)('%s', ([, json, expected]) => {
  expect(() => JSON.parse(json) as unknown).not.toThrow();
  expect(isNestedDeeply(json)).toBe(expected);
});
