import { expect, test } from 'vitest';
import { describeInBrowser, findBarriers, measureOverflow, phone } from './browser.js';

const pages = ['/home/', '/echo/'];

describeInBrowser('every page', ({ visit }) => {
  for (const path of pages) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`${path} has no barriers when it is ${colorScheme}`, async () => {
        const page = await visit(path, { colorScheme, reducedMotion: 'reduce' });
        await page.locator('h1').waitFor();
        expect(await findBarriers(page)).toEqual([]);
      });
    }

    test(`${path} fits a phone`, async () => {
      const page = await visit(path, phone);
      expect(await page.locator('h1').isVisible()).toBe(true);
      expect(await measureOverflow(page)).toBe(0);
    });

    test(`${path} asks for nothing but what the app serves, and gets it`, async () => {
      const page = await visit('/home/');
      const answers: [string, number][] = [];
      page.on('response', (response) => answers.push([new URL(response.url()).host, response.status()]));
      await page.goto(new URL(path, page.url()).href, { waitUntil: 'networkidle' });
      expect(answers.length).toBeGreaterThan(2);
      for (const [host, status] of answers) {
        expect(host).toBe(new URL(page.url()).host);
        expect(status).toBeLessThan(400);
      }
    });
  }

  test('the index leads to every page, and to the source of its route', async () => {
    const page = await visit('/home/');
    const anchors = await page.locator('main a').all();
    const links = await Promise.all(anchors.map(async (anchor) => (await anchor.getAttribute('href')) ?? ''));
    for (const path of pages.slice(1)) expect(links).toContain(path);
    for (const link of links) {
      const answer = await page.request.get(new URL(link, page.url()).href);
      expect(`${link} ${String(answer.status())}`).toBe(`${link} 200`);
      if (link.startsWith('/source/')) expect(answer.headers()['content-type']).toMatch('text/plain');
    }
  });
});
