import express from 'express';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acceptWebsocket, closeWebsockets, type CloseInfo, type Websocket } from 'dwebsocket';
import { chromiumPath, chromiumArguments, hasChromium } from '../support/chromium.js';
import { serveHttp2, type Http2Site } from './serve-http2.js';

// What the functions see that run in the page.
declare const location: { readonly origin: string };
declare const document: { title: string };

/** Serves a page, and an echo that tells over which protocol it goes. */
function build() {
  const protocols: unknown[] = [];
  const ends: Promise<CloseInfo>[] = [];
  const websockets: Websocket[] = [];
  const app = express();
  app.get('/', (_req, res) => void res.type('html').send('<title>page</title>'));
  app.get(
    '/echo',
    acceptWebsocket(
      async (req) => {
        const { websocket } = req;
        if (websocket === null) return;
        protocols.push((req.socket as { alpnProtocol?: unknown }).alpnProtocol);
        ends.push(websocket.closed);
        websockets.push(websocket);
        for await (const message of websocket) websocket.send(message);
      },
      { protocols: ['chat.v1'], perMessageDeflate: true, maxPayload: 4_194_304, closeTimeout: 600_000 },
    ),
  );
  app.get('/secret', (_req, res) => void res.status(401).send('log in'));
  return { app: app as never, protocols, ends, websockets };
}

describe.skipIf(!hasChromium)('Chromium', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
  }, 60_000);
  afterAll(() => browser.close());

  async function visit(site: Http2Site): Promise<Page> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`${site.url}/`);
    return page;
  }

  test('opens its websockets on the session that has loaded the page', async () => {
    const { app, protocols, ends } = build();
    const site = await serveHttp2(app);
    let sessions = 0;
    site.server.on('session', () => sessions++);
    const page = await visit(site);
    const seen = await page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`, ['chat.v1']);
      socket.binaryType = 'arraybuffer';
      await new Promise((resolve) => (socket.onopen = resolve));
      const ask = (data: string | Uint8Array<ArrayBuffer>) =>
        new Promise<string | ArrayBuffer>((resolve) => {
          socket.onmessage = (event) => resolve(event.data as string | ArrayBuffer);
          socket.send(data);
        });
      const text = await ask('Grüße, 世界');
      const bytes = [...new Uint8Array((await ask(new Uint8Array([0, 1, 255]))) as ArrayBuffer)];
      const large = ((await ask('x'.repeat(3_000_000))) as string).length;
      const closed = new Promise<{ code: number; reason: string; wasClean: boolean }>(
        (resolve) => (socket.onclose = resolve),
      );
      socket.close(4001, 'done');
      const { code, reason, wasClean } = await closed;
      return {
        text,
        bytes,
        large,
        protocol: socket.protocol,
        extensions: socket.extensions,
        code,
        reason,
        wasClean,
      };
    });
    expect(seen).toEqual({
      text: 'Grüße, 世界',
      bytes: [0, 1, 255],
      large: 3_000_000,
      protocol: 'chat.v1',
      extensions: expect.stringContaining('permessage-deflate') as string,
      code: 4001,
      reason: 'done',
      wasClean: true,
    });
    expect(protocols).toEqual(['h2']);
    expect(sessions).toBe(1);
    expect(await ends[0]).toMatchObject({ code: 4001, reason: 'done', wasClean: true });
  });

  test('many websockets share the session, and the browser learns of 1001 and of a refusal', async () => {
    const { app, protocols, ends } = build();
    const site = await serveHttp2(app);
    let sessions = 0;
    site.server.on('session', () => sessions++);
    const page = await visit(site);
    const closes = page.evaluate(async () => {
      const url = location.origin.replace('http', 'ws');
      const sockets = Array.from({ length: 20 }, () => new WebSocket(`${url}/echo`, ['chat.v1']));
      await Promise.all(sockets.map((socket) => new Promise((resolve) => (socket.onopen = resolve))));
      document.title = 'open';
      const codes = sockets.map(
        (socket) => new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code))),
      );
      const refused = new WebSocket(`${url}/secret`);
      const refusal = new Promise<number>((resolve) => (refused.onclose = ({ code }) => resolve(code)));
      return { refusal: await refusal, codes: await Promise.all(codes) };
    });
    await page.waitForFunction(() => document.title === 'open');
    expect(protocols).toHaveLength(20);
    expect(sessions).toBe(1);
    await closeWebsockets(site.server);
    expect(await closes).toEqual({ refusal: 1006, codes: Array.from({ length: 20 }, () => 1001) });
    // The browser has ended each stream: none waited for `closeTimeout`.
    expect((await Promise.all(ends)).every(({ wasClean }) => wasClean)).toBe(true);
  });

  test('a page that leaves ends its websocket at once', async () => {
    const { app, ends } = build();
    const site = await serveHttp2(app);
    const page = await visit(site);
    await page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
      await new Promise((resolve) => (socket.onopen = resolve));
    });
    await page.goto('about:blank');
    expect([1001, 1006]).toContain((await ends[0])?.code);
  });

  test('a session that is lost closes with 1006, and the next websocket opens another', async () => {
    const { app, protocols } = build();
    const site = await serveHttp2(app);
    const page = await visit(site);
    const closed = page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
      const code = new Promise<number>((resolve) => (socket.onclose = (event) => resolve(event.code)));
      await new Promise((resolve) => (socket.onopen = resolve));
      document.title = 'open';
      return code;
    });
    await page.waitForFunction(() => document.title === 'open');
    for (const session of site.sessions) session.destroy();
    expect(await closed).toBe(1006);
    await page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
      await new Promise((resolve) => (socket.onopen = resolve));
      socket.close();
    });
    expect(protocols).toHaveLength(2);
  });
});
