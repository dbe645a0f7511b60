import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Says whether something that a test needs and npm cannot install (Chromium, Redis, nginx, Java) is there:
 *
 *     describe.runIf(requirement('Chromium', existsSync('/usr/bin/chromium')))('the page', () => { … });
 *
 * Where it is not, the tests are skipped with one clear line; with REQUIRE_ALL set, as in CI, that is an error.
 */
export function requirement(name: string, isThere: boolean): boolean {
  if (isThere) return true;
  const { REQUIRE_ALL = '' } = process.env;
  if (REQUIRE_ALL !== '')
    throw new Error(`${name} is missing, and REQUIRE_ALL demands the tests that need it`);
  if (isFirst(name)) console.log(`skipped, because ${name} is not installed here`);
  return false;
}

/** The name of the environment variable with the folder in which a run notes what it has said; see `run-notes.ts`. */
export const NOTES = 'DWEBSOCKET_TEST_NOTES';

// Each test file has a process of its own, and many of them need the same.
function isFirst(name: string): boolean {
  const folder = process.env[NOTES];
  if (folder === undefined) return true;
  try {
    writeFileSync(join(folder, encodeURIComponent(name)), '', { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}
