import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import express from 'express';
import {
  attachWebsocket,
  closeWebsockets,
  requireWebsocket,
  Websocket,
  websocketMiddleware,
  type Diagnostics,
} from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { connect as connectInMemory } from 'dwebsocket/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { connectRaw } from '../support/raw-client.js';
import { requestUpgrade } from '../support/request.js';
import { serve } from '../support/serve.js';

const NAMES = ['open', 'refused', 'receive', 'invalid', 'send', 'close', 'error'] as const;
type Name = keyof Diagnostics;

/** Collects what a channel publishes during this test. */
function listenTo<N extends Name>(name: N): Inbox<Diagnostics[N]> {
  const seen = new Inbox<Diagnostics[N]>();
  const listener = (message: unknown) => {
    seen.push(message as Diagnostics[N]);
  };
  subscribe(name, listener);
  onTestFinished(() => {
    unsubscribe(name, listener);
  });
  return seen;
}

/** Returns the next message about one websocket. Websockets of earlier tests may still publish messages. */
async function nextOf<M extends { websocket: Websocket }>(seen: Inbox<M>, websocket: Websocket): Promise<M> {
  let message = await seen.next();
  while (message.websocket !== websocket) message = await seen.next();
  return message;
}

test('dwebsocket.open is published before the handler runs, with the websocket and its request', async () => {
  const opened = listenTo('dwebsocket.open');
  let seenByHandler = 0;
  const app = express();
  app.get(
    '/room/:id',
    requireWebsocket((req) => {
      const seen = opened.rest();
      seenByHandler = seen.length;
      expect(seen[0]?.websocket).toBe(req.websocket);
      expect(seen[0]?.request).toBe(req);
      req.websocket.send((seen[0]?.request as typeof req | undefined)?.route.path as string);
    }),
  );
  const client = await connect(await serve(app), '/room/7');
  expect(await client.next()).toBe('/room/:id');
  expect(seenByHandler).toBe(1);
});

test('dwebsocket.receive is published for each message, read or unread, with its size in bytes', async () => {
  const received = listenTo('dwebsocket.receive');
  const { client, websocket } = await openPair();
  client.send('é', Buffer.from([1, 2, 3]), '');
  await client.flush();
  expect(received.rest()).toEqual([
    { websocket, message: 'é', bytes: 2 },
    { websocket, message: Buffer.from([1, 2, 3]), bytes: 3 },
    { websocket, message: '', bytes: 0 },
  ]);
  expect(websocket.countMessages()).toBe(3);
});

test('dwebsocket.send is published with the bytes of each message of any type, but not on a closed websocket', async () => {
  const sent = listenTo('dwebsocket.send');
  const { client, websocket } = await openPair();
  websocket.send('é');
  websocket.send(Buffer.from('abc'));
  websocket.send(new Uint16Array([1, 2]));
  websocket.send(new ArrayBuffer(5));
  expect(sent.rest()).toEqual([2, 3, 4, 5].map((bytes) => ({ websocket, bytes })));
  expect(() => websocket.send({} as never)).toThrow(TypeError);
  await client.take(4);
  await client.close();
  await websocket.closed;
  websocket.send('too late');
  expect(sent.rest()).toEqual([]);
});

test('dwebsocket.send is published once for each member when a group sends a message', async () => {
  const sent = listenTo('dwebsocket.send');
  const group = createGroups().group('all');
  const pairs = [await openPair(), await openPair()];
  for (const { websocket } of pairs) group.add(websocket);
  await group.send('hello');
  expect(sent.rest().map(({ websocket }) => websocket)).toEqual(pairs.map(({ websocket }) => websocket));
  for (const { client } of pairs) expect(await client.next()).toBe('hello');
});

describe('dwebsocket.close has the code and the reason of the side that closed first', () => {
  test('when it was the client', async () => {
    const closed = listenTo('dwebsocket.close');
    const { client, websocket } = await openPair();
    await client.close(4001, 'enough');
    expect(await nextOf(closed, websocket)).toEqual({
      websocket,
      code: 4001,
      reason: 'enough',
      wasClean: true,
    });
  });

  test('when it was the server', async () => {
    const closed = listenTo('dwebsocket.close');
    const { websocket } = await openPair();
    await websocket.close(4002, 'no more');
    expect(await nextOf(closed, websocket)).toEqual({
      websocket,
      code: 4002,
      reason: 'no more',
      wasClean: true,
    });
  });

  test('when the connection was lost, with 1006', async () => {
    const closed = listenTo('dwebsocket.close');
    const { client, websocket } = await openPair();
    await client.vanish();
    expect(await nextOf(closed, websocket)).toEqual({ websocket, code: 1006, reason: '', wasClean: false });
    expect(closed.rest().filter((message) => message.websocket === websocket)).toEqual([]);
  });
});

