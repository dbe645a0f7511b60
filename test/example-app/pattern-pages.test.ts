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
    await seeStatus(page, 'Closed by you');
  });

  test('/figures/ says what the edges of its curve mean', async () => {
    const page = await visit('/figures/');
    await page.locator('#low').filter({ hasText: / MB$/ }).waitFor();
    const [low, memory, high] = await page.evaluate<number[]>(
      "['low', 'memory', 'high'].map((id) => parseFloat(document.getElementById(id).textContent))",
    );
    expect(low).toBeLessThan(memory ?? NaN);
    expect(high).toBeGreaterThan(memory ?? NaN);
  });

  test('of Connect and Close, one can be pressed, and has the focus of the other', async () => {
    const page = await visit('/figures/');
    const [connect, close] = ['Connect', 'Close'].map((name) => page.getByRole('button', { name }));
    const focused = () => page.locator(':focus').textContent();
    await seeStatus(page, 'Connected');
    expect([await connect!.isDisabled(), await close!.isDisabled()]).toEqual([true, false]);

    await close!.press('Enter');
    await seeStatus(page, 'Closed by you');
    expect([await connect!.isDisabled(), await close!.isDisabled()]).toEqual([false, true]);
    expect(await focused()).toBe('Connect');

    await page.keyboard.press('Enter');
    await seeStatus(page, 'Connected');
    expect(await focused()).toBe('Close');
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

  test('/log/ says what to do first where the log would show nothing', async () => {
    const page = await visit('/log/');
    await seeStatus(page, 'Connected');
    await press(page, 'Close');
    await seeStatus(page, 'Closed by you');
    await press(page, 'Ask the server for something');
    await page.getByText('You are not connected. Press Connect first.').waitFor();
    await press(page, 'Connect');
    await seeStatus(page, 'Connected');
    expect(await page.getByRole('alert').textContent()).toBe('');
  });

  test('/notices/ and /log/ say that the server has gone', async () => {
    const notices = await visit('/notices/');
    await notices.route('**/notices/', (route) => route.abort());
    await press(notices, 'Post');
    await notices.getByText('The server cannot be reached.').waitFor();

    const log = await visit('/log/');
    await seeStatus(log, 'Connected');
    await log.route('**/echo/**', (route) => route.abort());
    await press(log, 'Ask the server for something');
    await log.getByText('The server cannot be reached.').waitFor();
  });

  test('/log/ begins anew when it connects again', async () => {
    const page = await visit('/log/');
    const log = page.getByRole('log');
    await log.filter({ hasText: 'GET' }).waitFor();
    await press(page, 'Close');
    await seeStatus(page, 'Closed by you');
    await page.evaluate("document.getElementById('screen').append('the end')");
    await press(page, 'Connect');
    await log.filter({ hasText: 'GET', hasNotText: 'the end' }).waitFor();
  });

  test('/job/ fills its bar and is done', async () => {
    const page = await visit('/job/');
    await press(page, 'Start');
    await seeStatus(page, 'Closed: done (1000)');
    await page.getByText('30 of 30').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('30');
    expect(await page.locator('.status').getAttribute('data-state')).toBe('done');
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
    await screen.filter({ hasText: 'rm: unknown command. Try: help' }).waitFor();
    await type('exit');
    await seeStatus(page, 'Closed: done');
    await type('date');
    await page.getByRole('alert').filter({ hasText: 'You are not connected' }).waitFor();

    await press(page, 'Connect');
    await screen.filter({ hasText: /exit\s+──── a new program ────\s+A little shell/ }).waitFor();
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
    await seeStatus(page, 'Closed by you');
  });

  test('/frames/ shows a message without a camera', async () => {
    const page = await visit('/frames/');
    await press(page, 'Use the camera');
    await page.getByRole('alert').filter({ hasText: 'No camera was found' }).waitFor();
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
