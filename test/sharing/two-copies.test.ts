import type { IncomingMessage } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import * as first from 'dwebsocket';
import * as firstGroups from 'dwebsocket/groups';
import { upgradeOf } from '../../src/server/upgrade.js';
import { connect } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { connectRaw, openRaw } from '../support/raw-client.js';
import { closeCodeOf } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

type Copy = typeof first;

// Loads the package again, like a second folder of node_modules, or like Jest for each test file.
vi.resetModules();
const second: Copy = await import('dwebsocket');
const secondGroups = await import('dwebsocket/groups');

const ways: { name: string; one: Copy; other: Copy }[] = [
  { name: 'the first and the second', one: first, other: second },
  { name: 'the second and the first', one: second, other: first },
];

test('there are two copies', () => {
  expect(second.Websocket).not.toBe(first.Websocket);
  expect(secondGroups.createGroups).not.toBe(firstGroups.createGroups);
});

describe.for(ways)('two copies of the package in one process, $name', ({ one, other }) => {
  const echo = one.requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) websocket.send(message);
  });

  test('closeWebsockets of one destroys a websocket of the other whose client does not answer in time', async () => {
    const site = await serve(echo);
    const silent = await openRaw(site.port);
    await other.closeWebsockets(site.server, { code: 4000, timeout: 20 });
    expect(closeCodeOf((await silent.nextFrame())!)).toBe(4000);
    await silent.end();
    // closeWebsockets() has ended, so the next client is accepted.
    const client = await connect(site);
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  test('a wrapped handler of one runs inside one of the other; the websocket closes when both have ended', async () => {
    const outerMayEnd = defer();
    const outer = other.requireWebsocket(async (req, res, next) => {
      echo(req, res, next);
      await outerMayEnd.promise;
      req.websocket.send('the outer one ends');
    });
    const finished = new Inbox<number>();
    const site = await serve((req, res) => {
      res.on('finish', () => finished.push(res.statusCode));
      outer(req, res);
    });
    const client = await connect(site);
    client.send('hello');
    expect(await client.next()).toBe('hello');
    outerMayEnd.resolve();
    expect(await client.next()).toBe('the outer one ends');
    // The inner one still runs.
    client.send('still there?');
    expect(await client.next()).toBe('still there?');
    expect(await client.close()).toMatchObject({ code: 1005 });
    expect(await finished.next('finish')).toBe(101);
  });

  test('the outer handler may still use the websocket when the inner one has ended', async () => {
    const innerEnded = defer();
    const inner = one.requireWebsocket(async ({ websocket }) => {
      websocket.send(`inner: ${String(await websocket.wait())}`);
      innerEnded.resolve();
    });
    const site = await serve(
      other.requireWebsocket(async (req, res) => {
        inner(req, res);
        await innerEnded.promise;
        req.websocket.send(`outer: ${String(await req.websocket.wait())}`);
      }),
    );
    const client = await connect(site);
    client.send('a', 'b');
    expect(await client.take(2)).toEqual(['inner: a', 'outer: b']);
    expect(await client.closed()).toMatchObject({ code: 1000 });
  });

  test('a handler of one passes the websocket on to one of the other', async () => {
    const site = await serve((req, res) => {
      const passOn = other.acceptWebsocket((_req, _res, next) => {
        next();
      });
      passOn(req, res, () => {
        echo(req, res);
      });
    });
    const client = await connect(site);
    client.send('hello');
    expect(await client.next()).toBe('hello');
  });

  test('a handler of one that ends because of the signal of a websocket of the other has not failed', async () => {
    const errors: unknown[] = [];
    const ended = defer();
    const waiting = one.requireWebsocket(
      ({ websocket }) =>
        new Promise((_resolve, reject) => {
          websocket.signal.addEventListener('abort', () => {
            reject(new DOMException('aborted', 'AbortError'));
          });
        }),
    );
    const middleware = other.websocketMiddleware({ acceptAll: true });
    const site = await serve((req, res) => {
      res.on('close', ended.resolve);
      middleware(req, res, () => {
        // This opens it, so the wrapper of the other copy finds it open.
        expect((req as unknown as first.MaybeWebsocket).websocket).toBeInstanceOf(other.Websocket);
        waiting(req, res, (error) => errors.push(error));
      });
    });
    const client = await connect(site);
    await client.close();
    await ended.promise;
    expect(errors).toEqual([]);
  });

  test('instanceof recognizes the websockets of both', async () => {
    const seen = defer<unknown>();
    const site = await serve(
      one.requireWebsocket(({ websocket }) => {
        seen.resolve(websocket);
      }),
    );
    await connect(site);
    const websocket = await seen.promise;
    expect(websocket).toBeInstanceOf(one.Websocket);
    expect(websocket).toBeInstanceOf(other.Websocket);
    const others = [null, undefined, 1, 'x', {}, () => {}, Object.create(null), one.Websocket.prototype];
    for (const value of others) expect(value).not.toBeInstanceOf(other.Websocket);
  });

  describe('groups of one with websockets of the other', () => {
    const { createGroups } = other === first ? firstGroups : secondGroups;

    test('get the messages, leave when they close, and close with the group', async () => {
      const group = createGroups().group('all');
      const site = await serve(
        one.requireWebsocket(async ({ websocket }) => {
          await group.add(websocket);
          websocket.send('added');
          await websocket.closed;
        }),
      );
      const [client, leaving] = [await connect(site), await connect(site)];
      for (const member of [client, leaving]) expect(await member.next()).toBe('added');
      await leaving.close();
      await vi.waitUntil(() => group.size === 1);
      group.send('text');
      group.send(Buffer.from([1, 2]));
      expect(await client.take(2)).toEqual(['text', Buffer.from([1, 2])]);
      void group.close(4000, 'over');
      expect(await client.closed()).toEqual({ code: 4000, reason: 'over' });
    });

    test('encode a message once for all of them', async () => {
      const group = createGroups().group('all');
      const added = defer<ReturnType<typeof vi.spyOn>>();
      const site = await serve(
        one.requireWebsocket(async ({ websocket }) => {
          await group.add(websocket);
          added.resolve(vi.spyOn(websocket, 'send'));
          await websocket.closed;
        }),
      );
      const client = await connect(site);
      const send = await added.promise;
      group.send('hello');
      expect(await client.next()).toBe('hello');
      // It was sent as the encoded frame of the group.
      expect(send).not.toHaveBeenCalled();
    });
  });
});

