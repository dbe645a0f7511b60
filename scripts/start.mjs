// Runs `npm start`: installs what is missing, then runs the example app in this process.
//
// npm passes a signal only to its child process. With `node setup.mjs && tsx server.ts` only the shell would end, and the
// server would keep running. So there is one process: `exec` in package.json replaces the shell. Where `exec` is missing,
// as on Windows, the command after the `||` runs.

import { install } from './install.mjs';

/** The packages that the example app imports. A test compares the list with the imports. */
const PACKAGES = ['esbuild', 'express', 'express-session', 'helmet', 'morgan', 'tsx', 'zod'];

await install({ only: process.env.REDIS_URL ? [...PACKAGES, 'redis'] : PACKAGES });

// In a terminal, one Ctrl-C arrives twice: from the terminal, and from npm, which forwards its own. The first one stops
// the server. A second one after more than 500 ms is a new Ctrl-C, and ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM']) {
  let first;
  process.on(signal, () => {
    first ??= performance.now();
    if (performance.now() - first > 500) process.exit(1);
  });
}

const { register } = await import('tsx/esm/api');
register();
await import('../example-app/server.ts');
