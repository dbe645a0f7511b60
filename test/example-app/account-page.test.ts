import session from 'express-session';
import type { Page } from 'playwright-core';
import { afterEach, expect, test, vi } from 'vitest';
import { describeInBrowser, findBarriers, press, seeStatus } from './browser.js';

afterEach(() => {
  vi.restoreAllMocks();
});

async function logIn(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('Ada');
  await press(page, 'Log in');
  await page.getByText('Hello, Ada. Visits so far: 1.').waitFor();
}

const logOut = (page: Page) => page.request.post(new URL('/account/logout', page.url()).href);

/** Holds back what the nth look into the store of sessions has found: resolves when it has, with what lets it go on. */
function holdLook(nth: number): Promise<() => void> {
  const { prototype } = session.MemoryStore;
  const get = prototype.get;
  let looks = 0;
  return new Promise((resolve) => {
    vi.spyOn(prototype, 'get').mockImplementation(function (this: session.MemoryStore, id, callback) {
      const isHeld = ++looks === nth;
      get.call(this, id, (...found) => {
        const goOn = () => callback(...found);
        if (isHeld) resolve(goOn);
        else goOn();
      });
    });
  });
}

describeInBrowser('the page behind a login', ({ visit }) => {
  test('lets nobody in without a login, by HTTP or by WebSocket', async () => {
    const page = await visit('/account/');
    expect((await page.reload())?.status()).toBe(401);
    await press(page, 'Connect all the same');
    await seeStatus(page, 'Closed: the server cannot be reached, or refused');
  });

  test('knows who has logged in, counts on, and leaves at a logout in another tab', async () => {
    const page = await visit('/account/');
    await logIn(page);
    const messages = page.getByRole('log').getByRole('listitem');
    expect(await findBarriers(page)).toEqual([]);
    await press(page, 'Send');
    await messages.filter({ hasText: 'Ada says: Good morning' }).waitFor();

    const tab = await page.context().newPage();
    await tab.goto(page.url());
    await tab.getByText('Visits so far: 2.').waitFor();
    await press(tab, 'Log out');
    await tab.getByRole('heading', { name: 'Log in' }).waitFor();

    await seeStatus(page, 'Closed: logged out (4401)');
    const link = page.getByRole('link', { name: 'Log in' });
    await link.waitFor();
    expect(await findBarriers(page)).toEqual([]);
    await link.click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  test('redirects a visitor whose login has ended from Connect to the login page', async () => {
    const page = await visit('/account/');
    await logIn(page);
    await logOut(page);
    await seeStatus(page, 'Closed: logged out (4401)');
    await press(page, 'Connect');
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  // The handshake looks for the session, and the handler looks again.
  test.each([1, 2])(
    'does not bring back a session that logs out after look %i of a handshake',
    async (nth) => {
      const page = await visit('/account/');
      await logIn(page);
      await press(page, 'Close');
      await seeStatus(page, 'Closed by you');

      const held = holdLook(nth);
      await press(page, 'Connect');
      const goOn = await held;
      await logOut(page);
      goOn();
      await seeStatus(page, 'Closed: logged out (4401)');
      expect((await page.reload())?.status()).toBe(401);
    },
  );
});
