import { createHook } from 'node:async_hooks';
import { requireWebsocket, type CloseInfo, type Websocket, type WebsocketOptions } from 'dwebsocket';
import { describe, expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import type { RawClient } from '../support/raw-client.js';
import { binary, Opcode, pong, text } from '../support/raw-frames.js';
import { serve, type Site } from '../support/serve.js';
import { eventually } from './eventually.js';
import { openLossyProxy } from './lossy-proxy.js';
import { open } from './raw.js';

const HEARTBEAT = 40;

/** Answers the pings of a server for as long as it is called upon. */
async function answerPings(client: RawClient, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    await client.until(() => client.framesOf(Opcode.ping).length >= i, `ping ${i}`);
    client.write(pong(client.framesOf(Opcode.ping)[i - 1]!.payload));
  }
}

describe('a connection that goes dead without a FIN', () => {
  const handlers: Record<string, (websocket: Websocket) => PromiseLike<unknown>> = {
    reads: async (websocket) => {
      for await (const message of websocket) websocket.send(message);
    },
    'waits for one message': (websocket) => websocket.wait(),
    'only awaits closed': (websocket) => websocket.closed,
    'waits for its signal': (websocket) =>
      new Promise((resolve) => {
        websocket.signal.addEventListener('abort', resolve);
      }),
    'sends now and then': async (websocket) => {
      while (await websocket.sleep(10)) websocket.send('tick');
    },
    'awaits its own ping': (websocket) => websocket.ping().catch(() => websocket.closed),
  };

  test.each(Object.keys(handlers))(
    'is ended by the heartbeat, and with it a handler that %s',
    async (name) => {
      const ended = defer<CloseInfo>();
      const site = await serve(
        requireWebsocket(
          async (req) => {
            await handlers[name]!(req.websocket);
            ended.resolve(await req.websocket.closed);
          },
          { heartbeat: HEARTBEAT },
        ),
      );
      const proxy = await openLossyProxy(site.port);
      await open(proxy.port);
      proxy.goDead();
      expect(await within(ended.promise, 'end')).toEqual({ code: 1006, reason: '', wasClean: false });
      await eventually(() => site.sockets.size === 0, 'its socket is gone');
    },
  );

  test('gets two pings first', async () => {
    const ended = defer();
    const site = await serve(
      requireWebsocket(
        async (req) => {
          await req.websocket.closed;
          ended.resolve();
        },
        { heartbeat: HEARTBEAT },
      ),
    );
    const client = await open(site.port);
    await within(ended.promise, 'end');
    await client.end();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([Opcode.ping, Opcode.ping]);
  });

  test('stays open without a heartbeat, until the handler returns', async () => {
    const arrived = defer<Websocket>();
    const site = await serve(
      requireWebsocket(
        async (req) => {
          arrived.resolve(req.websocket);
          await req.websocket.closed;
        },
        { heartbeat: false, closeTimeout: 50 },
      ),
    );
    const proxy = await openLossyProxy(site.port);
    await open(proxy.port);
    proxy.goDead();
    const websocket = await arrived.promise;
    expect(await websocket.wait(HEARTBEAT * 8)).toBe(null);
    expect(websocket.isClosed()).toBe(false);
    await within(websocket.close(), 'end');
  });
});

