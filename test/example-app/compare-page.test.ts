import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeInBrowser, press, seeStatus } from './browser.js';

const ways = ['polling', 'long-polling', 'streaming', 'websocket'];

const read = async (page: Page, id: string) => (await page.locator(`#${id}`).textContent()) ?? '';
const readNumber = async (page: Page, id: string) => parseFloat((await read(page, id)).replace(',', ''));
const readBar = (page: Page, way: string) =>
  page.locator(`#${way}-bar`).evaluate((element: unknown) => (element as { value: number }).value);
const picture = (page: Page) => page.evaluate("document.getElementById('chart').toDataURL()");

// The default of a second is too short for a browser that is busy with other tests.
const poll = <T>(look: () => Promise<T>) => expect.poll(look, { timeout: 30_000 });

/** Many events and frequent polls, so that there is soon something to see. */
async function hurry(page: Page): Promise<void> {
  await page.getByLabel('Polling', { exact: true }).selectOption({ label: 'every 0.25 s' });
  await page.getByLabel('Events').selectOption({ label: '10 per second' });
}

describeInBrowser('the comparison', ({ visit, stopApp, startApp }) => {
  test('shows delay, requests and bytes of each way, and what they would be for many', async () => {
    const page = await visit('/compare/');
    await seeStatus(page, 'Running');
    await hurry(page);
    for (const way of ways) {
      await page
        .locator(`#${way}-latency`)
        .filter({ hasText: /\d ms|\d s/ })
        .waitFor();
      await page
        .locator(`#${way}-100000`)
        .filter({ hasText: /bit\/s/ })
        .waitFor();
    }
    await poll(() => readNumber(page, 'polling-requests')).toBeGreaterThan(5);
    expect(await read(page, 'streaming-requests')).toBe('1');
    expect(await read(page, 'websocket-requests')).toBe('1');

    // The bars compare what goes on, without what it took to connect.
    await poll(() => readBar(page, 'websocket')).toBeLessThan(0.2);
    await poll(() => readBar(page, 'long-polling')).toBe(1);
  });

  test('shows at first, without a setting, that polling costs most', async () => {
    const page = await visit('/compare/');
    expect(await page.getByLabel('Events').inputValue()).toBe('0.5');
    expect(await page.getByLabel('Polling', { exact: true }).inputValue()).toBe('1000');
    await poll(() => readNumber(page, 'polling-requests')).toBeGreaterThan(6);
    await poll(
      async () => (await readBar(page, 'polling')) - (await readBar(page, 'long-polling')),
    ).toBeGreaterThan(0.2);
    expect(await page.getByRole('button', { name: 'Start' }).isDisabled()).toBe(true);
    await press(page, 'Stop');
    expect(await page.getByRole('button', { name: 'Stop' }).isDisabled()).toBe(true);
  });

  test('charges no way with events that the page does not show', async () => {
    const told: Promise<{ way: string | null; events: unknown[] }>[] = [];
    const page = await visit('/compare/', {}, (opened) => {
      opened.on('response', (response) => {
        const { pathname, searchParams } = new URL(response.url());
        const way = searchParams.get('way');
        if (pathname !== '/compare/' || !way?.endsWith('polling')) return;
        told.push(response.json().then((events: unknown[]) => ({ way, events })));
      });
    });
    await page.locator('#long-polling-last').filter({ hasText: /\d/ }).waitFor();
    await page.locator('#polling-last').filter({ hasText: /\d/ }).waitFor();
    // One event in two seconds: what is more came from before.
    const answers = await Promise.all([...told]);
    for (const way of ['polling', 'long-polling']) {
      const first = answers.find((answer) => answer.way === way);
      expect(first?.events.length).toBeLessThanOrEqual(1);
    }
  });

  test('moves its chart while it runs, and stands still when it is stopped', async () => {
    const page = await visit('/compare/');
    await seeStatus(page, 'Running');
    const first = await picture(page);
    await poll(() => picture(page)).not.toBe(first);
    await press(page, 'Stop');
    await seeStatus(page, 'Stopped');
    const last = await picture(page);
    await page.evaluate('new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))');
    expect(await picture(page)).toBe(last);
    await press(page, 'Start');
    await seeStatus(page, 'Running');
  });

  test('begins to count anew when a setting changes', async () => {
    const page = await visit('/compare/');
    await hurry(page);
    await poll(() => readNumber(page, 'long-polling-requests')).toBeGreaterThan(10);
    await page.getByLabel('Events').selectOption({ label: 'every 5 s' });
    await poll(() => readNumber(page, 'long-polling-requests')).toBeLessThan(3);
  });

  test('says so when the server goes away, and starts again when it is back', async () => {
    const page = await visit('/compare/');
    await seeStatus(page, 'Running');
    await stopApp();
    await seeStatus(page, 'Closed: the server cannot be reached');
    await startApp();
    await press(page, 'Start');
    await seeStatus(page, 'Running');
  });
});
