import { expect, test } from 'vitest';
import { describeInBrowser, findBarriers, measureOverflow, phone } from './browser.js';

const pages = [
  '/home/',
  '/echo/',
  '/compare/',
  '/figures/',
  '/log/',
  '/job/',
  '/shell/',
  '/frames/',
  '/quiz/',
  '/account/',
  '/notices/',
  '/chat/lobby/',
];

describeInBrowser('every page', ({ visit }) => {
  for (const path of pages) {
    test(`${path} has no barriers, by day and by night`, async () => {
      const page = await visit(path, { reducedMotion: 'reduce', colorScheme: 'light' });
      await page.locator('pre[data-source] .keyword').first().waitFor();
      expect(await findBarriers(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await findBarriers(page)).toEqual([]);
    });

    test(`${path} fits a phone, and asks nobody but the app`, async () => {
      const strangers: string[] = [];
      const missing: string[] = [];
      const page = await visit(path, phone, (opened) => {
        opened.on('response', (response) => {
          if (response.status() === 404) missing.push(response.url());
          if (new URL(response.url()).hostname !== 'localhost') strangers.push(response.url());
        });
      });
      await page.locator('pre[data-source] .keyword').first().waitFor();
      expect(await page.locator('h1').isVisible()).toBe(true);
      expect(await measureOverflow(page)).toBe(0);
      expect([strangers, missing]).toEqual([[], []]);
    });
  }

  test('the index leads to every page, and to the source of its route', async () => {
    const page = await visit('/home/');
    const anchors = await page.locator('main a').all();
    const links = await Promise.all(anchors.map(async (anchor) => (await anchor.getAttribute('href')) ?? ''));
    for (const path of pages.slice(1)) expect(links).toContain(path);
    for (const link of links) {
      const answer = await page.request.get(new URL(link, page.url()).href);
      expect(`${link} ${String(answer.status())}`).toBe(`${link} ${link === '/account/' ? '401' : '200'}`);
      if (link.startsWith('/source/')) expect(answer.headers()['content-type']).toMatch('text/plain');
    }
  });
});
