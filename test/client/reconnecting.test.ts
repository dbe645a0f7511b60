import { once } from 'node:events';
import { createServer } from 'node:http';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defer, Inbox } from '../support/inbox.js';
import { listen, serve } from '../support/serve.js';
import { openClient, reach, watchStates, type Options } from './support/open-client.js';

/** A route whose websockets the test takes one by one. */
async function serveVisits() {
  const visits = new Inbox<{ websocket: Websocket; url: string }>();
  const app = express();
  app.get(
    '/visits',
    requireWebsocket(async ({ websocket, url }) => {
      visits.push({ websocket, url });
      await websocket.closed;
    }),
  );
  const site = await serve(app);
  const url = `ws://127.0.0.1:${site.port}/visits`;
  const nextVisit = () => visits.next('visit');
  const open = (options: Options = {}) => openClient(url, options);
  return { site, url, nextVisit, open, visits };
}

test('connect returns at once, and messages go both ways when the connection is open', async () => {
  const { open, nextVisit } = await serveVisits();
  const socket = open();
  expect(socket.state).toBe('connecting');
  socket.send('first');
  const { websocket } = await nextVisit();
  expect(await websocket.wait()).toBe('first');
  expect(socket.state).toBe('open');
  websocket.send('hello');
  websocket.send(Buffer.from([1, 2]));
  expect(await socket.wait()).toBe('hello');
  expect(await socket.wait()).toEqual(new Uint8Array([1, 2]));
});

type Close = (websocket: Websocket) => void;
const LOSSES: readonly (readonly [string, Close])[] = [
  ...[1001, 1011, 1012, 1013, 3000, 4500].map((code): [string, Close] => [
    `with ${code}`,
    (websocket) => void websocket.close(code),
  ]),
  ['without a close frame', (websocket) => void websocket.request.socket.destroy()],
];

test.for(LOSSES)('it reconnects after a close %s, and reading goes on', async ([, close]) => {
  const { open, nextVisit } = await serveVisits();
  const socket = open();
  const received = new Inbox<unknown>();
  const reading = (async () => {
    for await (const message of socket) received.push(message);
  })();
  for (const message of ['one', 'two', 'three']) {
    const { websocket } = await nextVisit();
    await websocket.send(message);
    expect(await received.next()).toBe(message);
    if (message !== 'three') close(websocket);
    else void websocket.close(1000);
  }
  await reading;
  expect(received.rest()).toEqual([]);
});

test('it comes back to a server that restarts, and sends what it has kept', async () => {
  const received = new Inbox<unknown>();
  const listenAgain = async (port: number) => {
    const app = express();
    app.get(
      '/',
      requireWebsocket(async ({ websocket }) => {
        for await (const message of websocket) received.push(message);
      }),
    );
    const server = createServer(app).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return listen(server);
  };
  const first = await listenAgain(0);
  const socket = openClient(`ws://127.0.0.1:${first.port}`);
  await reach(socket, 'open');
  first.server.close();
  await reach(socket, 'waiting');
  expect(socket.lastClose).toMatchObject({ code: 1001, wasClean: true });
  const sent = socket.send('kept');
  await listenAgain(first.port);
  expect(await received.next()).toBe('kept');
  expect(await sent).toBe(true);
});

