import { connect, type NatsConnection } from '@nats-io/transport-node';
import { createGroups } from 'dwebsocket/groups';
import { natsBackplane, type NatsBackplaneOptions } from 'dwebsocket/groups/nats';
import { backplaneContract } from 'dwebsocket/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import { subjectOf } from '../../src/groups/nats/subject.js';
import { within } from '../support/inbox.js';
import { FakeMember } from './support/members.js';
import { hasNats, NatsServer } from './support/nats-server.js';
import { Proxy } from './support/proxy.js';
import { RecordedEvents } from './support/recorded-events.js';

const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasNats)('over NATS', () => {
  let server: NatsServer;
  const open: NatsConnection[] = [];

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterAll(async () => {
    await Promise.all(open.map((connection) => connection.close()));
    await server.stop();
  });

  backplaneContract('natsBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    async create() {
      const connection = await connect({
        servers: server.url,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
      });
      open.push(connection);
      return natsBackplane(connection, { timeout: 3_000, maxBuffered: MAX_BUFFERED });
    },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    outage: { begin: () => server.kill(), end: () => server.begin() },
  });
});

describe.runIf(hasNats)('groups over NATS', { timeout: 60_000 }, () => {
  async function startServer(config = ''): Promise<NatsServer> {
    const server = await NatsServer.start(config);
    onTestFinished(() => server.stop());
    return server;
  }

  async function open(servers: string, more: object = {}): Promise<NatsConnection> {
    const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100, ...more });
    onTestFinished(() => connection.close());
    return connection;
  }

  async function join(url: string, options: NatsBackplaneOptions & { user?: string } = {}) {
    const { user, ...rest } = options;
    const connection = await open(url, user === undefined ? {} : { user, pass: user });
    const groups = createGroups({ backplane: natsBackplane(connection, { timeout: 3_000, ...rest }) });
    onTestFinished(() => groups.close());
    const member = new FakeMember();
    const isIn = await within(groups.group('a').add(member), 'add');
    return { connection, groups, group: groups.group('a'), member, isIn, events: new RecordedEvents(groups) };
  }

  test('count the messages that a member missed while it was cut off', async () => {
    const server = await startServer();
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const [here, there] = [await join(server.url), await join(`nats://127.0.0.1:${proxy.port}`)];
    await here.group.send('1');
    expect(await there.member.inbox.next()).toBe('1');
    proxy.target = await findFreePort();
    proxy.cut();
    expect((await there.events.cutOff()).message).toMatch(/the connection to NATS is lost/);
    for (const text of ['2', '3', '4']) expect((await here.group.send(text)).backplane).toBe(true);
    proxy.target = server.port;
    await there.events.back();
    await here.group.send('5');
    expect(await there.member.inbox.next()).toBe('5');
    await vi.waitFor(() => expect(there.events.missed).toEqual([{ group: 'a', count: 3 }]));
  });

  test('notice a server that does not answer, and one that answers again', async () => {
    const server = await startServer();
    const { group, events } = await join(server.url, { timeout: 2_000 });
    server.freeze();
    expect((await events.cutOff()).message).toMatch(/NATS has not answered for 2000 ms/);
    expect(await group.send('in the outage')).toMatchObject({ backplane: false });
    server.thaw();
    await events.back(30_000);
    expect(await group.send('afterwards')).toMatchObject({ backplane: true });
  });

  test('report what the server refuses: messages, subscriptions, and both with advice', async () => {
    const server = await startServer(`authorization { users = [
      { user: all, password: all }
      { user: mute, password: mute, permissions: { publish: "other" } }
      { user: deaf, password: deaf, permissions: { subscribe: "other" } }
    ] }`);
    const [all, mute] = [await join(server.url, { user: 'all' }), await join(server.url, { user: 'mute' })];
    const results = await Promise.all(Array.from({ length: 3 }, () => mute.group.send('secret')));
    for (const { backplane, error } of results) {
      expect(backplane).toBe(false);
      expect(error).toMatchObject({
        code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED',
        message: expect.stringMatching(/Permissions Violation.*allow the NATS user/i),
      });
    }
    expect(await all.group.send('hello')).toMatchObject({ backplane: true });
    expect(await mute.member.inbox.next()).toBe('secret');
    expect(mute.groups.isCutOff()).toBe(false);

    const connection = await open(server.url, { user: 'deaf', pass: 'deaf' });
    const groups = createGroups({ backplane: natsBackplane(connection) });
    onTestFinished(() => groups.close());
    const events = new RecordedEvents(groups);
    expect(await groups.group('a').add(new FakeMember())).toBe(false);
    expect((await events.refused.next()).message).toMatch(/Permissions Violation for Subscription/i);
  });

  test('respect the limit of the server', async () => {
    const server = await startServer('max_payload: 2000');
    const { group } = await join(server.url);
    expect(await group.send('x'.repeat(2_000))).toMatchObject({
      backplane: false,
      error: { code: 'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE', message: expect.stringContaining('max_payload') },
    });
    expect(await group.send('x'.repeat(1_900))).toMatchObject({ backplane: true });
  });

  test('say that a closed connection stays closed, and close at once', async () => {
    const server = await startServer();
    const { connection, groups, group, events } = await join(server.url);
    await connection.close();
    expect((await events.cutOff()).message).toMatch(/closed.*maxReconnectAttempts: -1/);
    expect(await group.send('a')).toMatchObject({ backplane: false });
    await within(groups.close(), 'close');
  });

  test('leave the connection open when they close', async () => {
    const server = await startServer();
    const { connection, groups } = await join(server.url);
    await groups.close();
    expect(connection.isClosed()).toBe(false);
    await connection.flush();
  });

  test('with different prefixes do not meet', async () => {
    const server = await startServer();
    const [here, there] = [
      await join(server.url, { prefix: 'one' }),
      await join(server.url, { prefix: 'two' }),
    ];
    await here.group.send('of one');
    await there.group.send('of two');
    await there.connection.flush();
    expect([here.member.got, there.member.got]).toEqual([['of one'], ['of two']]);
  });

  test('bound what waits for the server', async () => {
    const server = await startServer();
    const { group } = await join(server.url, { maxBuffered: 100_000 });
    const results = await Promise.all(Array.from({ length: 200 }, () => group.send('x'.repeat(1_000))));
    const accepted = results.filter(({ backplane }) => backplane === true).length;
    expect(accepted).toBeGreaterThan(30);
    expect(accepted).toBeLessThan(60);
    expect(results.at(-1)).toMatchObject({ error: { code: 'ERR_WEBSOCKET_BACKPLANE_FULL' } });
  });
});

test('plain names stay readable in subjects, and all others become a hash', () => {
  expect(subjectOf('app', 'order:42')).toBe('app.group.order:42');
  const odd = ['', ' ', 'a.b', '*', '>', 'a\r\nb', '~', 'é', 'x'.repeat(201)].map((name) =>
    subjectOf('app', name),
  );
  for (const subject of odd) expect(subject).toMatch(/^app\.group\.~[\w-]{43}$/);
  expect(new Set(odd).size).toBe(odd.length);
});

test('natsBackplane() checks its arguments', () => {
  expect(() => natsBackplane({} as never)).toThrow(/takes the connection of "@nats-io\/transport-node"/);
  expect(() => natsBackplane(Promise.resolve({}) as never)).toThrow(/await the connection first/);
  expect(() => natsBackplane(undefined as never)).toThrow(TypeError);
});
