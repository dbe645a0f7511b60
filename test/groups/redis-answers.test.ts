import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Groups, RedisClient } from 'dwebsocket/groups';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import { backplaneKinds, type BackplaneKind, join, newestKinds, streams } from './support/joining.js';
import { FakeMember } from './support/members.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

// Error replies of Redis, and the protocol versions of its clients.

const TIMEOUT = 1_500;

async function sendAndReceive(one: { groups: Groups }, other: { member: FakeMember }, text: string) {
  expect(await one.groups.group('a').send(text)).toMatchObject({ backplane: true });
  while ((await other.member.inbox.next()) !== text);
}

describe.runIf(hasRedis).each(newestKinds)('$backplane over $name', { timeout: 60_000 }, (kind) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(['--repl-diskless-sync-delay', '0']);
  });

  afterAll(() => server.stop());

  const isStream = kind.backplane === streams.backplane;
  const openTwo = async (url = server.url) =>
    [await join(kind, url, { timeout: TIMEOUT }), await join(kind, url, { timeout: TIMEOUT })] as const;

  test('without memory (OOM) streams fail with advice, and pub/sub still works', async () => {
    const [here, there] = await openTwo();
    await sendAndReceive(here, there, 'before');
    server.cli('CONFIG', 'SET', 'maxmemory', '1');
    onTestFinished(() => void server.cli('CONFIG', 'SET', 'maxmemory', '0'));
    for (const group of ['a', 'a group without messages']) {
      const sent = await here.groups.group(group).send('without memory');
      if (isStream) {
        expect(sent).toMatchObject({ backplane: false, error: { code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED' } });
        expect(sent.error?.message).toMatch(/OOM.*raise maxmemory, or lower maxLength and maxBytes/);
      } else {
        expect(sent).toMatchObject({ backplane: true });
      }
    }
    server.cli('CONFIG', 'SET', 'maxmemory', '0');
    await sendAndReceive(here, there, 'after');
    expect(here.groups.isCutOff()).toBe(false);
  });

  test("with too few replicas streams keep messages and emit 'cutOff', and pub/sub still works", async () => {
    const [here, there] = await openTwo();
    await sendAndReceive(here, there, 'before');
    server.cli('CONFIG', 'SET', 'min-replicas-to-write', '1');
    onTestFinished(() => void server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0'));
    if (isStream) {
      expect((await here.events.cutOff()).message).toMatch(/NOREPLICAS/);
      expect(await here.groups.group('a').send('kept')).toMatchObject({ backplane: 'later' });
    } else {
      await sendAndReceive(here, there, 'goes on');
      expect(here.groups.isCutOff()).toBe(false);
    }
    server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0');
    if (isStream) await here.events.back();
    if (isStream) while ((await there.member.inbox.next()) !== 'kept');
    await sendAndReceive(here, there, 'after');
  });

  test('a script that runs for a long time loses no message', async () => {
    const [here, there] = await openTwo();
    await sendAndReceive(here, there, 'before');
    server.cli('CONFIG', 'SET', 'busy-reply-threshold', '50');
    const busy = server.run(
      'EVAL',
      'local t = redis.call("TIME") repeat local n = redis.call("TIME") until n[1] - t[1] >= 2',
      '0',
    );
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => here.groups.group('a').send(String(index))),
    );
    await busy;
    const taken = results.filter(({ backplane }) => backplane !== false).length;
    await expect.poll(async () => (await here.groups.group('a').send('after')).backplane).toBe(true);
    while ((await there.member.inbox.next()) !== 'after');
    const numbers = there.member.got.filter((text) => /^\d+$/.test(String(text))).map(Number);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    if (isStream) expect(numbers).toHaveLength(taken);
  });

  test('a Redis user with only the documented permissions can use all features', async () => {
    const rights = isStream
      ? [
          '+subscribe',
          '+unsubscribe',
          '+publish',
          '+eval',
          '+evalsha',
          '+xadd',
          '+xrange',
          '+xrevrange',
          '+xdel',
          '+del',
          '+pexpire',
          '+time',
        ]
      : ['+subscribe', '+unsubscribe', '+publish', '+del'];
    const own = ['+hello', '+auth', '+client', '+ping', '+info'];
    server.cli(
      'ACL',
      'SETUSER',
      'app',
      'reset',
      'resetchannels',
      'on',
      '>pw',
      '~dwebsocket:*',
      '&dwebsocket:*',
      ...rights,
      ...own,
    );
    const [here, there] = await openTwo(server.url.replace('//', '//app:pw@'));
    await sendAndReceive(here, there, 'hello');
    server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await Promise.all([here.events.cutOff(), there.events.cutOff()]);
    await Promise.all([here.events.back(), there.events.back()]);
    await sendAndReceive(here, there, 'after an outage');
  });

  test('a Redis user without permission for some groups receives messages of the others, also after an outage', async () => {
    const patterns = ['&dwebsocket:probe:*', '&dwebsocket:group:a', '&dwebsocket:group:b', '~dwebsocket:*'];
    server.cli('ACL', 'SETUSER', 'some', 'reset', 'resetchannels', 'on', '>pw', '+@all', ...patterns);
    const [here] = await openTwo(server.url.replace('//', '//some:pw@'));
    const there = await join(kind, server.url, { timeout: TIMEOUT });
    const [allowed, forbidden] = [new FakeMember(), new FakeMember()];
    const joining = [here.groups.group('secret').add(forbidden), here.groups.group('b').add(allowed)];
    expect(await Promise.all(joining)).toEqual([false, true]);
    expect((await here.events.refused.next()).message).toMatch(/"secret".*NOPERM.*ACL SETUSER/);
    await sendAndReceive(there, here, 'hello');
    server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await here.events.cutOff();
    await here.events.back();
    await there.events.back();
    await there.groups.group('secret').send('secret');
    await there.groups.group('b').send('for all');
    expect(await allowed.inbox.next()).toBe('for all');
    expect(forbidden.got).toEqual([]);
  });

  test('commands wait while Redis is loading its data', async () => {
    const slow = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    onTestFinished(() => slow.stop());
    const [here, there] = await openTwo(slow.url);
    await sendAndReceive(here, there, 'before');
    for (let part = 0; part < 4; part++) {
      slow.cli('EVAL', 'for n = 1, 250 do redis.call("SET", ARGV[1] .. n, "x") end', '0', String(part));
    }
    await slow.kill();
    await Promise.all([here.events.cutOff(), there.events.cutOff()]);
    const kept = here.groups.group('a').send('meanwhile');
    // Loading takes a millisecond for each key.
    await slow.begin(['--key-load-delay', '1000'], 'Server initialized');
    expect((await kept).backplane).toBe(isStream ? 'later' : false);
    await Promise.all([here.events.back(), there.events.back()]);
    await sendAndReceive(here, there, 'after');
    expect(there.member.got).toEqual(isStream ? ['before', 'meanwhile', 'after'] : ['before', 'after']);
  });
});

