import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import { chromium } from 'playwright-core';
import { acceptWebsocket } from 'dwebsocket';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chromiumPath, hasChromium } from '../support/chromium.js';
import { serve } from '../support/serve.js';
import { helmetWithoutTls } from './helmet.js';

describe.skipIf(!hasChromium)('helmet on plain http', () => {
  /** What a page of this host gets from its websocket. */
  async function visit(host: string, helmet: RequestHandler): Promise<string> {
    const app = express();
    app.use(helmet);
    app.get(
      '/',
      acceptWebsocket((req, res) => {
        if (req.isWebsocket()) void req.websocket.send('hello');
        else res.send('<!doctype html><title>a page</title>');
      }),
    );
    const { port } = await serve(app);
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ['--no-sandbox', '--host-resolver-rules=MAP app.test 127.0.0.1'],
    });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://${host}:${port}/`);
    return page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const websocket = new WebSocket(url);
          websocket.onmessage = ({ data }) => resolve(String(data));
          websocket.onerror = () => resolve('failed');
        }),
      `ws://${host}:${port}/`,
    );
  }

  test('by default keeps pages from their websockets, but for those of this machine', async () => {
    expect(await visit('localhost', helmet())).toBe('hello');
    expect(await visit('app.test', helmet())).toBe('failed');
  });

  test('as the document sets it lets them in', async () => {
    expect(await visit('app.test', helmetWithoutTls)).toBe('hello');
  });
});
