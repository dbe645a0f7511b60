import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { readDocuments, root } from './document.js';

const documents = readDocuments();

test.for(documents)('the links of $path lead somewhere', ({ path, links, anchors }) => {
  const broken = links.filter(({ target }) => {
    if (/^(?:https?|mailto):/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const to = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file));
    if (!existsSync(root + to)) return true;
    if (anchor === undefined) return false;
    const there = to === path ? anchors : documents.find((document) => document.path === to)?.anchors;
    return there?.has(decodeURIComponent(anchor)) !== true;
  });
  expect(broken.map(({ line, target }) => `${path}:${line}: ${target}`)).toEqual([]);
});

test('every document in docs/ can be reached from the README', () => {
  const reached = new Set(['README.md', 'README.zh-CN.md']);
  for (const path of reached) {
    for (const { target } of documents.find((document) => document.path === path)?.links ?? []) {
      const to = posix.join(posix.dirname(path), target.split('#')[0] ?? '');
      if (documents.some((document) => document.path === to)) reached.add(to);
    }
  }
  expect(documents.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
});
