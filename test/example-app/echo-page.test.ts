import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeInBrowser, press, seeStatus } from './browser.js';

const suffix = '这是你发来的。。。';

const messages = (page: Page) => page.getByRole('log').getByRole('listitem');

describeInBrowser('the echo page', ({ visit, stopApp, startApp }) => {
  test('connects, sends the preset text and shows the answer', async () => {
    const page = await visit('/echo/');
    expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('Hello, World!');
    await seeStatus(page, 'Not connected');

    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    await press(page, 'Send');

    await messages(page)
      .filter({ hasText: `Hello, World!${suffix}` })
      .waitFor();
    expect(await page.getByRole('heading', { name: 'Received Messages' }).isVisible()).toBe(true);
  });

  test('shows the newest message on top', async () => {
    const page = await visit('/echo/');
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    for (const text of ['first', 'second', 'third']) {
      await page.getByLabel('Message', { exact: true }).fill(text);
      await page.keyboard.press('Enter');
      await messages(page).filter({ hasText: text }).waitFor();
    }
    const texts = await messages(page).allTextContents();
    expect(texts.map((text) => text.replace(/这.*/, ''))).toEqual(['third', 'second', 'first']);
  });

  test('warns when something is sent while it is not connected', async () => {
    const page = await visit('/echo/');
    await press(page, 'Send');
    const warning = page.getByRole('alert');
    await warning.filter({ hasText: 'You are not connected' }).waitFor();
    expect(await messages(page).count()).toBe(0);

    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    expect(await warning.textContent()).toBe('');

    await press(page, 'Close');
    await seeStatus(page, /^Closed/);
    await press(page, 'Send');
    await warning.filter({ hasText: 'You are not connected' }).waitFor();
  });

  test('shows what it is sent as text, never as markup', async () => {
    const page = await visit('/echo/');
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    await page.getByLabel('Message', { exact: true }).fill('<img src=x onerror=alert(1)>');
    await press(page, 'Send');
    await messages(page).filter({ hasText: '<img src=x onerror=alert(1)>' }).waitFor();
  });

  test('talks to the route that answers once, and shows that it is done', async () => {
    const page = await visit('/echo/#websocket');
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    await press(page, 'Send');
    await seeStatus(page, 'Closed: done');
    expect(await messages(page).count()).toBe(1);
    expect(await messages(page).textContent()).toMatch(/^Hello, World!\d/);
  });

  test('is the page of the route that is chosen', async () => {
    const page = await visit('/echo/#websocket');
    const seeRoute = async (title: string, file: string) => {
      await page.getByRole('heading', { name: title, level: 1 }).waitFor();
      expect(await page.title()).toBe(`${title} · dwebsocket`);
      const link = page.getByRole('link', { name: `routes/${file}` });
      expect(await link.getAttribute('href')).toBe(`/source/routes/${file}`);
    };
    const code = page.locator('pre[data-source]');
    await seeRoute('Once', 'websocket.ts');
    await code.filter({ hasText: 'export const websocket' }).waitFor();

    await page.getByLabel('/echo/ answers').check();
    await seeRoute('Echo', 'echo.ts');
    await code.filter({ hasText: 'export const echo' }).waitFor();

    await page.getByRole('link', { name: 'Next: Once' }).click();
    await seeRoute('Once', 'websocket.ts');
    expect(await page.getByLabel('/websocket/ waits').isChecked()).toBe(true);
    expect(await page.locator(':focus').textContent()).toBe('Once');

    // The link that skips the bar has an anchor, too.
    await page.goto(`${page.url().split('#')[0] ?? ''}#main`);
    await seeRoute('Once', 'websocket.ts');
    await page.getByRole('link', { name: 'Back: Echo' }).click();
    await seeRoute('Echo', 'echo.ts');
  });

  test('leaves the one route for the other', async () => {
    const page = await visit('/echo/');
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    await page.getByLabel('/websocket/ waits').check();
    await seeStatus(page, 'Closed by you');
  });

  test('says what the route adds, in its language', async () => {
    const page = await visit('/echo/');
    expect(await page.locator('main [lang="zh"]').textContent()).toBe(suffix);
  });

  test('shows a server that goes away as closed, and connects again when it is back', async () => {
    const page = await visit('/echo/');
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);

    await stopApp();
    await seeStatus(page, /^Closed: the server is shutting down or restarting \(1001\)$/);
    await press(page, 'Connect');
    await seeStatus(page, 'Closed: the server cannot be reached');

    await startApp();
    await press(page, 'Connect');
    await seeStatus(page, /^Connected$/);
    await press(page, 'Send');
    await messages(page)
      .filter({ hasText: `Hello, World!${suffix}` })
      .waitFor();
  });

  test('works without a pointer', async () => {
    const page = await visit('/echo/');
    const focused = () => page.locator(':focus');
    await page.getByLabel('Message', { exact: true }).focus();
    await page.keyboard.press('Tab');
    expect(await focused().textContent()).toBe('Connect');
    await page.keyboard.press('Enter');
    await seeStatus(page, /^Connected$/);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await messages(page).filter({ hasText: suffix }).waitFor();
    expect(await focused().textContent()).toBe('Send');
  });
});
