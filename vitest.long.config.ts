import { defineConfig } from 'vitest/config';
import config from './vitest.config.js';

/** The suites that take minutes, one after the other: `npm run test:long`. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: [
      'test/long/**/*.test.ts',
      'test/groups/redis-cluster.test.ts',
      'test/groups/redis-failover.test.ts',
      'test/groups/many-processes.test.ts',
    ],
    exclude: [],
    testTimeout: 30 * 60_000,
    fileParallelism: false,
  },
});