test.for([1000, 1008, 4400, 4401, 4499])('it stops for good after a close with %i', async (code) => {
  const { open, nextVisit } = await serveVisits();
  const socket = open();
  const { websocket } = await nextVisit();
  websocket.send('last');
  void websocket.close(code, 'over');
  expect(await socket.closed).toEqual({ code, reason: 'over', wasClean: true });
  expect(socket.state).toBe('closed');
  expect(socket.isClosed()).toBe(true);
  expect(socket.signal.aborted).toBe(true);
  expect(await socket.wait()).toBe('last');
  expect(await socket.wait()).toBeNull();
  await expect(socket.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED', closeCode: code });
  expect(() => socket.read()).toThrow(expect.objectContaining({ code: 'ERR_WEBSOCKET_CLOSED' }));
});

test('the option stop replaces the rule', async () => {
  const { open, nextVisit } = await serveVisits();
  const socket = open({ stop: ({ code }) => code === 1001 });
  void (await nextVisit()).websocket.close(1000);
  void (await nextVisit()).websocket.close(4400);
  void (await nextVisit()).websocket.close(1001, 'enough');
  expect(await socket.closed).toMatchObject({ code: 1001, reason: 'enough' });
});

test('the states come in order', async () => {
  const { open, nextVisit } = await serveVisits();
  const socket = open();
  const states = watchStates(socket);
  const { websocket } = await nextVisit();
  expect(await states.next()).toBe('open');
  void websocket.close(1012, 'restart');
  expect(await states.next()).toBe('waiting');
  expect(socket.lastClose).toEqual({ code: 1012, reason: 'restart', wasClean: true });
  expect(await states.next()).toBe('connecting');
  expect(await states.next()).toBe('open');
  await socket.close();
  expect(await states.next()).toBe('closed');
  expect(states.rest()).toEqual([]);
});

test('what is sent while there is no connection goes out in order, before what comes later', async () => {
  const { open, nextVisit } = await serveVisits();
  const socket = open();
  void (await nextVisit()).websocket.close(1012);
  await reach(socket, 'waiting');
  const bytes = new Uint8Array([1, 2, 3]);
  const sent = [socket.send('one'), socket.send(bytes), socket.send('three')];
  bytes.fill(9);
  const { websocket } = await nextVisit();
  expect(await Promise.all(sent)).toEqual([true, true, true]);
  socket.send('four');
  expect(await websocket.wait()).toBe('one');
  expect(await websocket.wait()).toEqual(Buffer.from([1, 2, 3]));
  expect(await websocket.wait()).toBe('three');
  expect(await websocket.wait()).toBe('four');
});

test('send resolves with false beyond maxBuffered, and for what is still kept at the end', async () => {
  const socket = openClient('ws://127.0.0.1:1', { maxBuffered: 1_000 });
  const kept = socket.send('x'.repeat(900));
  expect(await socket.send('y')).toBe(false);
  void socket.close();
  expect(await kept).toBe(false);
  expect(await socket.send('z')).toBe(false);
});

describe('the URL', () => {
  test('a function is called for each attempt', async () => {
    const { url, nextVisit } = await serveVisits();
    let token = 0;
    openClient(async () => `${url}?token=${++token}`);
    const first = await nextVisit();
    expect(first.url).toBe('/visits?token=1');
    void first.websocket.close(1012);
    expect((await nextVisit()).url).toBe('/visits?token=2');
  });

  test('a function that returns null stops for good', async () => {
    const socket = openClient(() => null);
    expect(await socket.closed).toMatchObject({ code: 1000 });
    expect(await socket.wait()).toBeNull();
  });

  test('a function that throws or rejects is called again', async () => {
    const { url, nextVisit } = await serveVisits();
    const answers = [
      () => {
        throw new Error('no network');
      },
      () => Promise.reject(new Error('no token')),
      () => url,
    ];
    const socket = openClient(() => answers.shift()!());
    await reach(socket, 'waiting');
    expect(socket.lastClose).toMatchObject({ code: 1006, reason: 'Error: no network' });
    await nextVisit();
  });

  test('http becomes ws, and a fragment is removed', async () => {
    const { site, nextVisit } = await serveVisits();
    openClient(new URL(`http://127.0.0.1:${site.port}/visits?a=1#part`));
    expect((await nextVisit()).url).toBe('/visits?a=1');
  });

  test.for(['/chat', '', 'ftp://a.test', 'ws://'])('%o throws at once, with the cure', (url) => {
    expect(() => openClient(url)).toThrow(/try wss:\/\/host/);
  });

  test('a wrong URL of a function is an attempt that fails, and lastClose says why', async () => {
    const socket = openClient(() => '/chat');
    await reach(socket, 'waiting');
    expect(socket.lastClose).toMatchObject({ code: 1006, reason: expect.stringContaining('/chat') });
  });
});

describe('close()', () => {
  test('closes with code and reason, and resolves when it is over', async () => {
    const { open, nextVisit } = await serveVisits();
    const socket = open();
    const { websocket } = await nextVisit();
    await reach(socket, 'open');
    await socket.close(4001, 'bye');
    expect(await websocket.closed).toEqual({ code: 4001, reason: 'bye', wasClean: true });
    expect(await socket.closed).toEqual({ code: 4001, reason: 'bye', wasClean: true });
    expect(socket.lastClose).toEqual({ code: 4001, reason: 'bye', wasClean: true });
  });

  test('ends at once while it is connecting or waiting', async () => {
    const socket = openClient('ws://127.0.0.1:1');
    await socket.close();
    // No close frame was sent.
    expect(await socket.closed).toEqual({ code: 1000, reason: '', wasClean: false });
    expect(socket.lastClose).toEqual(await socket.closed);
    const other = openClient('ws://127.0.0.1:1', { minPause: 1_000_000, maxPause: 5_000_000 });
    await reach(other, 'waiting');
    await other.close(4000);
    expect(await other.closed).toMatchObject({ code: 4000 });
  });

  test.for([999, 1001, 1005, 1006, 1011, 2999, 5000, 1000.5, Number.NaN])(
    'throws a RangeError for the code %o',
    (code) => {
      const socket = openClient('ws://127.0.0.1:1');
      expect(() => socket.close(code)).toThrow(RangeError);
      expect(() => socket.close(1000, 'é'.repeat(62))).toThrow(/123/);
      expect(socket.isClosed()).toBe(false);
    },
  );

  test('resolves after closeTimeout if the server does not answer', async () => {
    const { site, open, nextVisit } = await serveVisits();
    const socket = open({ closeTimeout: 20 });
    await nextVisit();
    await reach(socket, 'open');
    for (const each of site.sockets) each.pause();
    onTestFinished(() => {
      for (const each of site.sockets) each.destroy();
    });
    await socket.close(4002);
    expect(await socket.closed).toEqual({ code: 4002, reason: '', wasClean: false });
  });
});

test('an endless loop around a closed client does not block the process', async () => {
  const { open } = await serveVisits();
  const socket = open();
  await socket.close();
  const turns = defer<number>();
  let count = 0;
  let isOver = false;
  const loop = async () => {
    while (count < 10_000 && !isOver) {
      await socket.closed;
      await socket.send('x');
      await socket.wait().catch(() => {});
      for await (const message of socket) expect(message).toBe('nothing');
      count++;
    }
  };
  const looping = loop();
  setImmediate(() => setImmediate(() => turns.resolve(count)));
  expect(await turns.promise).toBeLessThan(10);
  isOver = true;
  await looping;
});
