import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import express from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import { closeWebsockets, relay, requireWebsocket, type RelayEnd, type UpstreamSocket } from 'dwebsocket';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { listen, serve, type Site } from '../support/serve.js';

/** A server of ws that echoes, and its connections. */
async function serveUpstream(
  onConnection = (socket: WebSocket): void => {
    socket.on('message', (data, binary) => {
      socket.send(data as Buffer, { binary });
    });
  },
  options: ServerOptions = {},
): Promise<{ url: string; sockets: Inbox<WebSocket> }> {
  const server = createServer();
  const wss = new WebSocketServer({ server, ...options });
  const sockets = new Inbox<WebSocket>();
  wss.on('connection', (socket) => {
    onConnection(socket);
    sockets.push(socket);
  });
  onTestFinished(() => {
    for (const socket of wss.clients) socket.terminate();
  });
  const { port } = await listen(server);
  return { url: `ws://127.0.0.1:${String(port)}`, sockets };
}

async function relayTo(
  open: () => UpstreamSocket,
): Promise<{ site: Site; client: Client; end: Promise<RelayEnd> }> {
  const end = defer<RelayEnd>();
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      end.resolve(await relay(req.websocket, open()));
    }),
  );
  const site = await serve(app);
  return { site, client: await connect(site), end: end.promise };
}

/** The `WebSocket` of the platform, on Nodes that have one. */
const Platform = (globalThis as { WebSocket?: new (url: string) => UpstreamSocket }).WebSocket;
const kinds: [string, (url: string) => UpstreamSocket][] = [['ws', (url) => new WebSocket(url)]];
if (Platform !== undefined) kinds.push(['the platform', (url) => new Platform(url)]);

describe.each(kinds)('a relay to a WebSocket of %s', (kind, open) => {
  test('keeps kinds and order, also of what comes before the upstream is open', async () => {
    const { url } = await serveUpstream();
    const { client } = await relayTo(() => open(url));
    client.send('one', Buffer.from([2]), '日本語', Buffer.alloc(0));
    expect(await client.take(4)).toEqual(['one', Buffer.from([2]), '日本語', Buffer.alloc(0)]);
    for (let i = 0; i < 500; i++) client.send(String(i));
    expect(await client.take(500)).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });

  test.each([
    [1000, 'done'],
    [4321, 'reason'],
    [3000, ''],
  ])('passes on the code %i, both ways', async (code, reason) => {
    const { url, sockets } = await serveUpstream();
    const { client, end } = await relayTo(() => open(url));
    const upstream = await sockets.next('connection');
    const closed = once(upstream, 'close');
    client.ws.close(code, reason);
    const [seen, why] = (await closed) as [number, Buffer];
    expect([seen, String(why)]).toEqual([code, reason]);
    expect(await end).toEqual({ endedBy: 'client', code, reason });

    const { client: other, end: otherEnd } = await relayTo(() => open(url));
    (await sockets.next('connection')).close(code, reason);
    expect(await other.closed()).toEqual({ code, reason });
    expect(await otherEnd).toEqual({ endedBy: 'upstream', code, reason });
  });

  test('changes codes that may not be sent', async () => {
    const { url, sockets } = await serveUpstream();
    const { client, end } = await relayTo(() => open(url));
    (await sockets.next('connection')).close();
    expect((await client.closed()).code).toBe(1000);
    expect(await end).toMatchObject({ endedBy: 'upstream', code: 1005 });

    const lost = await relayTo(() => open(url));
    (await sockets.next('connection')).terminate();
    expect((await lost.client.closed()).code).toBe(1011);

    const vanished = await relayTo(() => open(url));
    const closed = once(await sockets.next('connection'), 'close');
    await vanished.client.vanish();
    // The platform may not send 1011.
    expect(((await closed) as [number])[0]).toBe(kind === 'ws' ? 1011 : 4011);
    expect(await vanished.end).toMatchObject({ endedBy: 'client', code: 1006 });
  });

  test('closes with 1014 when the upstream cannot be reached', async () => {
    const server = createTcpServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const { client, end } = await relayTo(() => open(`ws://127.0.0.1:${String(port)}`));
    expect((await client.closed()).code).toBe(1014);
    expect(await end).toMatchObject({ endedBy: 'upstream', code: 1006 });
  });

  test('closes with 1014 when the upstream has closed before', async () => {
    const { url, sockets } = await serveUpstream();
    const upstream = open(url);
    const closed = defer<unknown>();
    upstream.addEventListener('close' as never, closed.resolve as never);
    (await sockets.next('connection')).close(4000);
    await closed.promise;
    const { client, end } = await relayTo(() => upstream);
    expect((await client.closed()).code).toBe(1014);
    expect(await end).toMatchObject({ endedBy: 'upstream', code: 1006 });
  });

  test('closes with 1014 when the upstream refuses', async () => {
    const { url } = await serveUpstream(undefined, { verifyClient: () => false });
    const { client } = await relayTo(() => open(url));
    expect((await client.closed()).code).toBe(1014);
  });

  test('forwards what a client has sent that leaves before the upstream is open', async () => {
    const messages = new Inbox<string>();
    const { url } = await serveUpstream((socket) => {
      socket.on('message', (data: Buffer) => messages.push(String(data)));
      socket.on('close', (code) => messages.push(`closed with ${String(code)}`));
    });
    const started = defer<UpstreamSocket>();
    const app = express();
    app.get(
      '/',
      requireWebsocket(async (req) => {
        await vi.waitFor(() => {
          expect(req.websocket.isClosed()).toBe(true);
        });
        const upstream = open(url);
        started.resolve(upstream);
        await relay(req.websocket, upstream);
      }),
    );
    const client = await connect(await serve(app));
    client.send('one', 'two');
    await client.close(1000);
    await started.promise;
    expect(await messages.next('one')).toBe('one');
    expect(await messages.next('two')).toBe('two');
    expect(await messages.next('close')).toBe('closed with 1000');
  });
});

