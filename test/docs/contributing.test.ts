import { expect, test } from 'vitest';
import { readSources } from '../package/sources.js';
import { readDocument } from './document.js';

test('the picture of the house shows every room and every file on the ground floor', () => {
  const [picture] = readDocument('CONTRIBUTING.md').blocks.filter(({ language }) => language === 'mermaid');
  const shown = new Set(picture?.code.match(/[\w-]+/g));
  const names = readSources().map(({ name }) => name.split('/')[0] ?? '');
  expect([...new Set(names)].filter((name) => !shown.has(name))).toEqual([]);
});
