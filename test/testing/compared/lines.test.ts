import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readDocument } from '../../docs/document.js';

/** Counts the lines of a file that are neither empty nor only a comment. */
function countLines(name: string): number {
  const text = readFileSync(new URL(name, import.meta.url), 'utf8');
  return text.split('\n').filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
}

test.for([
  ['dwebsocket/testing', 'dwebsocket.test.ts'],
  ['superwstest 3.0', 'superwstest.test.ts'],
  ['bare ws', 'ws.test.ts'],
] as const)('the documented number of lines for the tests with %s is right', ([name, file]) => {
  const { text } = readDocument('docs/testing.md');
  const [, , lines] = text
    .split('\n')
    .find((line) => line.startsWith(`| ${name} `))!
    .split('|');
  expect(Number(lines)).toBe(countLines(file));
});