describe('a websocket of an unknown version of the package', () => {
  const route = first.requireWebsocket(() => expect.unreachable());
  /** Marks a request as another version does after it has accepted the request. */
  const takeAway = (req: IncomingMessage): void => {
    const upgrade = upgradeOf(req)!;
    const { socket } = upgrade.accept();
    upgrade.websocket = { send: () => {} } as unknown as first.Websocket;
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  };

  test('causes an error that says what to do, for the error handlers', async () => {
    const errors = new Inbox<unknown>();
    const site = await serve((req, res) => {
      takeAway(req);
      route(req, res, (error) => errors.push(error));
    });
    const client = await connectRaw(site.port);
    await client.response();
    const error = await errors.next('error');
    expect(error).toBeInstanceOf(first.WebsocketError);
    expect(error).toMatchObject({
      code: 'ERR_WEBSOCKET_COPY',
      message: expect.stringContaining('npm ls dwebsocket') as string,
    });
  });

  test('causes one warning on a bare server', async () => {
    const warnings = watchWarnings();
    const site = await serve((req, res) => {
      takeAway(req);
      route(req, res);
    });
    for (let i = 0; i < 2; i++) await (await connectRaw(site.port)).response();
    expect(await warnings.next('warning')).toMatchObject({
      code: 'WEBSOCKET_HANDLER_FAILED',
      message: expect.stringContaining('npm ls dwebsocket') as string,
    });
    expect(warnings.rest()).toEqual([]);
  });
});
