import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import express from 'express';
import { buildSchema } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { requireWebsocket, type WebsocketOptions } from 'dwebsocket';
import { connect } from '../test/support/client.js';
import { watchSockets } from './support/client-sockets.js';
import { serveApp, serveBlock, type LibrarySite } from './support/serve-library.js';

const protocols = ['graphql-transport-ws'];

/** Connects the client of graphql-ws, and waits until the server has greeted it. */
async function open(site: LibrarySite) {
  const sockets = watchSockets();
  let client!: Client;
  await new Promise((resolve) => {
    client = createClient({
      url: site.url('/graphql'),
      webSocketImpl: sockets.WebSocket,
      lazy: false,
      retryAttempts: 0,
      onNonLazyError: () => {},
      on: { connected: resolve },
    });
  });
  onTestFinished(() => client.dispose());
  return { client, sockets };
}

async function ask(client: Client, query: string): Promise<unknown[]> {
  const answers: unknown[] = [];
  for await (const { data } of client.iterate({ query })) answers.push(data);
  return answers;
}

describe.each(['graphql-ws', 'graphql-ws-without-a-websocketserver'])('the block under #%s', (anchor) => {
  async function start() {
    const site = await serveBlock(anchor);
    return { ...site, users: site.exports['users'] as Set<unknown> };
  }

  test('answers a query', async () => {
    const site = await start();
    const { client } = await open(site);
    expect(await ask(client, '{ hello }')).toEqual([{ hello: 'Hello!' }]);
    await client.dispose();
    await site.expectQuiet();
  });

  test('learns that a client has closed', async () => {
    const site = await start();
    const { client } = await open(site);
    expect(site.users.size).toBe(1);
    await client.dispose();
    await expect.poll(() => site.users.size).toBe(0);
    await site.expectQuiet();
  });

  test('learns that a connection is lost', async () => {
    const site = await start();
    const { sockets } = await open(site);
    expect(site.users.size).toBe(1);
    sockets.loseConnection();
    await expect.poll(() => site.users.size).toBe(0);
    await site.expectQuiet();
  });

  test('closes with 4400 after text that is not JSON', async () => {
    const site = await start();
    const client = await connect(site, '/graphql', { protocols });
    client.send('{');
    expect(await client.closed()).toEqual({ code: 4400, reason: 'Invalid message received' });
    await site.expectQuiet();
  });

  test('closes with 4406 when the client names no subprotocol', async () => {
    const site = await start();
    const client = await connect(site, '/graphql');
    expect(await client.closed()).toMatchObject({ code: 4406 });
    await site.expectQuiet();
  });

  test('closes with 1001 at shutdown', async () => {
    const site = await start();
    const { sockets } = await open(site);
    await site.shutDown();
    expect(await sockets.closed()).toBe(1001);
    expect(site.users.size).toBe(0);
    await site.expectQuiet();
  });
});

test('without a WebSocketServer, an error of graphql-ws closes with 1011', async () => {
  const site = await serveBlock('graphql-ws-without-a-websocketserver');
  const client = await connect(site, '/graphql', { protocols });
  // Only a server sends this type, and graphql-ws throws.
  client.send('{"type":"next","id":"1","payload":{}}');
  expect(await client.closed()).toMatchObject({ code: 1011 });
});

describe('useServer', () => {
  test('answers a subscription', async () => {
    const site = await serveBlock('graphql-ws');
    const { client } = await open(site);
    expect(await ask(client, 'subscription { countdown(from: 3) }')).toEqual([
      { countdown: 3 },
      { countdown: 2 },
      { countdown: 1 },
    ]);
  });

  test('closes with 1001 when it is disposed, and dispose returns', async () => {
    const { app, server } = createRoute();
    const { dispose } = useServer({ schema }, server);
    const site = await serveApp(app);
    const { sockets } = await open(site);
    await dispose();
    expect(await sockets.closed()).toBe(1001);
    expect(server.clients.size).toBe(0);
    await site.expectQuiet();
  });

  test('keeps a client that answers pings', async () => {
    const { app, server } = createRoute();
    useServer({ schema }, server, 20);
    const site = await serveApp(app);
    const client = await connect(site, '/graphql', { protocols });
    for (let pings = 0; pings < 4; pings++) await once(client.ws, 'ping');
    await client.flush();
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    await client.close();
    await site.expectQuiet();
  });

  test('ends the connection of a client that answers no ping', async () => {
    const { app, server } = createRoute();
    useServer({ schema }, server, 20);
    const site = await serveApp(app);
    const client = await connect(site, '/graphql', { protocols, autoPong: false });
    expect(await client.closed()).toMatchObject({ code: 1006 });
    await site.expectQuiet();
  });

  test('closes with 4500 after a long error that is not ASCII', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    const { app, server } = createRoute();
    const onConnect = () => {
      // graphql-ws counts the characters of a reason, and not its bytes.
      throw new Error('é'.repeat(100));
    };
    useServer({ schema, onConnect }, server);
    const site = await serveApp(app);
    const client = await connect(site, '/graphql', { protocols });
    client.send('{"type":"connection_init"}');
    expect(await client.closed()).toEqual({ code: 4500, reason: 'é'.repeat(61) });
    expect(log).toHaveBeenCalledOnce();
    await site.expectQuiet();
  });

  test.each([
    ['without compression', false],
    ['with compression', true],
  ])(
    'asks a subscription for its next value only when a slow client has read, %s',
    async (_name, compressed) => {
      let values = 0;
      let hasEnded = false as boolean;
      const { app, server } = createRoute({ perMessageDeflate: compressed });
      async function* flood() {
        try {
          for (;;) {
            // A generator that never waits would spin in graphql-ws after the close.
            await setImmediate();
            values++;
            yield { flood: randomBytes(50_000).toString('hex') };
          }
        } finally {
          hasEnded = true;
        }
      }
      useServer({ schema, roots: { subscription: { flood } } }, server);
      const site = await serveApp(app);
      const client = await connect(site, '/graphql', { protocols });
      client.send('{"type":"connection_init"}');
      await client.next();
      client.ws.pause();
      client.send('{"type":"subscribe","id":"1","payload":{"query":"subscription { flood }"}}');
      // The kernel's buffers take some megabytes. Then the number stays the same.
      let before = -1;
      await expect
        .poll(
          () => {
            const stays = values > 1 && values === before;
            before = values;
            return stays;
          },
          { interval: 200 },
        )
        .toBe(true);
      client.ws.resume();
      await expect.poll(() => values).toBeGreaterThan(before);
      client.ws.terminate();
      await expect.poll(() => hasEnded).toBe(true);
      await site.expectQuiet();
    },
  );
});

const schema = buildSchema('type Query { hello: String } type Subscription { flood: String }');

function createRoute(options: WebsocketOptions = {}) {
  const server = new WebSocketServer({ noServer: true });
  const app = express();
  app.get(
    '/graphql',
    requireWebsocket((req) => req.websocket.handOver(server), { protocols, ...options }),
  );
  return { app, server };
}