test('dwebsocket.error is published once with the error of a handler, but not when the client has left', async () => {
  const errors = listenTo('dwebsocket.error');
  const app = express();
  const error = new Error('broken');
  const websockets: Websocket[] = [];
  app.get(
    '/fails',
    requireWebsocket((req) => {
      websockets.push(req.websocket);
      throw error;
    }),
  );
  app.get(
    '/quiet',
    requireWebsocket(async (req) => {
      while (true) await req.websocket.wait();
    }),
  );
  app.set('env', 'test');
  const site = await serve(app);
  const closed = listenTo('dwebsocket.close');
  expect((await (await connect(site, '/fails')).closed()).code).toBe(1011);
  const failed = await errors.next();
  expect(failed).toEqual({ websocket: websockets[0], error });
  expect((await nextOf(closed, failed.websocket)).code).toBe(1011);

  const opened = listenTo('dwebsocket.open');
  const client = await connect(site, '/quiet');
  const { websocket } = await opened.next();
  await client.close();
  await nextOf(closed, websocket);
  // On a later turn the loop ends with a WebsocketClosedError, which does not count as a failure.
  await websocket.wait().catch(() => {});
  await websocket.wait().catch(() => {});
  expect(errors.rest()).toEqual([]);
});

describe('dwebsocket.refused has the request, the status and the reason of', () => {
  const nothing = requireWebsocket((req) => req.websocket.wait());

  test.for([
    [403, { origin: 'https://evil.test' }, 'origin "https://evil.test" is not allowed here'],
    [
      400,
      { 'sec-websocket-key': 'short' },
      'the header Sec-WebSocket-Key is missing or invalid; send 16 bytes in base64',
    ],
    [426, { 'sec-websocket-version': '8' }, 'this server supports only version 13'],
  ] as const)('a handshake that gets %i', async ([status, headers, reason]) => {
    const refused = listenTo('dwebsocket.refused');
    expect((await requestUpgrade(await serve(nothing), '/path', headers)).status).toBe(status);
    const message = await refused.next();
    expect(message).toEqual({ request: message.request, status, reason: message.reason });
    expect(message.request.url).toBe('/path');
    expect(message.reason).toContain(reason);
    expect(refused.rest()).toEqual([]);
  });

  test('a handshake that arrives while the server shuts down', async () => {
    const refused = listenTo('dwebsocket.refused');
    const site = await serve(nothing);
    const client = await connect(site);
    client.ws.pause();
    const closing = closeWebsockets(site.server);
    expect((await requestUpgrade(site, '/late')).status).toBe(503);
    client.ws.resume();
    await closing;
    expect(await refused.next()).toMatchObject({ request: { url: '/late' }, status: 503 });
  });

  test('a handshake that no route answers in time', async () => {
    const refused = listenTo('dwebsocket.refused');
    const site = await serve(() => {});
    attachWebsocket(site.server, { handshakeTimeout: 20 });
    const client = await connectRaw(site.port, { path: '/forgotten' });
    expect((await client.response()).status).toBe(503);
    client.destroy();
    expect(await refused.next()).toMatchObject({
      request: { url: '/forgotten' },
      status: 503,
      reason: expect.stringContaining('no route has answered this upgrade request in time') as string,
    });
  });

  test('a handshake that no upgrade listener of this server handles', async () => {
    const refused = listenTo('dwebsocket.refused');
    const site = await serve(nothing);
    attachWebsocket(site.server, { owns: () => false });
    expect((await requestUpgrade(site, '/other')).status).toBe(503);
    expect(await refused.next()).toMatchObject({ request: { url: '/other' }, status: 503 });
  });

  test('a handshake of a route after websocketMiddleware({ acceptAll: true })', async () => {
    const refused = listenTo('dwebsocket.refused');
    const app = express();
    app.set('env', 'test');
    app.use(websocketMiddleware({ acceptAll: true }));
    app.get('/', (req, res) => {
      (req as { websocket?: Websocket }).websocket?.send('hello');
      res.end();
    });
    const { status } = await requestUpgrade(await serve(app), '/', { origin: 'https://evil.test' });
    expect(status).toBe(403);
    expect(await refused.next()).toMatchObject({ request: { url: '/' }, status: 403 });
  });

  test('only those handshakes that the package answers, not the app', async () => {
    const refused = listenTo('dwebsocket.refused');
    const app = express();
    app.get('/private', (_req, res) => res.sendStatus(401), nothing);
    const site = await serve(app);
    expect((await requestUpgrade(site, '/private')).status).toBe(401);
    expect((await requestUpgrade(site, '/nowhere')).status).toBe(404);
    expect(refused.rest()).toEqual([]);
  });
});

test('a channel without subscribers creates no messages', async () => {
  const publish = vi.fn();
  for (const name of NAMES) {
    const { hasSubscribers } = channel(`dwebsocket.${name}`);
    expect(hasSubscribers).toBe(false);
    // Replaces the method during this test. The package creates a message before it calls publish.
    Object.assign(channel(`dwebsocket.${name}`), { publish });
  }
  onTestFinished(() => {
    for (const name of NAMES) Reflect.deleteProperty(channel(`dwebsocket.${name}`), 'publish');
  });
  const { client, websocket, site } = await openPair();
  client.send('hello');
  await client.flush();
  websocket.send('hello');
  await client.next();
  await requestUpgrade(site, '/', { origin: 'https://evil.test' });
  await client.close();
  await websocket.closed;
  expect(publish).not.toHaveBeenCalled();
});

test('diagnostics describe only the server, not a test client', async () => {
  const sent = listenTo('dwebsocket.send');
  const received = listenTo('dwebsocket.receive');
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(`${String(message)}, too`);
    }),
  );
  const client = await connectInMemory(app, '/');
  client.send('hello');
  expect(await client.wait()).toBe('hello, too');
  expect(sent.rest().map(({ bytes }) => bytes)).toEqual([10]);
  expect(received.rest().map(({ bytes }) => bytes)).toEqual([5]);
  await client.close();
});
