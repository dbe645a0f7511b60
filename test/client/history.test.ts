import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups, type HistoryStart } from 'dwebsocket/groups';
import { connect } from 'dwebsocket/client';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { defer } from '../support/inbox.js';
import { serve } from '../support/serve.js';
import { FakeWebSocket } from './support/fake-websocket.js';
import { openClient } from './support/open-client.js';

interface Stamped {
  readonly id: string;
  readonly n: number;
}

/** A room with a history, whose websockets the test can cut. */
async function serveRoom({ length = 1_000 } = {}) {
  const groups = createGroups({ messages: 'json', history: { length, age: 3_600_000, stamp: 'id' } });
  onTestFinished(() => groups.close());
  const room = groups.group('room');
  const open = new Set<Websocket<never, never>>();
  const sinces: unknown[] = [];
  const app = express();
  app.get(
    '/room',
    requireWebsocket(
      async ({ websocket, query }) => {
        open.add(websocket as never);
        sinces.push(query.since);
        await room.add(websocket, { since: query.since, last: 0, welcome: (start) => start });
        await websocket.closed;
        open.delete(websocket as never);
      },
      { messages: 'json' },
    ),
  );
  const site = await serve(app);
  const cut = () => {
    for (const each of open) each.request.socket.destroy();
  };
  return { room, cut, sinces, url: `ws://127.0.0.1:${site.port}/room?since=none&a=b` };
}

test('a client whose connection is cut all the time gets every message once and in order', async () => {
  const { room, cut, url, sinces } = await serveRoom();
  const starts: HistoryStart[] = [];
  const welcomed = defer();
  const socket = openClient(url, {
    messages: 'json',
    stamp: 'id',
    welcome: (start) => {
      starts.push(start);
      welcomed.resolve();
    },
  });
  await welcomed.promise;
  const received: number[] = [];
  const reading = (async () => {
    for await (const message of socket) {
      received.push((message as Stamped).n);
      if (received.length === 600) return;
    }
  })();
  for (let n = 0; n < 600; n++) {
    void room.send({ n });
    if (n % 100 === 50) {
      cut();
      await new Promise(setImmediate);
    }
    if (n % 10 === 0) await new Promise(setImmediate);
  }
  await reading;
  expect(received).toEqual(Array.from({ length: 600 }, (_, n) => n));
  expect(starts.slice(1).every(({ complete }) => complete)).toBe(true);
  expect(starts.length).toBeGreaterThan(1);
  // The first attempt keeps the `since` of the app.
  expect(sinces[0]).toBe('none');
  expect(sinces[1]).toMatch(/^~?\d+-\d+/);
});

test('a client that was cut before the first message comes back with the position of its welcome', async () => {
  const { room, cut, url, sinces } = await serveRoom();
  const positions: string[] = [];
  const welcomed = [defer(), defer()];
  const socket = openClient(url, {
    messages: 'json',
    stamp: ({ id }: Stamped) => id,
    welcome: ({ position }) => {
      positions.push(position);
      welcomed[positions.length - 1]?.resolve();
    },
  });
  await welcomed[0]!.promise;
  cut();
  void room.send({ n: 1 });
  await welcomed[1]!.promise;
  expect(await socket.wait()).toMatchObject({ n: 1 });
  expect(sinces[1]).toBe(positions[0]);
});

function openFake(options: object, url = 'wss://a.test/room') {
  FakeWebSocket.all = [];
  const socket = connect(url, { WebSocket: FakeWebSocket, minPause: 1, maxPause: 5, ...options });
  onTestFinished(async () => {
    const closing = socket.close();
    if (FakeWebSocket.last.readyState === 2) FakeWebSocket.last.end(1000);
    await closing;
  });
  const say = (message: unknown) => {
    FakeWebSocket.last.receive(JSON.stringify(message));
  };
  const comeBack = async () => {
    const attempts = FakeWebSocket.all.length;
    FakeWebSocket.last.end();
    await expect.poll(() => FakeWebSocket.all.length).toBe(attempts + 1);
    return new URL(FakeWebSocket.last.open().url).searchParams.get('since');
  };
  FakeWebSocket.last.open();
  return { socket, say, comeBack };
}

test('an id counts when its message is in the queue, though nobody has read it', async () => {
  const { socket, say, comeBack } = openFake({ messages: 'json', stamp: 'id' });
  say({ id: '7-1', n: 1 });
  say({ id: '7-2', n: 2 });
  say({ n: 'without an id' });
  expect(await comeBack()).toBe('7-2');
  expect(socket.countMessages()).toBe(3);
});

test('after messages are lost, it comes back from the new position, and not from the old id', async () => {
  const { say, comeBack } = openFake({ messages: 'json', stamp: 'id' });
  say({ id: '7-1' });
  say({ position: '~9-1', complete: false });
  expect(await comeBack()).toBe('~9-1');
  say({ id: '9-1' });
  expect(await comeBack()).toBe('9-1');
});

test('without the option welcome, its message is an ordinary one', async () => {
  const { socket, say } = openFake({ messages: 'json', stamp: 'id' });
  say({ position: '7-1', complete: true, type: 'welcome' });
  expect(await socket.wait()).toEqual({ position: '7-1', complete: true, type: 'welcome' });
});

test('a message that has an id is not taken for a welcome', async () => {
  const welcome = () => {
    throw new Error('called');
  };
  const { socket, say, comeBack } = openFake({ messages: 'json', stamp: 'id', welcome });
  say({ id: '7-3', position: '12', complete: true });
  expect(await socket.wait()).toMatchObject({ id: '7-3' });
  expect(await comeBack()).toBe('7-3');
});

test('without the option stamp the URL stays as it is', async () => {
  const { say, comeBack } = openFake({ messages: 'json', welcome: () => {} });
  say({ id: '7-3' });
  say({ position: '7-3', complete: true });
  expect(await comeBack()).toBeNull();
});

test('values that are no objects have no id', async () => {
  const { socket, say, comeBack } = openFake({ messages: 'json', stamp: 'id' });
  for (const value of [null, 'text', 7, [1], true]) say(value);
  expect(socket.countMessages()).toBe(5);
  expect(await comeBack()).toBeNull();
});

test('a function stamp does not get the message of a welcome, which need not have the fields of others', async () => {
  const starts: HistoryStart[] = [];
  const { socket, say, comeBack } = openFake({
    messages: 'json',
    stamp: (message: { header: { id: string } }) => message.header.id,
    welcome: (start: HistoryStart) => void starts.push(start),
  });
  say({ position: '~7-1', complete: true });
  expect(await comeBack()).toBe('~7-1');
  say({ header: { id: '7-2' }, text: 'hello' });
  expect(await socket.wait()).toMatchObject({ text: 'hello' });
  expect(await comeBack()).toBe('7-2');
  expect(starts).toEqual([{ position: '~7-1', complete: true }]);
});

test('the name of a field, and welcome, need values', () => {
  expect(() => openFake({ stamp: 'id' })).toThrow(/messages: "json"/);
  expect(() => openFake({ messages: 'text', stamp: () => 1, welcome: () => {} })).toThrow(/messages: "json"/);
});
