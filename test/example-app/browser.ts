import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { createApp } from '../../example-app/app.js';
import { chromiumArguments, chromiumPath, hasChromium } from '../support/chromium.js';
import { removeLog } from './running-app.js';

export const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** What a test has of the browser: pages of the app, and the app's server to stop and start. */
export interface Visitor {
  /** Opens a path of the app in a fresh browser context; `prepare` sees the page before it loads. */
  visit(path: string, options?: BrowserContextOptions, prepare?: (page: Page) => void): Promise<Page>;
  stopApp(): Promise<void>;
  /** Starts the app again, where it was. */
  startApp(): Promise<void>;
}

/**
 * Tests in Chromium against a running example app. Whatever a page throws, and whatever its Content-Security-Policy
 * blocks, fails the test.
 */
export function describeInBrowser(name: string, tests: (visitor: Visitor) => void): void {
  describe.skipIf(!hasChromium)(name, { timeout: 120_000 }, () => {
    let browser: Browser;
    let server: Server;
    let port = 0;
    const faults: string[] = [];

    const visitor: Visitor = {
      async visit(path, options, prepare) {
        const context = await browser.newContext(options);
        context.setDefaultTimeout(30_000);
        const page = await context.newPage();
        page.on('pageerror', (error) => faults.push(error.message));
        page.on('console', (message) => {
          if (message.text().includes('Content Security Policy')) faults.push(message.text());
        });
        prepare?.(page);
        await page.goto(`http://localhost:${String(port)}${path}`);
        return page;
      },
      async startApp() {
        server = createApp().listen(port);
        await once(server, 'listening');
        port = (server.address() as AddressInfo).port;
      },
      async stopApp() {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      },
    };

    beforeAll(async () => {
      [browser] = await Promise.all([
        chromium.launch({ executablePath: chromiumPath, args: chromiumArguments }),
        visitor.startApp(),
      ]);
    });
    afterEach(async () => {
      await Promise.all(browser.contexts().map((context) => context.close()));
      expect(faults.splice(0)).toEqual([]);
    });
    afterAll(async () => {
      await browser.close();
      await visitor.stopApp();
      removeLog();
    });

    tests(visitor);
  });
}

/** What axe finds wrong for people who cannot see, hear, or point; in one line for each rule. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

/** Pixels by which a page is wider than its window: above 0 it scrolls sideways. */
export async function measureOverflow(page: Page): Promise<number> {
  return await page.evaluate('document.documentElement.scrollWidth - innerWidth');
}

/** Waits until the first status of a page says this. */
export async function seeStatus(page: Page, text: string | RegExp): Promise<void> {
  await page.locator('.status').filter({ hasText: text }).waitFor();
}

/** Presses the button of this name. */
export async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click();
}
