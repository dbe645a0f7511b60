import { expect, test } from 'vitest';
import { isNestedDeeply } from '../../src/values/nesting.js';

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

test.for([
  ['no text', '', false],
  ['100 levels', nested(100), false],
  ['101 levels', nested(101), true],
  ['101 levels that do not end', '{"a":'.repeat(101), true],
  ['many arrays one behind the other', `[${nested(99)},${nested(99)}]`, false],
  ['brackets in a string', `["${'['.repeat(1_000)}"]`, false],
  ['brackets in a string with escapes', `["\\"${'['.repeat(1_000)}\\\\",1]`, false],
  ['brackets after a string with escapes', `["\\\\",${nested(100)}]`, true],
  ['half a million levels', nested(500_000), true],
] as const)('%s', ([, json, expected]) => {
  expect(isNestedDeeply(json)).toBe(expected);
});
