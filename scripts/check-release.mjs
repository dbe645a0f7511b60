// Checks what must be done by hand before `npm publish` uploads anything. Only `npm publish` runs it.

import { readFileSync } from 'node:fs';

const read = (file) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const { version, repository } = JSON.parse(read('package.json'));
const heading = read('CHANGELOG.md')
  .split('\n')
  .find((line) => line.startsWith(`## ${version}`));

const missing = [];
if (!/\d{4}-\d{2}-\d{2}/.test(heading ?? '')) {
  missing.push(
    `CHANGELOG.md: ${version} has no date; write "## ${version} (YYYY-MM-DD)" instead of "${heading ?? 'nothing'}"`,
  );
}
if (repository === undefined) {
  missing.push('package.json: "repository" is missing; set it, so that the links of the README work on npm');
}
if (missing.length > 0) {
  console.error(`The package is not ready to publish:\n  ${missing.join('\n  ')}`);
  process.exit(1);
}
