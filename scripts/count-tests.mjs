// Adds up reports of Vitest's JSON reporter, prints `N passed, N failed`, and fails if a run failed or was empty:
//
//   node scripts/count-tests.mjs report.json again.json,report.json …
//   node scripts/count-tests.mjs --failed report.json     prints the files that failed, one on a line
//   node scripts/count-tests.mjs --why report.json        prints the tests that failed, each with its first error line
//
// If two reports of one argument contain the same file, the first one counts: it is that of a repeated run.

import { readFileSync } from 'node:fs';

const [first, ...rest] = process.argv.slice(2);
if (first === '--failed') {
  for (const { name } of read(rest[0]).filter(hasFailed)) console.log(name);
} else if (first === '--why') {
  for (const file of read(rest[0]).filter(hasFailed)) console.log(why(file).join('\n'));
} else {
  countAll([first, ...rest].filter(Boolean));
}

/** @returns {{ name: string, status: string, assertionResults: { status: string }[] }[]} */
function read(report) {
  return JSON.parse(readFileSync(report, 'utf8')).testResults;
}

// A file can fail without a failed test: by sockets or timers that it leaves behind.
function hasFailed({ status }) {
  return status !== 'passed';
}

/** @param {File} file */
function why({ name, message, assertionResults }) {
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return [`${name}: ${firstLine(message)}`];
  return failed.map((test) => `${name}: ${test.fullName}: ${firstLine(test.failureMessages[0])}`);
}

function firstLine(text = '') {
  return text.split('\n', 1)[0];
}

function countAll(runs) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  let isGood = runs.length > 0;
  for (const run of runs) {
    const files = new Map(
      run
        .split(',')
        .flatMap(read)
        .reverse()
        .map((file) => [file.name, file]),
    );
    let passed = 0;
    for (const file of files.values()) {
      const failed = file.assertionResults.filter(({ status }) => status === 'failed').length;
      const good = file.assertionResults.filter(({ status }) => status === 'passed').length;
      passed += good;
      count.failed += hasFailed(file) ? Math.max(failed, 1) : 0;
      count.skipped += file.assertionResults.length - failed - good;
      if (hasFailed(file)) isGood = false;
    }
    count.passed += passed;
    if (passed === 0) isGood = false;
  }
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
  process.exitCode = isGood ? 0 : 1;
}
