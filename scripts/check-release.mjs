// What must have been done by hand before `npm publish` uploads anything; run by it, and by nothing else.

import { readFileSync } from 'node:fs';

const read = (file) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const { version, repository } = JSON.parse(read('package.json'));
const heading = read('CHANGELOG.md')
  .split('\n')
  .find((line) => line.startsWith(`## ${version}`));

const missing = [];
if (!/\d{4}-\d{2}-\d{2}/.test(heading ?? '')) {
  missing.push(
    `CHANGELOG.md: give ${version} its date, "## ${version} (YYYY-MM-DD)"; it says "${heading ?? 'nothing'}"`,
  );
}
if (repository === undefined) {
  missing.push('package.json: set "repository", or the links of the README lead nowhere on npm');
}
if (missing.length > 0) {
  console.error(`Not ready to publish:\n  ${missing.join('\n  ')}`);
  process.exit(1);
}
