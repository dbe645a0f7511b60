import { expect, test } from 'vitest';
import { readDocuments } from './document.js';

/** The first row of a table, and the line below it. Code is no table. */
function headsIn(text: string): [place: number, below: string][] {
  const lines = text.replace(/^```[^]*?^```$/gm, (code) => code.replace(/^.*/gm, '')).split('\n');
  return lines.flatMap((line, i) =>
    line.startsWith('|') && lines[i - 1]?.startsWith('|') !== true ? [[i + 1, lines[i + 1] ?? '']] : [],
  );
}

// Markdown shows rows without a head as text with bars.
test('no blank line cuts a table: each has a head, and a line under it', () => {
  const documents = readDocuments().map(({ path, text }) => ({ path, heads: headsIn(text) }));
  expect(documents.flatMap(({ heads }) => heads).length).toBeGreaterThan(50);
  const faults = documents.flatMap(({ path, heads }) =>
    heads.filter(([, below]) => !/^\|[|\s:-]+\|$/.test(below)).map(([line]) => `${path}:${line}`),
  );
  expect(faults).toEqual([]);
});
