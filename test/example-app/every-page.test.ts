import { expect, test } from 'vitest';
import { describeInBrowser, findBarriers, measureOverflow, phone } from './browser.js';

/** The smallest phone. With `isMobile` a page that is too wide would widen its window. */
const small = { viewport: { width: 320, height: 640 }, hasTouch: true };

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

    test(`${path} fits a phone, and sends requests only to the app`, async () => {
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
      const smaller = await visit(path, small);
      await smaller.locator('pre[data-source] .keyword').first().waitFor();
      expect(await measureOverflow(smaller)).toBe(0);
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

  test('every page leads to the sources that it names', async () => {
    const page = await visit('/home/');
    const sources = new Set<string>();
    for (const path of pages) {
      const answer = await page.request.get(new URL(path, page.url()).href);
      for (const [, link] of (await answer.text()).matchAll(/"(\/source\/.*?)"/g)) sources.add(link ?? '');
    }
    for (const file of ['routes/login.ts', 'programs/little-shell.mjs', 'draw-edges.ts'])
      expect(sources).toContain(`/source/${file}`);
    expect(sources).toContain('/source/compare/event-stream.ts');
    for (const link of sources) {
      const answer = await page.request.get(new URL(link, page.url()).href);
      expect(`${link} ${String(answer.status())}`).toBe(`${link} 200`);
      expect(answer.headers()['content-type']).toMatch('text/plain');
    }
  });

  test('the tour leads through every page of the index, and home', { timeout: 180_000 }, async () => {
    const page = await visit('/home/');
    const isAt = (href: string) => (url: URL) => url.pathname + url.hash === href;
    const links = await page.locator('.tour h3 a').all();
    const stops = await Promise.all(
      links.map(async (link) => [await link.textContent(), await link.getAttribute('href')]),
    );
    for (const [name, href] of [...stops, ['Use it in your app', '/home/#take-home']]) {
      await page.getByRole('link', { name: `Next: ${name ?? ''} →`, exact: true }).click();
      await page.waitForURL(isAt(href ?? ''), { timeout: 60_000 });
    }
    await page.getByText('npm install dwebsocket').waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'Back: A POST that pushes' }).click();
    await page.waitForURL(isAt('/notices/'), { timeout: 60_000 });
  });

  test('the index shows a route that fits, and what it answers over both protocols', async () => {
    const page = await visit('/home/', { viewport: { width: 1280, height: 800 } });
    const route = page.getByLabel('A route');
    await route.filter({ hasText: 'acceptWebsocket' }).waitFor();
    const hidden = await route.evaluate(
      "(() => { const pre = document.querySelector('.hero pre'); return pre.scrollWidth - pre.clientWidth; })()",
    );
    expect(hidden).toBe(0);
    for (const id of ['once', 'live'])
      await page
        .locator(`#${id}`)
        .filter({ hasText: /\d:\d\d/ })
        .waitFor();
    const live = await page.locator('#live').textContent();
    await expect.poll(() => page.locator('#live').textContent(), { timeout: 20_000 }).not.toBe(live);
  });
});