describe('the heartbeat never ends', () => {
  /** A client, its websocket on the server, and what lets its handler leave. */
  async function openAlive(
    options: WebsocketOptions = {},
  ): Promise<{ client: RawClient; websocket: Websocket; site: Site }> {
    const arrived = defer<Websocket>();
    const site = await serve(
      requireWebsocket(
        async (req) => {
          arrived.resolve(req.websocket);
          await req.websocket.closed;
        },
        { heartbeat: HEARTBEAT, ...options },
      ),
    );
    const client = await open(site.port);
    return { client, websocket: await arrived.promise, site };
  }

  test('a client that answers pings and says nothing else', async () => {
    const { client, websocket } = await openAlive();
    await answerPings(client, 6);
    expect(websocket.isClosed()).toBe(false);
  });

  test('a client that sends messages and never a pong', async () => {
    const { client, websocket } = await openAlive();
    for (let i = 0; i < 40; i++) {
      client.write(text('still here'));
      expect(await within(websocket.wait(), 'message')).toBe('still here');
      await websocket.sleep(HEARTBEAT / 4);
    }
    expect(websocket.isClosed()).toBe(false);
  });

  test('a client whose one message comes slowly, a byte at a time', async () => {
    // Longer than a busy machine stands still, and shorter than the message takes.
    const { client, websocket } = await openAlive({ heartbeat: 1_000 });
    for (const byte of text('a message of some length, byte by byte')) {
      client.write(Buffer.of(byte));
      await websocket.sleep(40);
    }
    expect(await within(websocket.wait(), 'message')).toBe('a message of some length, byte by byte');
    expect(client.framesOf(Opcode.ping)).toEqual([]);
  });

  test('a client that is alive while we have paused reading', async () => {
    const { client, websocket, site } = await openAlive({ maxQueue: 16 * 1024 });
    const [socket] = site.sockets;
    client.write(...Array.from({ length: 64 }, () => binary(Buffer.alloc(1024))));
    await eventually(() => socket!.isPaused(), 'the socket is paused');
    // No answer of the client can be seen now; many more pings than it takes to end a silent one.
    await answerPings(client, 8);
    expect(websocket.isClosed()).toBe(false);
    for (let i = 0; i < 64; i++)
      expect(await within(websocket.wait(), 'message')).toEqual(Buffer.alloc(1024));
    // And when reading goes on, it starts afresh.
    await answerPings(client, 12);
    expect(websocket.isClosed()).toBe(false);
  });

  test('a client while the process was busy for longer than two heartbeats', async () => {
    const { site } = await openAlive();
    const honest = await connect(site);
    for (let i = 0; i < 5; i++) {
      const end = performance.now() + HEARTBEAT * 4;
      while (performance.now() < end);
      await honest.flush();
    }
    expect(honest.ws.readyState).toBe(honest.ws.OPEN);
  });
});

/** With one timer Node's http forgets the date that it puts on responses. */
const NODES_OWN = 1;

test('all heartbeats share one timer, whatever their intervals', async () => {
  const routes = [20_000, 21_000, 25_000, 60_000].map((heartbeat) =>
    requireWebsocket((req) => req.websocket.closed.then(() => {}), { heartbeat }),
  );
  const site = await serve((req, res) => routes[Number(req.url!.slice(1))]!(req, res));
  const count = await countTimers(async () => {
    for (let i = 0; i < 100; i++) await open(site.port, `/${i % routes.length}`);
  });
  expect(count - NODES_OWN).toBeLessThanOrEqual(1);
});

test('without a heartbeat there is no timer', async () => {
  const site = await serve(
    requireWebsocket((req) => req.websocket.closed.then(() => {}), { heartbeat: false }),
  );
  const count = await countTimers(async () => {
    for (let i = 0; i < 20; i++) await open(site.port);
  });
  expect(count - NODES_OWN).toBeLessThanOrEqual(0);
});

/** How many timers more there are afterwards, unref'd ones, too, which `process.getActiveResourcesInfo()` leaves out. */
async function countTimers(work: () => Promise<void>): Promise<number> {
  const timers = new Map<number, NodeJS.Timeout>();
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (type === 'Timeout') timers.set(id, resource as NodeJS.Timeout);
    },
    destroy(id) {
      timers.delete(id);
    },
  }).enable();
  try {
    await work();
    // Node tells of the cleared ones a turn later.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  } finally {
    hook.disable();
  }
  return [...timers.values()].filter((timer) => !(timer as { _destroyed?: boolean })._destroyed).length;
}
