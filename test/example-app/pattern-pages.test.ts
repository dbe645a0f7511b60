import { expect, test } from 'vitest';
import { describeInBrowser, press, seeStatus } from './browser.js';

describeInBrowser('the pages of the patterns', ({ visit }) => {
  test('/figures/ shows new figures until it is closed', async () => {
    const page = await visit('/figures/');
    await seeStatus(page, 'Connected');
    await page
      .locator('#memory')
      .filter({ hasText: /^\d+\.\d MB$/ })
      .waitFor();
    await page.locator('#curve[points*=" "]').waitFor({ state: 'attached' });
    await press(page, 'Close');
    await seeStatus(page, 'Closed: done');
  });

  test('/log/ shows a request as soon as the server has logged it', async () => {
    const page = await visit('/log/');
    await seeStatus(page, 'Connected');
    await press(page, 'Ask the server for something');
    await page
      .getByRole('log')
      .filter({ hasText: /GET \/echo\/\?message=hello 200/ })
      .waitFor();
  });

  test('/job/ fills its bar and is done', async () => {
    const page = await visit('/job/');
    await press(page, 'Start');
    await seeStatus(page, 'Closed: done (1000)');
    await page.getByText('30 of 30').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('30');
  });

  test('/job/ stops half-way when it is cancelled, and begins anew', async () => {
    const page = await visit('/job/');
    // Pressed in the page itself: a press from here could come when the job is done.
    await page.evaluate(`new MutationObserver((_, observer) => {
      observer.disconnect();
      document.getElementById('close').click();
    }).observe(document.getElementById('steps'), { childList: true })`);
    await press(page, 'Start');
    await seeStatus(page, 'Closed');
    expect(await page.locator('#steps').textContent()).toMatch(/^[1-9] of 30$/);
    expect(Number(await page.getByRole('progressbar').getAttribute('value'))).toBeLessThan(30);
    await press(page, 'Start');
    await page.getByText('30 of 30').waitFor();
  });

  test('/shell/ sends what is typed, shows what the program prints, and ends with it', async () => {
    const page = await visit('/shell/');
    const screen = page.getByRole('log');
    await screen.filter({ hasText: 'A little shell. Try: help' }).waitFor();
    await press(page, 'Send');
    await screen.filter({ hasText: 'I know: help, date' }).waitFor();

    const type = async (line: string) => {
      await page.getByLabel('Command').fill(line);
      await page.keyboard.press('Enter');
    };
    await type('sort pear apple fig');
    await screen.filter({ hasText: /apple\s+fig\s+pear/ }).waitFor();
    await type('rm -rf /');
    await screen.filter({ hasText: 'rm: I do not know that. Try: help' }).waitFor();
    await type('exit');
    await seeStatus(page, 'Closed: done');
    await type('date');
    await page.getByRole('alert').filter({ hasText: 'You are not connected' }).waitFor();
  });

  test('/frames/ gets back the edges of the picture that it sends', async () => {
    const page = await visit('/frames/');
    await page
      .locator('#count')
      .filter({ hasText: /^\d{2,}$/ })
      .waitFor();
    const green = await page.evaluate(
      `document.getElementById('received').getContext('2d').getImageData(0, 0, 160, 120).data
        .filter((_, index) => index % 4 === 1).some((value) => value > 100)`,
    );
    expect(green).toBe(true);
    await press(page, 'Close');
    await seeStatus(page, 'Closed: done');
  });

  test('/frames/ says so when there is no camera', async () => {
    const page = await visit('/frames/');
    await press(page, 'Use the camera');
    await page.getByRole('alert').filter({ hasText: 'There is no camera' }).waitFor();
  });

  test('/quiz/ tells right from wrong, and is done after the last question', async () => {
    const page = await visit('/quiz/');
    await seeStatus(page, 'Connected');
    for (const [answer, verdict] of [
      ['101', 'Right.'],
      ['80', 'Wrong: it is 443.'],
      [' 1000 ', 'Right.'],
    ] as const) {
      await press(page, 'Next question');
      await page.locator('#question').filter({ hasText: '?' }).waitFor();
      await page.getByLabel('Answer').fill(answer);
      await page.keyboard.press('Enter');
      await page.locator('#verdict').filter({ hasText: verdict }).waitFor();
    }
    await seeStatus(page, 'Closed: done');
  });

  test('/quiz/ tells when the time is up', async () => {
    const page = await visit('/quiz/?hard');
    await seeStatus(page, 'Connected');
    await press(page, 'Next question');
    await page.locator('#verdict').filter({ hasText: 'Too late: it is 101.' }).waitFor();
  });

  test('/account/ lets nobody in without a login, by HTTP or by WebSocket', async () => {
    const page = await visit('/account/');
    expect((await page.reload())?.status()).toBe(401);
    await press(page, 'Connect all the same');
    await seeStatus(page, 'Closed: the server cannot be reached, or refused');
  });

  test('/account/ knows who has logged in, counts on, and leaves at a logout in another tab', async () => {
    const page = await visit('/account/');
    await page.getByLabel('Name').fill('Ada');
    await press(page, 'Log in');
    const messages = page.getByRole('log').getByRole('listitem');
    await messages.filter({ hasText: 'Hello, Ada. Visits so far: 1.' }).waitFor();
    await press(page, 'Send');
    await messages.filter({ hasText: 'Ada says: Good morning' }).waitFor();

    const tab = await page.context().newPage();
    await tab.goto(page.url());
    await tab.getByText('Visits so far: 2.').waitFor();
    await press(tab, 'Log out');
    await tab.getByRole('heading', { name: 'Log in' }).waitFor();

    await seeStatus(page, 'Closed: logged out (4001)');
    expect((await page.reload())?.status()).toBe(401);
  });

  test('/notices/ brings a POST to every open page, and says what it cannot take', async () => {
    const page = await visit('/notices/');
    await seeStatus(page, 'Connected');
    const other = await page.context().newPage();
    await other.goto(page.url());
    await seeStatus(other, 'Connected');

    await press(page, 'Post');
    await page.getByText('Sent to 2 open pages.').waitFor();
    for (const reader of [page, other]) {
      await reader.getByRole('log').getByRole('listitem').filter({ hasText: 'Dinner is ready' }).waitFor();
    }
    const refused = await page.request.post(page.url(), { data: { text: 42 } });
    expect(refused.status()).toBe(400);
  });
});
