import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { expect } from 'vitest';
import { START, within } from '../../../test/support/inbox.js';
import { requirement } from '../../../test/support/requirements.js';
import type { Program } from '../../support/program.js';

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Whether Chromium is there. If not, the tests that need it are skipped, or fail if REQUIRE_ALL is set. */
export const hasChromium = (): boolean => requirement('Chromium', existsSync(executablePath));

/**
 * Opens the page of a development server in Chromium, changes a file, and waits until the page shows the change. Before
 * and after, the page opens a websocket of ours.
 */
export async function seeChangeInBrowser(program: Program, change: () => void, text: string): Promise<void> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const hotReload = new Promise((resolve) => {
      page.on('websocket', (socket) => {
        if (!socket.url().endsWith('/echo')) socket.once('framereceived', resolve);
      });
    });
    // The name, because Next.js refuses hot reload to pages of 127.0.0.1.
    await page.goto(`http://localhost:${program.port}/`, { waitUntil: 'networkidle' });
    await within(hotReload, 'message of the development server', START);
    expect(await page.evaluate(echo)).toBe('hello');
    change();
    await page.getByText(text).waitFor();
    expect(await page.evaluate(echo)).toBe('hello');
  } finally {
    await browser.close();
  }
}

/** Runs in the page. */
function echo(): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => {
      socket.close();
      resolve(data);
    };
    socket.onerror = () => reject(new Error('the websocket was refused'));
  });
}
