// `npm start`: sets up, then runs the example app in this very process.
//
// One process, because a signal that is sent to npm reaches its child and nothing below that: of
// `node setup.mjs && tsx server.ts` only the shell would end, and the server would be left behind. (`exec` in
// package.json takes the shell away; where there is none, as on Windows, the command behind the `||` runs.)

import { install } from './install.mjs';

/** What the example app imports, beside this package; tests hold it to its sources. */
const PACKAGES = ['express', 'express-session', 'helmet', 'morgan', 'tsx'];

await install({ only: process.env.REDIS_URL ? [...PACKAGES, 'redis'] : PACKAGES });

// In a terminal, one Ctrl-C arrives twice: from the terminal, and from npm, which passes on its own. The server stops
// at the first; only a signal that comes later means that somebody is tired of waiting.
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
