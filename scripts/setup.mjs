// Installs the dependencies of this checkout, or of a folder in it, unless they match package-lock.json:
//
//   node scripts/setup.mjs [folder]
//
// `npm test` and other commands run it first, so that they work on a fresh clone. It takes a few milliseconds if nothing
// is missing.

import { install } from './install.mjs';

await install({ folder: process.argv[2] });
