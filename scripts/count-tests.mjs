// Adds up what Vitest's JSON reporter wrote, prints `N passed, N failed`, and fails when a run failed or was empty:
//
//   node scripts/count-tests.mjs report.json …

import { readFileSync } from 'node:fs';

const count = { passed: 0, failed: 0, skipped: 0 };
let isGood = process.argv.length > 2;

for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  count.passed += report.numPassedTests;
  count.failed += report.numFailedTests;
  count.skipped += report.numPendingTests + report.numTodoTests;
  if (!report.success || report.numPassedTests === 0) isGood = false;
}

const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
process.exitCode = isGood ? 0 : 1;
