import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { readDocument, readDocuments, type Document } from './document.js';

const pairs = readDocuments()
  .filter(({ path }) => path.endsWith('.zh-CN.md'))
  .map((chinese) => ({
    path: chinese.path,
    chinese,
    english: readDocument(chinese.path.replace('.zh-CN', '')),
  }));

test('there are documents in Chinese', () => {
  expect(pairs.map(({ path }) => path)).toEqual(['README.zh-CN.md', 'docs/porting.zh-CN.md']);
});

test.for(pairs)('the code of $path is that of the English document', ({ chinese, english }) => {
  const codeOf = ({ blocks }: Document) => blocks.map(({ language, code }) => ({ language, code }));
  expect(codeOf(chinese)).toEqual(codeOf(english));
});

test.for(pairs)('so are the headings and the tables of $path, in number', ({ chinese, english }) => {
  const shapeOf = ({ text }: Document) =>
    text.split('\n').flatMap((line) => /^(#+|\|)/.exec(line)?.[0] ?? []);
  expect(shapeOf(chinese)).toEqual(shapeOf(english));
});

test.for(pairs)('$path leads to the same pages, and to those in Chinese where there are any', (pair) => {
  const { chinese, english } = pair;
  // Places in the document itself have Chinese names.
  const pagesOf = ({ links }: Document, other: string) =>
    new Set(
      links.map(({ target }) => target).filter((target) => target !== other && !target.startsWith('#')),
    );
  const toChinese = (target: string) => {
    const path = posix.join(posix.dirname(english.path), target).replace(/\.md$/, '.zh-CN.md');
    return pairs.some((each) => each.path === path) ? target.replace(/\.md$/, '.zh-CN.md') : target;
  };
  const [own, others] = [posix.basename(chinese.path), posix.basename(english.path)];
  expect([...pagesOf(chinese, others)].sort()).toEqual([...pagesOf(english, own)].map(toChinese).sort());
});
