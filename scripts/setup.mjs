// Installs the dependencies of this checkout, or of a folder in it, where they are not what package-lock.json says:
//
//   node scripts/setup.mjs [folder]
//
// `npm test` and the others begin with it, so that they work on a fresh clone. It costs a few milliseconds when there is
// nothing to do.

import { install } from './install.mjs';

await install({ folder: process.argv[2] });
