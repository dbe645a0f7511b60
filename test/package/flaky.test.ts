import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('.ci/flaky names test files that exist, each with a reason', () => {
  const lines = readFileSync(`${root}.ci/flaky`, 'utf8').trim().split('\n');
  const entries = lines.filter((line) => !line.startsWith('#'));
  const bad = entries.filter((line) => {
    const [, file = '', reason] = /^(test\/\S+\.test\.ts) +(\S.*)$/.exec(line) ?? [];
    return reason === undefined || !existsSync(root + file);
  });
  expect(bad).toEqual([]);
});
