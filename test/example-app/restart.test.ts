import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeInBrowser, seeStatus } from './browser.js';

interface ReturningPage {
  readonly path: string;
  /** The field with the visitor's name, if the page has one. */
  readonly name?: string;
  /** Waits until the page shows a new message. With a text, makes the server send it. */
  readonly seeMessage: (page: Page, text: string) => Promise<void>;
}

const seeChange = async (page: Page, selector: string) => {
  const before = await page.locator(selector).textContent();
  await expect.poll(() => page.locator(selector).textContent()).not.toBe(before);
};

const type = async (page: Page, label: string, text: string) => {
  await page.getByLabel(label, { exact: true }).fill(text);
  await page.keyboard.press('Enter');
};

const typeAndSee = (label: string) => async (page: Page, text: string) => {
  await type(page, label, text);
  await page.getByRole('log').getByRole('listitem').filter({ hasText: text }).waitFor();
};

const pages: readonly ReturningPage[] = [
  { path: '/figures/', seeMessage: (page) => seeChange(page, '#uptime') },
  {
    path: '/log/',
    async seeMessage(page, text) {
      await page.request.get(new URL(`/echo/?message=${text}`, page.url()).href);
      await page.getByRole('log').filter({ hasText: text }).waitFor();
    },
  },
  { path: '/account/', name: 'Name', seeMessage: typeAndSee('Message') },
  { path: '/notices/', seeMessage: typeAndSee('Notice') },
  { path: '/chat/restart/', name: 'Your name', seeMessage: typeAndSee('Message') },
];

describeInBrowser('after the server has restarted', ({ visit, stopApp, startApp }) => {
  test.for(pages)('$path connects again by itself', async ({ path, name, seeMessage }) => {
    const page = await visit(path);
    if (name !== undefined) await type(page, name, 'Ada');
    await seeStatus(page, /^Connected$/);
    await seeMessage(page, 'before');
    try {
      await stopApp();
      await seeStatus(page, /^Closed: .*\. The page will connect again\.$/);
    } finally {
      await startApp();
    }
    await seeStatus(page, /^Connected$/);
    await seeMessage(page, 'after');
  });

  test('/home/ shows the time again', async () => {
    const page = await visit('/home/');
    await seeChange(page, '#live');
    try {
      await stopApp();
      await page.locator('#live', { hasText: 'the server is away' }).waitFor();
    } finally {
      await startApp();
    }
    await page.locator('#live', { hasText: /\d:\d\d/ }).waitFor();
    await seeChange(page, '#live');
  });

  test('/account/ asks for the login if the session has ended meanwhile', async () => {
    const page = await visit('/account/');
    await type(page, 'Name', 'Ada');
    await seeStatus(page, /^Connected$/);
    await stopApp();
    await page.context().clearCookies();
    await startApp();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });
});
