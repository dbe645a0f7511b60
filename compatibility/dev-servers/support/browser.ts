import { chromium } from 'playwright-core';
import { expect } from 'vitest';

import { chromiumPath, hasChromium } from '../../../test/support/chromium.js';
import { START, within } from '../../../test/support/inbox.js';
import type { Program } from '../../support/program.js';
import type { Check } from '../../support/subject.js';

/** What the change of a file puts into the page. */
const CHANGED = 'in Chromium';

/** Defines the test of hot reload in Chromium. `change` puts the words "in Chromium" into the page. */
export function checkInBrowser(check: Check, program: () => Program, change: () => void): void {
  check(
    'hot reload',
    'a page in Chromium shows a change, and opens a websocket before and after it',
    () => seeChange(program(), change),
    { runIf: hasChromium },
  );
}

/**
 * Opens the page of a development server in Chromium, changes a file, and waits until the page shows the change. Before
 * and after, the page opens a websocket of ours.
 */
async function seeChange(program: Program, change: () => void): Promise<void> {
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-gpu'],
  });
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
    await page.getByText(CHANGED).waitFor();
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
