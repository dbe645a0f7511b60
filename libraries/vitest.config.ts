import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import config from '../vitest.config.js';

/** Libraries that expect a socket, each in a file of its own: `npm run test:libraries`. */
export default defineConfig({
  ...config,
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    ...config.test,
    // Vite would take its field `module`, and Node takes `main` for graphql-ws. Two copies of graphql refuse each other.
    alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }],
    include: ['*.test.ts'],
    exclude: [],
    globalSetup: ['../test/support/run-notes.ts'],
    setupFiles: ['../test/support/leaks.ts'],
  },
});
