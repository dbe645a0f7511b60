import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { describe, expect, test } from 'vitest';
import {
  attachWebsocket,
  closeWebsockets,
  openWebsockets,
  requireWebsocket,
  type Websocket,
} from 'dwebsocket';
import { connect } from '../support/client.js';
import { Inbox, within } from '../support/inbox.js';
import { openRaw } from '../support/raw-client.js';
import { close, closeCodeOf, Opcode } from '../support/raw-frames.js';
import { requestUpgrade } from '../support/request.js';
import { listen, serve } from '../support/serve.js';

const waiting = requireWebsocket(async ({ websocket }) => {
  while ((await websocket.wait()) !== null);
});

describe('openWebsockets', () => {
  test('is a live set of the open websockets of one server; each knows its request', async () => {
    const site = await serve(waiting);
    const other = await serve(waiting);
    const open = openWebsockets(site.server);
    expect(open.size).toBe(0);
    const client = await connect(site, '/a');
    await connect(site, '/b');
    await connect(other, '/c');
    expect([...open].map(({ request }) => request.url)).toEqual(['/a', '/b']);
    expect(openWebsockets(site.server)).toBe(open);
    const [websocket] = open as Set<Websocket>;
    await client.close();
    await websocket!.closed;
    expect([...open].map(({ request }) => request.url)).toEqual(['/b']);
  });

  test('does not contain a websocket that was refused or whose client has left', async () => {
    const site = await serve(waiting);
    await requestUpgrade(site, '/', { 'sec-websocket-version': '8' });
    const client = await connect(site);
    const [websocket] = openWebsockets(site.server);
    await client.vanish();
    await websocket!.closed;
    expect(openWebsockets(site.server).size).toBe(0);
  });
});

describe('server.close()', () => {
  test.for([
    ['http', false],
    ['https', true],
  ] as const)(
    'closes the websockets with 1001 and calls back when all have ended, over %s',
    async ([, tls]) => {
      const ends = new Inbox<unknown>();
      const site = await serve(
        requireWebsocket(async ({ websocket }) => ends.push(await websocket.closed)),
        { tls },
      );
      const clients = [await connect(site), await connect(site)];
      const closed = new Promise((resolve) => site.server.close(resolve));
      for (const client of clients) expect(await client.closed()).toEqual({ code: 1001, reason: '' });
      expect(await within(closed, 'callback')).toBeUndefined();
      expect(await ends.next()).toEqual({ code: 1001, reason: '', wasClean: true });
    },
  );

  test('returns the server, emits close, and a server that listens again takes websockets again', async () => {
    const site = await serve(waiting);
    const client = await connect(site);
    const closing = once(site.server, 'close');
    expect(site.server.close()).toBe(site.server);
    expect((await client.closed()).code).toBe(1001);
    await within(closing, 'close');
    const again = await listen(site.server);
    const late = await connect(again);
    await late.close();
  });

  test('destroys the connection of a client that does not answer within the closeTimeout of its route', async () => {
    const site = await serve(requireWebsocket(({ websocket }) => websocket.closed, { closeTimeout: 30 }));
    const client = await openRaw(site.port);
    const closed = new Promise((resolve) => site.server.close(resolve));
    expect(closeCodeOf((await client.nextFrame())!)).toBe(1001);
    await within(closed, 'callback');
    await client.end();
  });

  test('works as before on a server without websockets', async () => {
    const server = createServer(waiting);
    attachWebsocket(server);
    const error = await new Promise<Error | undefined>((resolve) => server.close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });
});

describe('closeWebsockets', () => {
  test('closes with 1001, or with the given code and reason, and leaves the server listening', async () => {
    const site = await serve(waiting);
    const first = await connect(site);
    await within(closeWebsockets(site.server), 'end');
    expect(await first.closed()).toEqual({ code: 1001, reason: '' });
    const second = await connect(site);
    await within(closeWebsockets(site.server, { code: 4000, reason: 'a new version' }), 'end');
    expect(await second.closed()).toEqual({ code: 4000, reason: 'a new version' });
    expect(openWebsockets(site.server).size).toBe(0);
    await (await connect(site)).close();
  });

  test('destroys the connection of a client that does not answer within the timeout', async () => {
    const site = await serve(waiting);
    const client = await openRaw(site.port);
    await within(closeWebsockets(site.server, { timeout: 20 }), 'end');
    expect(openWebsockets(site.server).size).toBe(0);
    await client.end();
  });

  test('gives a slow client the timeout, also where its route has a shorter closeTimeout', async () => {
    const route = requireWebsocket(
      ({ websocket }) => {
        websocket.send(Buffer.alloc(8_000_000));
        return websocket.closed;
      },
      { closeTimeout: 50 },
    );
    const site = await serve(route);
    const other = await serve(route);
    const client = await openRaw(site.port);
    client.socket.pause();
    const silent = await openRaw(other.port);
    silent.socket.pause();
    const [websocket] = openWebsockets(site.server);
    const closing = closeWebsockets(site.server, { timeout: 10_000 });
    // The closeTimeout has passed when it cuts off a websocket that was closed later, on another server.
    const [later] = openWebsockets(other.server);
    later!.close();
    await within(later!.closed, 'cut');
    silent.destroy();
    client.socket.resume();
    await client.until(() => client.framesOf(Opcode.close).length > 0, 'a close frame');
    client.write(close(1001));
    await within(closing, 'end');
    expect(await websocket!.closed).toEqual({ code: 1001, reason: '', wasClean: true });
  });

  test('resolves at once if no websocket is open', async () => {
    await within(closeWebsockets(createServer()), 'end');
  });

  test.for([
    [{ code: 1005 }, RangeError, 'a close code must be'],
    [{ reason: 'é'.repeat(62) }, RangeError, 'at most 123 bytes'],
    [{ timeout: 0 }, RangeError, 'option "timeout" must be whole milliseconds'],
    [{ timeout: '5' }, TypeError, 'option "timeout" must be whole milliseconds'],
    [{ over: 0 }, RangeError, 'option "over" must be whole milliseconds'],
    [{ over: '30s' }, TypeError, 'option "over" must be whole milliseconds'],
    [{ timeOut: 5 }, TypeError, 'unknown option "timeOut"; did you mean "timeout"?'],
    [1000, TypeError, 'option "options" must be an object'],
  ] as const)('refuses %j and closes nothing', async ([options, Kind, message]) => {
    const site = await serve(waiting);
    const client = await connect(site);
    const give = () => closeWebsockets(site.server, options as never);
    expect(give).toThrow(Kind);
    expect(give).toThrow(message);
    await client.flush();
    expect(openWebsockets(site.server).size).toBe(1);
  });
});

test.for([
  ['openWebsockets', openWebsockets],
  ['closeWebsockets', closeWebsockets],
] as const)('%s refuses a value that is not a server, such as an app', ([name, take]) => {
  expect(() => take(express() as never)).toThrow(
    `${name} takes a server of node:http, node:https or node:http2; got the function app; for an Express app, pass what app.listen() returns`,
  );
  expect(() => take(undefined as never)).toThrow(TypeError);
});