test('cuts a reason whose text is too long, because its bytes are no UTF-8', async () => {
  const { url } = await serveUpstream((socket) => {
    // The answer has the same bytes.
    socket.on('error', () => {}).close(4000, Buffer.alloc(120, 0xff));
  });
  const { client } = await relayTo(() => new WebSocket(url, { skipUTF8Validation: true }));
  expect(await client.closed()).toMatchObject({ code: 4000, reason: '\ufffd'.repeat(41) });
});

test('a client that does not read slows the upstream down', async () => {
  const { url, sockets } = await serveUpstream(() => {});
  const { client } = await relayTo(() => new WebSocket(url));
  client.ws.pause();
  const upstream = await sockets.next('connection');
  for (let i = 0; i < 300; i++) upstream.send(Buffer.alloc(100_000));
  await expect.poll(() => upstream.bufferedAmount).toBeLessThan(30_000_000);
  expect(upstream.bufferedAmount).toBeGreaterThan(10_000_000);
  client.ws.resume();
  expect(await client.take(300)).toHaveLength(300);
});

test('an upstream that does not read slows the client down', async () => {
  const { url, sockets } = await serveUpstream(() => {});
  const { client } = await relayTo(() => new WebSocket(url));
  const upstream = await sockets.next('connection');
  upstream.pause();
  for (let i = 0; i < 300; i++) client.ws.send(Buffer.alloc(100_000));
  await expect.poll(() => client.ws.bufferedAmount).toBeLessThan(30_000_000);
  expect(client.ws.bufferedAmount).toBeGreaterThan(10_000_000);
  let received = 0;
  upstream.on('message', () => received++);
  upstream.resume();
  await expect.poll(() => received).toBe(300);
});

test('ends an upstream that does not read, some time after the websocket has ended', async () => {
  const { url, sockets } = await serveUpstream(() => {});
  const upstream = new WebSocket(url);
  const { site, client } = await relayTo(() => upstream);
  (await sockets.next('connection')).pause();
  for (let i = 0; i < 300; i++) client.ws.send(Buffer.alloc(100_000));
  await expect.poll(() => upstream.bufferedAmount).toBeGreaterThan(0);
  await closeWebsockets(site.server);
  await expect.poll(() => upstream.readyState, { timeout: 15_000 }).toBe(WebSocket.CLOSING);
  upstream.terminate();
});

test('ends the upstream when the client leaves before it is open', async () => {
  // Never answers the handshake.
  const tcp = createTcpServer((socket) => {
    socket.on('error', () => {}).resume();
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  onTestFinished(() => {
    tcp.close();
  });
  const { port } = tcp.address() as AddressInfo;
  let upstream!: WebSocket;
  const { client, end } = await relayTo(() => (upstream = new WebSocket(`ws://127.0.0.1:${String(port)}`)));
  await client.close(1000);
  expect(await end).toMatchObject({ endedBy: 'client', code: 1000 });
  await expect.poll(() => upstream.readyState).toBe(WebSocket.CLOSED);
});

test('may run after the handler has returned', async () => {
  const { url } = await serveUpstream();
  const app = express();
  app.get(
    '/',
    requireWebsocket((req) => {
      void relay(req.websocket, new WebSocket(url));
    }),
  );
  const client = await connect(await serve(app));
  client.send('hello');
  expect(await client.next()).toBe('hello');
});

test('ends the upstream when the websocket has another reader', async () => {
  const { url } = await serveUpstream();
  const failed = defer<unknown>();
  let upstream!: WebSocket;
  const app = express();
  app.get(
    '/',
    requireWebsocket((req) => {
      req.websocket.handOver();
      upstream = new WebSocket(url);
      try {
        void relay(req.websocket, upstream);
      } catch (error) {
        failed.resolve(error);
      }
    }),
  );
  await connect(await serve(app));
  expect(await failed.promise).toMatchObject({ code: 'ERR_WEBSOCKET_READER' });
  await expect.poll(() => upstream.readyState).toBe(WebSocket.CLOSED);
});
