import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import CDP, { type Client } from 'chrome-remote-interface';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../test/support/client.js';
import { defer, START, within } from '../test/support/inbox.js';
import { requirement } from '../test/support/requirements.js';
import { serveBlock } from './support/serve-library.js';

const chromium = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Starts Chromium, and returns the URL of its debugger and a function that stops it. */
async function startChromium() {
  const folder = mkdtempSync(join(tmpdir(), 'chromium-'));
  const child = spawn(
    chromium,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(child, 'exit');
  const url = defer<string>();
  createInterface(child.stderr).on('line', (line) => {
    const [, origin] = /listening on (ws:\/\/[^/]+)/.exec(line) ?? [];
    if (origin !== undefined) url.resolve(origin);
  });
  const stop = async () => {
    child.kill();
    await exited;
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    return { url: await within(url.promise, 'debugger', START), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

describe.runIf(requirement('Chromium', existsSync(chromium)))('the protocol of Chromium', () => {
  let chrome: Awaited<ReturnType<typeof startChromium>>;

  beforeAll(async () => {
    chrome = await startChromium();
  });
  afterAll(() => chrome.stop());

  /** Serves the block, and opens a page in Chromium. */
  async function open() {
    vi.stubEnv('CHROME_URL', chrome.url);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const site = await serveBlock('chrome-devtools');
    const { port } = new URL(chrome.url);
    const { id } = await CDP.New({ port: Number(port) });
    // A test may have closed it.
    onTestFinished(() => CDP.Close({ port: Number(port), id }).catch(() => {}));
    /** Whether somebody debugs the page, as Chromium sees it. */
    const isAttached = async () => {
      const { webSocketDebuggerUrl } = await CDP.Version({ port: Number(port) });
      const browser = await CDP({ target: webSocketDebuggerUrl, local: true });
      try {
        const { targetInfos } = await browser.Target.getTargets();
        return targetInfos.find(({ targetId }) => targetId === id)?.attached;
      } finally {
        await browser.close();
      }
    };
    const visit = async (): Promise<Client> => {
      const client = await CDP({ target: site.url(`/devtools/page/${id}`), local: true });
      onTestFinished(() => client.close());
      return client;
    };
    return { site, id, isAttached, visit };
  }

  test('a client drives a page, and gets its events', async () => {
    const { site, isAttached, visit } = await open();
    const client = await visit();
    const { Page, Runtime } = client;
    const logged = defer<unknown>();
    Runtime.consoleAPICalled(({ args: [argument] }) => {
      logged.resolve(argument?.value);
    });
    await Promise.all([Page.enable(), Runtime.enable()]);
    const loaded = Page.loadEventFired();
    await Page.navigate({ url: `data:text/html,<script>console.log('hello')</script>` });
    await loaded;
    expect(await within(logged.promise, 'event')).toBe('hello');
    const large = await Runtime.evaluate({ expression: `'x'.repeat(2_000_000)`, returnByValue: true });
    expect(large.result.value).toBe('x'.repeat(2_000_000));
    expect(await isAttached()).toBe(true);
    await client.close();
    await expect.poll(isAttached).toBe(false);
    await site.expectQuiet();
  });

  test('Chromium learns that a connection was lost', async () => {
    const { site, id, isAttached } = await open();
    const client = await connect({ port: site.port, tls: false }, `/devtools/page/${id}`);
    await expect.poll(isAttached).toBe(true);
    await client.vanish();
    await expect.poll(isAttached).toBe(false);
    await site.expectQuiet();
  });

  test('the client learns that the page has closed', async () => {
    const { site, visit } = await open();
    const client = await visit();
    const disconnected = once(client, 'disconnect');
    await client.Page.close();
    await within(disconnected, 'disconnect');
    await site.expectQuiet();
  });

  test('a client that sends more than maxPayload gets 1009', async () => {
    const { site, id, isAttached } = await open();
    const client = await connect({ port: site.port, tls: false }, `/devtools/page/${id}`);
    const params = { expression: `'${'x'.repeat(2 ** 20)}'` };
    client.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params }));
    expect((await client.closed()).code).toBe(1009);
    await expect.poll(isAttached).toBe(false);
    await site.expectQuiet();
  });

  test('an unknown page closes with 1014', async () => {
    const { site } = await open();
    const client = await connect({ port: site.port, tls: false }, '/devtools/page/unknown');
    expect((await client.closed()).code).toBe(1014);
    await site.expectQuiet();
  });

  test('clients see 1001 at shutdown, and Chromium learns of it', async () => {
    const { site, id, isAttached } = await open();
    const client = await connect({ port: site.port, tls: false }, `/devtools/page/${id}`);
    await expect.poll(isAttached).toBe(true);
    await site.shutDown();
    expect((await client.closed()).code).toBe(1001);
    await expect.poll(isAttached).toBe(false);
    await site.expectQuiet();
  });
});
