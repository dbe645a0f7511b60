import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cellsInPage, cellsOf, groupsWithResults, readResults } from '../../compatibility/support/table.js';
import { pinnedVersion } from '../../compatibility/support/versions.js';
import { root } from './document.js';

const groups = groupsWithResults();

test('there are tables of what was tested beside the package', () => {
  expect(groups).toContain('frameworks');
});

test.for(groups)('the table of %s in the documents is what its tests have seen', (group) => {
  expect(cellsInPage(group)).toEqual(cellsOf(readResults(group)));
});

test.for(groups)('the tests of %s have failed nowhere', (group) => {
  const failed = readResults(group).filter(({ seen }) => seen.some(([, each]) => each === 'no'));
  expect(failed.map(({ name }) => name)).toEqual([]);
});

test.for(groups)('the table of %s names the versions that its package.json pins', (group) => {
  const installed = readResults(group).flatMap(({ packages }) => Object.entries(packages));
  const pinned = installed.map(([name]) => [name, pinnedVersion(group, name)]);
  // If this fails, run `npm run compatibility:table` with the folder.
  expect(installed).toEqual(pinned);
});

test('the lock files name no registry', () => {
  const locks = readdirSync(`${root}compatibility`)
    .map((group) => `${root}compatibility/${group}/package-lock.json`)
    .concat(`${root}compatibility/package-lock.json`)
    .filter((file) => existsSync(file));
  expect(locks.filter((file) => readFileSync(file, 'utf8').includes('"resolved"'))).toEqual([]);
});
