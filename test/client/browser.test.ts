import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express from 'express';
import { chromium } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bundleClient } from '../../scripts/bundle-client.js';
import { chromiumArguments, chromiumPath, hasChromium } from '../support/chromium.js';
import { Inbox } from '../support/inbox.js';
import { serve } from '../support/serve.js';

const PAGE = `<!doctype html><script type="module">
  import { connect } from '/client.mjs';
  const options = { messages: 'json', stamp: 'id', welcome: () => {}, minPause: 50, maxPause: 60_000 };
  const socket = (window.socket = connect('/room', options));
  socket.addEventListener('state', () => report(socket.state + ' ' + (socket.lastClose?.reason ?? '')));
  for await (const { n } of socket) report(n);
  report('over');
</script>`;

/** A room with a history, and a page of Chromium that is in it. */
async function openPage() {
  const groups = createGroups({ messages: 'json', history: { length: 100, age: 3_600_000, stamp: 'id' } });
  onTestFinished(() => groups.close());
  const room = groups.group('room');
  const visits = new Inbox<Websocket<unknown, unknown>>();
  const app = express();
  app.get('/', (_req, res) => void res.type('html').send(PAGE));
  const client = bundleClient();
  app.get('/client.mjs', (_req, res) => void res.type('text/javascript').send(client));
  app.get(
    '/room',
    requireWebsocket(
      async ({ websocket, query }) => {
        await room.add(websocket, { since: query.since, welcome: (start) => start });
        visits.push(websocket);
        for await (const message of websocket) visits.push(message as never);
      },
      { messages: 'json' },
    ),
  );
  const site = await serve(app);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
  onTestFinished(() => browser.close());
  const context = await browser.newContext();
  const page = await context.newPage();
  const reported = new Inbox<unknown>();
  await page.exposeFunction('report', (what: unknown) => {
    reported.push(what);
  });
  await page.goto(`http://localhost:${site.port}/`);
  const reaches = async (state: string) => {
    while (true) if (((await reported.next(state)) as string | number).toString().startsWith(state)) return;
  };
  await reaches('open');
  return { room, visits, site, context, page, reported, reaches };
}

describe.runIf(hasChromium)('in Chromium', { timeout: 120_000 }, () => {
  test('a page that loses its connection gets everything once and in order, and sends what it kept', async () => {
    const { room, visits, page, reported, reaches } = await openPage();
    const websocket = await visits.next();
    void room.send({ n: 1 });
    expect(await reported.next()).toBe(1);
    websocket.request.socket.destroy();
    await websocket.closed;
    for (const n of [2, 3]) void room.send({ n });
    await reaches('waiting');
    const sent = page.evaluate(`Promise.all([socket.send('kept 1'), socket.send({ kept: 2 })])`);
    const came: unknown[] = [];
    while (came.length < 2) {
      const what = await reported.next();
      if (typeof what === 'number') came.push(what);
    }
    expect(came).toEqual([2, 3]);
    await visits.next();
    expect([await visits.next(), await visits.next()]).toEqual(['kept 1', { kept: 2 }]);
    expect(await sent).toEqual([true, true]);
    void room.send({ n: 4 });
    expect(await reported.next()).toBe(4);
  });

  test('a page that goes offline gives up its connection, and is back at once when it is online', async () => {
    const { room, visits, context, reported, reaches } = await openPage();
    await visits.next();
    await context.setOffline(true);
    await reaches('waiting offline');
    void room.send({ n: 1 });
    await context.setOffline(false);
    await reaches('open');
    while ((await reported.next()) !== 1);
  });

  test('a page whose computer has slept replaces its connection', async () => {
    const { visits, page, reaches } = await openPage();
    await visits.next();
    await page.evaluate(`{
      const { now } = Date;
      Date.now = () => now() + 3_600_000;
      dispatchEvent(new Event('online'));
    }`);
    await reaches('waiting sleep');
    await reaches('open');
  });

  test('a close for good ends the iteration, and the page lets the connection end in order', async () => {
    const { visits, page, reported } = await openPage();
    const websocket = await visits.next();
    await page.evaluate(`socket.close(4001, 'bye')`);
    expect(await websocket.closed).toEqual({ code: 4001, reason: 'bye', wasClean: true });
    expect(await reported.next()).toMatch(/^closed/);
    expect(await reported.next()).toBe('over');
    expect(await page.evaluate('socket.closed')).toEqual({ code: 4001, reason: 'bye', wasClean: true });
  });

  test('a refused handshake looks like a lost one: a page tries again', async () => {
    const { page } = await openPage();
    const state = await page.evaluate(`import('/client.mjs').then(({ connect }) => {
      const refused = connect('/nowhere', { minPause: 1, maxPause: 5 });
      let attempts = 0;
      return new Promise((resolve) => refused.addEventListener('state', () => {
        if (refused.state !== 'waiting' || ++attempts < 3) return;
        resolve(refused.lastClose);
        refused.close();
      }));
    })`);
    expect(state).toEqual({ code: 1006, reason: '', wasClean: false });
  });
});
