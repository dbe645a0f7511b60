import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express from 'express';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { Inbox } from '../../test/support/inbox.js';
import { serve } from '../../test/support/serve.js';
import { writePage } from '../support/page.js';

// Clients of others that reconnect come back to a group with a history, with the code of docs/clients.md.

type OpenChat = (
  url: string,
  show: (message: { text: number }) => void,
  showGap: () => void,
  options: object,
) => { close(): void; send(data: string): void };

const { WebSocket = WsWebSocket } = globalThis as { WebSocket?: unknown };
const QUICK = { minReconnectionDelay: 1, maxReconnectionDelay: 20, WebSocket };
const HISTORY = { messages: 'json', history: { length: 100, age: 3_600_000, stamp: 'id' } } as const;

const folder = fileURLToPath(new URL('.page', import.meta.url));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A chat with a history. Its server takes its websockets one by one. */
async function serveChat() {
  let groups = createGroups(HISTORY);
  onTestFinished(() => groups.close());
  const visits = new Inbox<Websocket<unknown, unknown>>();
  const app = express();
  app.get(
    '/chat',
    requireWebsocket(
      async ({ websocket, query }) => {
        void groups.group('chat').add(websocket, { since: query['since'], welcome: (start) => start });
        visits.push(websocket);
        for await (const message of websocket) void groups.group('chat').send(message);
      },
      { messages: 'json' },
    ),
  );
  const { port } = await serve(app);
  return {
    url: `ws://127.0.0.1:${port}/chat`,
    visits,
    say: (text: number) => void groups.group('chat').send({ text }),
    /** As a restart does: the history is gone, and the next one is another. */
    async forget() {
      await groups.close();
      groups = createGroups(HISTORY);
    },
  };
}

describe.each(['partysocket/ws', 'reconnecting-websocket'])('%s', (name) => {
  async function open(url: string) {
    const home = `${folder}/${name.replace('/', '-')}`;
    writePage('docs/clients.md', home, ['partysocket-and-reconnecting-websocket'], {
      'partysocket/ws': name,
    });
    const { openChat } = (await import(pathToFileURL(`${home}/open-chat.mjs`).href)) as {
      openChat: OpenChat;
    };
    const shown = new Inbox<number>();
    const gaps = new Inbox<'gap'>();
    const socket = openChat(
      url,
      ({ text }) => shown.push(text),
      () => gaps.push('gap'),
      QUICK,
    );
    onTestFinished(() => socket.close());
    return { socket, shown, gaps };
  }

  test('gets each message once and in order, however often it loses its connection', async () => {
    const { url, visits, say } = await serveChat();
    const { shown, gaps } = await open(url);
    // Without a position to come back with, a client can resume nothing.
    visits.push(await visits.next('visit'));
    say(0);
    expect(await shown.next('message')).toBe(0);
    let next = 1;
    for (let loss = 0; loss < 10; loss++) {
      const websocket = await visits.next('visit');
      say(next++);
      say(next++);
      // Some connections are lost before a message arrives, and some after one or two.
      if (loss % 3 > 0) expect(await shown.next('message')).toBe(next - 2);
      if (loss % 3 > 1) expect(await shown.next('message')).toBe(next - 1);
      websocket.request.socket.destroy();
      say(next++);
      const missed = 3 - (loss % 3);
      await visits.next('visit').then((again) => visits.push(again));
      for (let i = missed; i > 0; i--) expect(await shown.next('message')).toBe(next - i);
    }
    expect(shown.rest()).toEqual([]);
    expect(gaps.rest()).toEqual([]);
  });

  test('learns that messages are missing after a restart without a lasting history', async () => {
    const { url, visits, say, forget } = await serveChat();
    const { shown, gaps } = await open(url);
    const websocket = await visits.next('visit');
    say(1);
    expect(await shown.next('message')).toBe(1);
    await forget();
    say(2);
    websocket.request.socket.destroy();
    await gaps.next('gap');
    expect(await shown.next('message')).toBe(2);
  });
});
