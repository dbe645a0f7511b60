import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import config from '../vitest.config.js';

/** What users run beside the package, as they get it: `npm run test:compatibility [-- folder …]`. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    ...config.test,
    include: ['*/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.page/**'],
    globalSetup: ['../test/support/run-notes.ts', 'support/install-package.ts'],
    setupFiles: ['../test/support/leaks.ts'],
    // Most tests wait for a program to start, and programs need the cores.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 240_000,
    reporters:
      process.env.COMPATIBILITY_TABLE === undefined ? 'default' : ['default', 'support/table-reporter.ts'],
  },
});
