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
  console.log(`skipped, because ${name} is not installed here`);
  return false;
}
