import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect, type Client } from '../../test/support/client.js';
import { Inbox } from '../../test/support/inbox.js';
import { request, requestUpgrade } from '../../test/support/request.js';
import { requirement } from '../../test/support/requirements.js';
import type { Site } from '../../test/support/serve.js';
import { watchWarnings } from '../../test/support/warnings.js';
import { checksOf } from '../support/subject.js';
import {
  apache,
  caddy,
  haproxy,
  nghttpx,
  nginx,
  reloadCaddy,
  subjectOf,
  varnish,
  type ProxyRow,
} from './support/proxies.js';
import { startProxy, type RunningProxy } from './support/proxy.js';
import { REFUSAL, startServer, type ClientsServer } from './support/server.js';

const HEARTBEAT = 300;

for (const proxy of [nginx, haproxy, caddy, apache, nghttpx, varnish])
  if (requirement(proxy.name, proxy.version !== '')) describeProxy(proxy);

test.runIf(caddy.version !== '')(
  'Caddy closes websockets with 1001 when it loads its configuration',
  async () => {
    const server = await startServer();
    onTestFinished(() => server.close());
    const running = await startProxy(caddy, server.port);
    onTestFinished(() => running.stop());
    const client = await connect({ port: running.port }, '/echo');
    await reloadCaddy(running.folder);
    expect((await client.closed()).code).toBe(1001);
    // Caddy 2.6 does not mask its close frame, which is an error of the protocol, unless the answer of the client comes first.
    const { end } = await server.visits.next('end of a websocket');
    expect([1001, 1002]).toContain(end.code);
  },
);

/** Defines the tests of a proxy. */
function describeProxy(proxy: ProxyRow): void {
  const check = checksOf(subjectOf(proxy));

  describe(`behind ${proxy.name}`, () => {
    let server: ClientsServer;
    let running: RunningProxy;
    let site: Site;

    beforeAll(async () => {
      server = await startServer({ heartbeat: HEARTBEAT });
      running = await startProxy(proxy, server.port, { impatient: true });
      site = { port: running.port, tls: false } as Site;
    });
    afterAll(async () => {
      await running?.stop();
      await server?.close();
    });
    /** The next end of a websocket on the server. */
    const end = async () => (await server.visits.next('end of a websocket')).end;

    check('echo', 'a route answers HTTP and a websocket, text, binary data and 1 MiB', async () => {
      expect(await request(site, '/echo')).toMatchObject({ status: 400 });
      const client = await connect(site, '/echo', { protocols: ['superchat', 'chat'] });
      expect(client.ws.protocol).toBe('chat');
      const large = Buffer.alloc(2 ** 20, 'large');
      client.send('Grüße, 世界 👋', Buffer.from([0, 1, 255]), large);
      expect(await client.take(2)).toEqual(['Grüße, 世界 👋', Buffer.from([0, 1, 255])]);
      expect(large.equals((await client.next()) as Buffer)).toBe(true);
      await client.close(1000);
      const visit = await server.visits.next('end of a websocket');
      expect(visit.client).toEqual({ ip: '127.0.0.1', protocol: 'http' });
    });

    check('echo', 'pages of the proxy’s own host get in, and those of another site get 403', async () => {
      const own = await connect(site, '/echo', { origin: `http://127.0.0.1:${site.port}` });
      own.send('hello');
      expect(await own.next()).toBe('hello');
      await own.close(1000);
      await end();
      const warnings = watchWarnings();
      const foreign = await requestUpgrade(site, '/echo', { origin: 'https://evil.test' });
      expect(foreign.status).toBe(403);
      expect(foreign.body).toContain(`the host of this request is "127.0.0.1:${site.port}"`);
      expect((await warnings.next('warning')).code).toBe('WEBSOCKET_ORIGIN');
    });

    check('refusal', 'a refusal reaches the client with its status and its body', async (see) => {
      const { status, body } = await requestUpgrade(site, '/refused');
      expect([status, body]).toEqual([401, REFUSAL]);
      see('status and body');
    });

    check('close', 'both sides see the code and the reason of the other', async () => {
      const client = await connect(site, '/echo');
      await client.close(4001, 'bye');
      expect(await end()).toEqual({ code: 4001, reason: 'bye', wasClean: true });
      const leaving = await connect(site, '/goodbye');
      expect(await leaving.closed()).toEqual({ code: 4002, reason: 'später' });
      expect(await end()).toMatchObject({ code: 4002, wasClean: true });
    });

    check('lost connection', 'the server notices a client that is gone', async () => {
      const client = await connect(site, '/echo');
      await client.vanish();
      expect(await end()).toMatchObject({ code: 1006, wasClean: false });
    });

    check('lost connection', 'the heartbeat ends a client that answers no pings', async () => {
      await connect(site, '/echo', { autoPong: false });
      expect(await end()).toMatchObject({ code: 1006, wasClean: false });
    });

    check('lost connection', 'the client sees 1006 when the server drops its connection', async (see) => {
      const client = await connect(site, '/lost');
      client.send('lose me');
      expect((await client.closed()).code).toBe(1006);
      await end();
      see('`1006`');
    });

    check('compression', 'is agreed on between the client and the app', async () => {
      const client = await connect(site, '/compressed', { perMessageDeflate: true });
      expect(client.ws.extensions).toContain('permessage-deflate');
      client.send(Buffer.alloc(100_000));
      expect(await client.next()).toEqual(Buffer.alloc(100_000));
      await client.close(1000);
      const { read, written } = await server.visits.next('end of a websocket');
      expect(Math.max(read, written)).toBeLessThan(10_000);
    });

    check(
      'ping',
      'the heartbeat keeps an idle websocket open beyond the time-out of the proxy',
      async (see) => {
        const client = await connect(site, '/echo');
        // Twice that time-out, at least.
        await waitForPings(client, Math.ceil(4_000 / HEARTBEAT) + 1);
        client.send('still here');
        expect(await client.next()).toBe('still here');
        await client.close(1000);
        await end();
        see('keeps it open');
      },
    );

    if (proxy.endsIdle)
      check('ping', 'without the heartbeat the proxy ends it', async (see) => {
        const client = await connect(site, '/without-heartbeat');
        expect((await client.closed()).code).toBe(1006);
        expect(await end()).toMatchObject({ wasClean: false });
        see('keeps it open');
      });

    check('close', 'a server that closes closes websockets with 1001', async (see) => {
      const client = await connect(site, '/echo');
      const closed = once(server.server, 'close');
      server.server.close();
      expect((await client.closed()).code).toBe(1001);
      await server.close();
      await closed;
      see('yes');
    });
  });
}

/** Resolves when so many pings have come. */
async function waitForPings(client: Client, count: number): Promise<void> {
  const pings = new Inbox<true>();
  client.ws.on('ping', () => pings.push(true));
  for (let i = 0; i < count; i++) await pings.next('ping');
}
