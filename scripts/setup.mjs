// Installs the dependencies of this checkout, or of folders in it, unless they match package-lock.json:
//
//   node scripts/setup.mjs [folder …]
//
// `npm test` and other commands run it first, so that they work on a fresh clone. It takes a few milliseconds if nothing
// is missing.

import { install } from './install.mjs';

const folders = process.argv.slice(2);
for (const folder of folders.length > 0 ? folders : ['.']) await install({ folder });