/** The protocol versions that each client supports. */
const ways: {
  way: string;
  open: (port: number, tls: number, ca: string) => { client: RedisClient; end: () => void };
}[] = [
  ...[2, 3].flatMap((version) => [
    {
      way: `RESP${version} with redis 6`,
      open: (port: number) =>
        openNodeRedis(createClient({ url: `redis://127.0.0.1:${port}`, RESP: version as 2 })),
    },
    {
      way: `RESP${version} with redis 5`,
      open: (port: number) =>
        openNodeRedis(createClient5({ url: `redis://127.0.0.1:${port}`, RESP: version as 2 }) as never),
    },
    {
      way: `RESP${version} with ioredis 6`,
      open: (port: number) => openIoredis(new Redis({ port, protocol: version as 2 })),
    },
  ]),
  {
    way: 'TLS with redis 6',
    open: (_port, tls, ca) =>
      openNodeRedis(createClient({ socket: { host: 'localhost', port: tls, tls: true, ca } })),
  },
  {
    way: 'TLS with ioredis 6',
    open: (_port, tls, ca) => openIoredis(new Redis({ host: 'localhost', port: tls, tls: { ca } })),
  },
  {
    way: 'TLS with ioredis 5',
    open: (_port, tls, ca) =>
      openIoredis(new Redis5({ host: 'localhost', port: tls, tls: { ca } }) as unknown as Redis),
  },
];

function openNodeRedis(client: ReturnType<typeof createClient>) {
  client.on('error', () => {});
  client.connect().catch(() => {});
  return { client: client as unknown as RedisClient, end: () => client.destroy() };
}

function openIoredis(client: Redis) {
  client.on('error', () => {});
  return { client: client as unknown as RedisClient, end: () => client.disconnect() };
}

const wayKinds = ways.flatMap((way) =>
  backplaneKinds.map((backplane: BackplaneKind) => ({ ...way, ...backplane })),
);

describe.runIf(hasRedis)('groups over', { timeout: 60_000 }, () => {
  const file = (name: string) => fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url));
  let server: RedisServer;
  let tls: number;

  beforeAll(async () => {
    tls = await findFreePort();
    const files = ['--tls-cert-file', file('certificate.pem'), '--tls-key-file', file('key.pem')];
    server = await RedisServer.start(['--tls-port', String(tls), '--tls-auth-clients', 'no', ...files]);
  });

  afterAll(() => server.stop());

  test.each(wayKinds)(
    '$way: $backplane delivers messages, and recovers after an outage',
    async ({ open, ...backplane }) => {
      const ca = readFileSync(file('certificate.pem'), 'utf8');
      const connect = () => Promise.resolve(open(server.port, tls, ca));
      const [here, there] = [
        await join({ connect, ...backplane }, '', { timeout: TIMEOUT }),
        await join({ connect, ...backplane }, '', { timeout: TIMEOUT }),
      ];
      const bytes = Buffer.from([0, 255, 13, 10, 128]);
      await sendAndReceive(here, there, 'é 你好 😀');
      await here.groups.group('a').send(bytes);
      expect(await there.member.inbox.next()).toEqual(bytes);
      server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await Promise.all([here.events.cutOff(), there.events.cutOff()]);
      await Promise.all([here.events.back(), there.events.back()]);
      await sendAndReceive(there, here, 'back');
    },
  );
});
