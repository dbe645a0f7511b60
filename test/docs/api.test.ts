import { expect, test } from 'vitest';
import { readEntries } from '../../scripts/entries.js';
import { readDocument } from './document.js';

const sections = readDocument('docs/api.md').text.split(/^## /m).slice(1);

test.for(readEntries())('the page names everything that $specifier exports', async ({ specifier }) => {
  const section = sections.find((text) => text.startsWith(`${specifier}\n`)) ?? '';
  const named = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  const exported = Object.keys((await import(specifier)) as object);
  expect(named.sort()).toEqual(exported.sort());
});
