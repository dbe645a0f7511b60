import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { defer, Inbox } from '../support/inbox.js';
import { serve } from '../support/serve.js';
import { openClient, reach } from './support/open-client.js';

// What the chapter "What is guaranteed, and what is not" of docs/client.md says, and other tests do not show.

interface Said {
  readonly id: string;
  readonly text: number;
}

/** A group with a history. Each message that a websocket sends goes to all. */
async function serveRoom() {
  const groups = createGroups({
    messages: 'json',
    history: { length: 100, age: 3_600_000, stamp: 'id' },
  });
  onTestFinished(() => groups.close());
  const room = groups.group('room');
  const visits = new Inbox<Websocket<unknown, unknown>>();
  const app = express();
  app.get(
    '/room',
    requireWebsocket(
      async ({ websocket, query }) => {
        void room.add(websocket, { since: query['since'], welcome: (start) => start });
        visits.push(websocket);
        for await (const message of websocket) void room.send(message);
      },
      { messages: 'json' },
    ),
  );
  const { port } = await serve(app);
  const say = (text: number) => void room.send({ text });
  return { url: `ws://127.0.0.1:${port}/room`, room, visits, say };
}

const OPTIONS = { messages: 'json', stamp: 'id', welcome: () => {} } as const;

test('after a reload, a client resumes with the id in its URL, and with newer ids later', async () => {
  const { url, visits, say } = await serveRoom();
  const before = openClient(url, OPTIONS);
  await visits.next();
  say(1);
  const { id } = (await before.wait()) as Said;
  await before.close();
  say(2);

  const after = openClient(`${url}?since=${id}`, OPTIONS);
  const visit = await visits.next();
  expect(await after.wait()).toMatchObject({ text: 2 });
  visit.request.socket.destroy();
  await visits.next();
  say(3);
  expect(await after.wait()).toMatchObject({ text: 3 });
});

test('without stamp, what is said while it is away is lost, and nothing comes twice', async () => {
  const { url, visits, say, room } = await serveRoom();
  let mayConnect = Promise.resolve();
  const socket = openClient(() => mayConnect.then(() => url), { messages: 'json', welcome: () => {} });
  const visit = await visits.next();
  say(1);
  expect(await socket.wait()).toMatchObject({ text: 1 });
  const { promise, resolve: allow } = defer();
  mayConnect = promise;
  visit.request.socket.destroy();
  await expect.poll(() => room.size).toBe(0);
  say(2);
  allow();
  await visits.next();
  say(3);
  expect(await socket.wait()).toMatchObject({ text: 3 });
});

test('a server that accepts and then closes takes what was kept, and may lose it', async () => {
  let isFull = true;
  const app = express();
  const received = new Inbox<unknown>();
  app.get(
    '/',
    requireWebsocket(async ({ websocket }) => {
      if (isFull) await websocket.close(1013);
      else for await (const message of websocket) received.push(message);
    }),
  );
  const { port } = await serve(app);
  const socket = openClient(`ws://127.0.0.1:${port}`);
  expect(await socket.send('kept')).toBe(true);
  await reach(socket, 'waiting');
  isFull = false;
  await reach(socket, 'open');
  void socket.send('new');
  expect(await received.next()).toBe('new');
});

test('a server that refuses the handshake takes nothing', async () => {
  let isFull = true;
  const app = express();
  const received = new Inbox<unknown>();
  app.use((_req, res, next) => {
    if (isFull) res.sendStatus(503);
    else next();
  });
  app.get(
    '/',
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) received.push(message);
    }),
  );
  const { port } = await serve(app);
  const socket = openClient(`ws://127.0.0.1:${port}`);
  const sent = socket.send('kept');
  await reach(socket, 'waiting');
  isFull = false;
  expect(await sent).toBe(true);
  expect(await received.next()).toBe('kept');
});
