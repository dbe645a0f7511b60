import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeWebsockets, openWebsockets, requireWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express from 'express';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { chromiumArguments, chromiumPath, hasChromium } from '../../test/support/chromium.js';
import { buildReact, buildVue, type Page as Built } from './support/build.js';

// Of the page.
declare const show: (room: string) => void;
declare const hide: () => void;
declare let states: string[];

interface Chat {
  readonly server: Server;
  readonly page: Page;
  /** How many websockets the server has accepted. */
  countAccepted(): number;
  /** How many websockets the page has opened. */
  countOpened(): number;
  /** The close codes of the websockets that have ended. */
  readonly closed: readonly number[];
  say(room: string, text: string): void;
}

/** Serves the component in a page, and a chat with a history. */
async function openChat(browser: Browser, { script, render }: Built): Promise<Chat> {
  const groups = createGroups({
    messages: 'json',
    history: { length: 100, age: 60_000, stamp: 'id' },
  });
  let [accepted, opened] = [0, 0];
  const closed: number[] = [];
  const app = express();
  const chat = requireWebsocket<{ room: string }>(
    async (req) => {
      const { websocket, params, query } = req;
      accepted++;
      void websocket.closed.then(({ code }) => closed.push(code));
      const room = groups.group(params.room);
      await room.add(websocket, { since: query['since'], last: 20, welcome: (start) => start });
      for await (const message of websocket) void room.send(message);
    },
    { messages: 'json' },
  );
  app.get('/chat/:room', chat);
  app.get('/script.js', (_req, res) => res.type('text/javascript').send(script));
  app.get('/', async (_req, res) => {
    res.send(`<!doctype html>
      <link rel="icon" href="data:," />
      <div id="root">${await render()}</div>
      <script type="module" src="/script.js"></script>`);
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('websocket', () => opened++);
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // Chromium reports each refused connection.
    if (/^(?:warning|error)$/.test(message.type()) && !message.text().includes('WebSocket connection to'))
      faults.push(message.text());
  });
  onTestFinished(async () => {
    await page.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    expect(faults).toEqual([]);
  });
  await page.addInitScript(() => {
    states = [];
    new MutationObserver(() => {
      const state = document.querySelector('output')?.textContent;
      if (state && state !== states.at(-1)) states.push(state);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const say = (room: string, text: string) => void groups.group(room).send({ text });
  return { server, page, closed, say, countAccepted: () => accepted, countOpened: () => opened };
}

const seeState = (page: Page, state: string) => page.locator('output').filter({ hasText: state }).waitFor();

const seeMessages = (page: Page, ...texts: string[]) =>
  expect.poll(() => page.locator('li').allTextContents()).toEqual(texts);

/** Waits until these rooms, and no others, have a websocket. */
const seeOpen = ({ server }: Chat, ...rooms: string[]) =>
  expect
    .poll(() => [...openWebsockets(server)].map(({ request }) => request.url?.replace(/\?.*/, '')))
    .toEqual(rooms.map((room) => `/chat/${room}`));

describe.runIf(hasChromium)('docs/client.md', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
  });
  afterAll(() => browser.close());

  describe.for([
    // StrictMode mounts a component twice.
    { name: 'React', build: buildReact, mounts: 2 },
    { name: 'Vue', build: buildVue, mounts: 1 },
  ])('$name', ({ build, mounts }) => {
    let built: Built;
    beforeAll(() => {
      built = build();
    });

    test('renders on a server without a websocket', async () => {
      expect(await built.render()).toMatch(/<output>connecting<\/output><ul>.*<\/ul>/s);
    });

    test('shows messages of the server, and sends those of the page', async () => {
      const chat = await openChat(browser, built);
      chat.say('one', 'from the server');
      await seeState(chat.page, 'open');
      await seeMessages(chat.page, 'from the server');
      await chat.page.locator('input').fill('from the page');
      await chat.page.keyboard.press('Enter');
      await seeMessages(chat.page, 'from the server', 'from the page');
      expect(await chat.page.locator('input').inputValue()).toBe('');
    });

    test('keeps one websocket, and closes it when the component unmounts', async () => {
      const chat = await openChat(browser, built);
      await seeState(chat.page, 'open');
      expect(chat.countOpened()).toBe(mounts);
      await seeOpen(chat, 'one');
      await chat.page.evaluate(() => hide());
      await seeOpen(chat);
      await expect.poll(() => chat.closed.length).toBe(chat.countAccepted());
      expect(chat.closed.at(-1)).toBe(1000);
      expect(chat.countOpened()).toBe(mounts);
    });

    test('comes back after a loss, with what was said meanwhile', async () => {
      const chat = await openChat(browser, built);
      await seeState(chat.page, 'open');
      chat.say('one', 'before');
      await seeMessages(chat.page, 'before');
      // The client waits for at least a second.
      await closeWebsockets(chat.server, { code: 1012 });
      chat.say('one', 'meanwhile');
      await seeMessages(chat.page, 'before', 'meanwhile');
      await expect
        .poll(() => chat.page.evaluate(() => states))
        .toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
      await seeOpen(chat, 'one');
    });

    test('replaces the websocket and the messages when the URL changes', async () => {
      const chat = await openChat(browser, built);
      chat.say('one', 'in one');
      chat.say('two', 'in two');
      await seeMessages(chat.page, 'in one');
      await chat.page.evaluate(() => show('two'));
      await seeMessages(chat.page, 'in two');
      await seeOpen(chat, 'two');
      chat.say('one', 'too late');
      chat.say('two', 'again');
      await seeMessages(chat.page, 'in two', 'again');
      await chat.page.evaluate(() => hide());
      await seeOpen(chat);
    });
  });
});
