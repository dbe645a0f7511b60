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

/** A comment to the end of its line: the mark, and the text. */
const COMMENT = /(?<=^|\s)(\/\/|#) (.*)$/gm;

test('there are documents in Chinese', () => {
  expect(pairs.map(({ path }) => path)).toEqual([
    'README.zh-CN.md',
    'docs/porting.zh-CN.md',
    'docs/values.zh-CN.md',
  ]);
});

test.for(pairs)('the code of $path is that of the English document, comments aside', (pair) => {
  // The mark of a comment stays: both have the same comments, in the same places.
  const codeOf = ({ blocks }: Document) =>
    blocks.map(({ language, code }) => ({ language, code: code.replace(COMMENT, '$1') }));
  expect(codeOf(pair.chinese)).toEqual(codeOf(pair.english));
});

test.for(pairs)('the comments in the code of $path are in Chinese', ({ chinese }) => {
  const comments = chinese.blocks.flatMap(({ code }) =>
    [...code.matchAll(COMMENT)].map(([, , text = '']) => text),
  );
  // The name of a file, or a line of Django, stays as it is; two words in a row are English.
  const english = comments.filter((text) => /[a-z] [a-z]/.test(text) && !/\p{Script=Han}/u.test(text));
  expect(english).toEqual([]);
});

test.for(pairs)('the headings and tables of $path are as many as in the English document', (pair) => {
  const shapeOf = ({ text }: Document) =>
    text.split('\n').flatMap((line) => /^(#+|\|)/.exec(line)?.[0] ?? []);
  expect(shapeOf(pair.chinese)).toEqual(shapeOf(pair.english));
});

test.for(pairs)('$path links to the same pages, and to the Chinese ones where they exist', (pair) => {
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
