import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^dwebsocket$/, replacement: source('./src/index.ts') },
      { find: /^dwebsocket\/express$/, replacement: source('./src/express.ts') },
      { find: /^dwebsocket\/groups$/, replacement: source('./src/groups/index.ts') },
      {
        find: /^dwebsocket\/groups\/(redis|local|nats|postgres)$/,
        replacement: source('./src/groups/$1/index.ts'),
      },
      { find: /^dwebsocket\/client$/, replacement: source('./src/client/index.ts') },
      { find: /^dwebsocket\/testing$/, replacement: source('./src/testing/index.ts') },
      // Another version of `ws`: WS=/path/to/ws/wrapper.mjs
      ...(process.env.WS === undefined ? [] : [{ find: /^ws$/, replacement: process.env.WS }]),
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Redis Cluster and four processes take their time on a busy machine: they run with the long suites.
    exclude: [
      'test/long/**',
      'test/groups/redis-cluster.test.ts',
      'test/groups/redis-failover.test.ts',
      'test/groups/many-processes.test.ts',
      '**/node_modules/**',
    ],
    globalSetup: ['test/support/run-notes.ts'],
    setupFiles: ['test/support/leaks.ts'],
    // Many tests wait for a peer, a deadline or a program: half as many again as there are cores keep them busy.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    // For a machine that does much else; what waits in a test has a deadline of its own, which says for what.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
    // A second, otherwise: less than a browser takes that shares its cores.
    expect: { poll: { timeout: 30_000 } },
  },
});
