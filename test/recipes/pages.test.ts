import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readDocument } from '../docs/document.js';

const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8').trimEnd();
const PAGES = ['docs/production.md', 'docs/security.md', 'docs/observability.md'];
const blocks = PAGES.flatMap((path) => readDocument(path).blocks).filter(({ language }) => language === 'ts');

/** The files here that are shown in a document; those for the tests are not. */
const RECIPES = readdirSync(new URL('.', import.meta.url)).filter(
  (name) => !name.endsWith('.test.ts') && name !== 'stopping-app.ts',
);

test('the documents for operators show the tested code, word for word', () => {
  expect(blocks.map(({ code }) => code.trimEnd()).sort()).toEqual(RECIPES.map(read).sort());
});

test('each channel and each warning of the package is named in the document about them', () => {
  const { text } = readDocument('docs/observability.md');
  const folder = new URL('../../src/', import.meta.url);
  const source = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`../../src/${name}`));
  const names = source.join('').match(/'(?:dwebsocket\.[a-z.]+|WEBSOCKET_[A-Z_]+)'/g) ?? [];
  expect(names.length).toBeGreaterThanOrEqual(18);
  for (const name of names) expect(text).toContain(`\`${name.slice(1, -1)}\``);
});
