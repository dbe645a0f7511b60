import { once } from 'node:events';
import {
  type Backplane,
  createGroups,
  type Groups,
  redisBackplane,
  type RedisClient,
  redisStreamBackplane,
} from 'dwebsocket/groups';
import { Redis } from 'ioredis';
import { createClient, createClientPool } from 'redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import { within } from '../support/inbox.js';
import { watchWarnings } from '../support/warnings.js';
import { clientKinds } from './support/clients.js';
import { FakeMember } from './support/members.js';
import { Proxy } from './support/proxy.js';
import { RecordedEvents } from './support/recorded-events.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

/** Clients of both packages without an 'error' listener. */
const makes = [
  {
    make: 'redis',
    open(url: string): RedisClient & { ping(): Promise<string> } {
      const client = createClient({ url });
      client.connect().catch(() => {});
      onTestFinished(() => {
        if (client.isOpen) client.destroy();
      });
      return client;
    },
  },
  {
    make: 'ioredis',
    open(url: string): RedisClient & { ping(): Promise<string> } {
      const client = new Redis(url);
      onTestFinished(() => {
        client.disconnect();
      });
      return client;
    },
  },
];

function makeGroups(backplane: Backplane): { groups: Groups; events: RecordedEvents } {
  const groups = createGroups({ backplane });
  onTestFinished(() => groups.close());
  return { groups, events: new RecordedEvents(groups) };
}

describe('a value that is not a Redis client', () => {
  test('throws, and the error says what to pass', () => {
    for (const value of [undefined, null, 'redis://127.0.0.1', {}, createClientPool()]) {
      expect(() => redisBackplane(value as never)).toThrow(/redisBackplane\(\) takes the client of "redis"/);
      expect(() => redisStreamBackplane(value as never, { maxLength: 10 })).toThrow(TypeError);
    }
  });

  test('a sentinel client that cannot be duplicated throws, and the error names clients that can', async () => {
    const { createSentinel } = await import('redis5');
    const client = createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] });
    expect(() => redisBackplane(client as never)).toThrow(
      /cannot duplicate a sentinel client; use "redis" 6, or "ioredis"/,
    );
  });

  test('options are checked', () => {
    const client = createClient();
    expect(() => redisBackplane(client, { prefix: '' })).toThrow(RangeError);
    expect(() => redisBackplane(client, { prefix: '{a}' })).toThrow(/braces/);
    expect(() => redisBackplane(client, { timeout: 0 })).toThrow(RangeError);
    expect(() => redisBackplane(client, { maxPayload: '1' as never })).toThrow(TypeError);
    expect(() => redisBackplane(client, { maxLength: 1 } as never)).toThrow(
      /unknown option "maxLength"; known/,
    );
    expect(() => redisStreamBackplane(client, {} as never)).toThrow(
      /option "maxLength" must be a whole number/,
    );
    expect(() => redisStreamBackplane(client, { maxLength: 0 })).toThrow(RangeError);
    client.destroy();
  });

  test('a prefix that could give the names of another app throws', () => {
    const client = createClient();
    for (const prefix of ['a:group:b', 'a:group', 'a\ud800']) {
      expect(() => redisBackplane(client, { prefix })).toThrow(RangeError);
    }
    for (const prefix of ['a:groups', 'group', '😀'])
      expect(() => redisBackplane(client, { prefix })).not.toThrow();
    client.destroy();
    for (const keyPrefix of [Buffer.from([0xff]), 'a\udfff']) {
      const other = new Redis({ lazyConnect: true, keyPrefix: keyPrefix as string });
      expect(() => redisBackplane(other)).toThrow(/keyPrefix of the client must be UTF-8/);
      other.disconnect();
    }
  });

  test('a second createGroups() with the same backplane throws', async () => {
    const client = createClient();
    const backplane = redisBackplane(client);
    const { groups } = makeGroups(backplane);
    expect(() => createGroups({ backplane })).toThrow(/serves one createGroups/);
    await groups.close();
  });
});

describe.each(makes)('$make without a running Redis', ({ open }) => {
  test('the app still runs, and the error says what to check', async () => {
    const url = `redis://127.0.0.1:${await findFreePort()}`;
    const { groups, events } = makeGroups(redisBackplane(open(url)));
    const member = new FakeMember();
    const adding = groups.group('a').add(member);
    const sending = groups.group('a').send('here');
    expect(member.got).toEqual(['here']);
    expect(await events.cutOff()).toMatchObject({
      code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF',
      message: expect.stringMatching(/ECONNREFUSED.*check the URL/),
    });
    expect([await adding, await sending]).toMatchObject([false, { local: 1, backplane: false }]);
    // Later calls get the same error.
    expect(await groups.group('a').send('here')).toMatchObject({
      backplane: false,
      error: {
        code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF',
        message: expect.stringMatching(/ECONNREFUSED.*check the URL/),
      },
    });
  });
});

describe.runIf(hasRedis).each(makes)('over $make', ({ open }) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(['--proto-max-bulk-len', '1mb']);
  });

  afterAll(() => server.stop());

  /** Groups as in two processes. */
  function openTwo(options: Parameters<typeof redisBackplane>[1] = {}) {
    const here = makeGroups(redisBackplane(open(server.url), options));
    const there = makeGroups(redisBackplane(open(server.url), options));
    return { here, there };
  }

  test('a missing password is reported', async () => {
    server.cli('CONFIG', 'SET', 'requirepass', 'secret');
    onTestFinished(() => void server.cli('-a', 'secret', 'CONFIG', 'SET', 'requirepass', ''));
    const { events } = makeGroups(redisBackplane(open(server.url)));
    expect((await events.cutOff()).message).toMatch(/NOAUTH.*check user and password/);
  });

  test('a Redis user without permission for our channels gets an error that names them', async () => {
    server.cli('ACL', 'SETUSER', 'guest', 'on', '>pw', '~*', '+@all', 'resetchannels');
    const { events } = makeGroups(redisBackplane(open(server.url.replace('//', '//guest:pw@'))));
    expect((await events.cutOff()).message).toMatch(/NOPERM.*ACL SETUSER/);
  });

  test('a message above maxPayload stays in this process and is reported, and others are still sent', async () => {
    const { here, there } = openTwo({ maxPayload: 1_000 });
    const [near, far] = [new FakeMember(), new FakeMember()];
    await here.groups.group('a').add(near);
    expect(await there.groups.group('a').add(far)).toBe(true);
    const large = 'x'.repeat(1_001);
    expect(await here.groups.group('a').send(large)).toMatchObject({
      local: 1,
      backplane: false,
      error: {
        code: 'ERR_WEBSOCKET_BACKPLANE_TOO_LARGE',
        message: expect.stringContaining('raise maxPayload of the backplane'),
      },
    });
    expect(await here.groups.group('a').send('small')).toMatchObject({ backplane: true });
    expect(await far.inbox.next()).toBe('small');
    expect(near.got).toEqual([large, 'small']);
  });

  test('a message that Redis refuses is reported, and groups recover', async () => {
    const { here, there } = openTwo({ maxPayload: 2 ** 22 });
    const far = new FakeMember();
    expect(await there.groups.group('a').add(far)).toBe(true);
    const sent = await here.groups.group('a').send('x'.repeat(2 ** 21));
    expect(sent).toMatchObject({ local: 0, backplane: false, error: expect.any(Error) });
    await here.events.cutOff();
    await here.events.back();
    expect(await here.groups.group('a').send('small')).toMatchObject({ backplane: true });
    expect(await far.inbox.next()).toBe('small');
  });

  test('a subscriber that Redis disconnects for a full output buffer reconnects', async () => {
    const { there } = openTwo();
    const far = new FakeMember();
    expect(await there.groups.group('a').add(far)).toBe(true);
    server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    expect((await there.events.cutOff()).message).toMatch(/cut off/);
    await there.events.back();
    expect(await there.groups.group('a').add(far)).toBe(true);
  });

  test('only groups with members are subscribed, and close() closes our connections', async () => {
    const client = open(server.url);
    const { groups } = makeGroups(redisBackplane(client, { prefix: 'mine' }));
    const channels = () =>
      server.cli('PUBSUB', 'CHANNELS', 'mine:group:*').split('\n').filter(Boolean).sort();
    const [one, two] = [new FakeMember(), new FakeMember()];
    await groups.group('a').add(one);
    await groups.group('b').add(two);
    await groups.group('c').send('to nobody');
    expect(channels()).toEqual(['mine:group:a', 'mine:group:b']);
    one.leave();
    await one.closed;
    // Redis executes the commands of one connection in order.
    expect(await groups.group('b2').add(two)).toBe(true);
    expect(channels()).toEqual(['mine:group:b', 'mine:group:b2']);
    await groups.close();
    await expect.poll(() => server.cli('PUBSUB', 'CHANNELS', 'mine:*')).toBe('');
    expect(await client.ping()).toBe('PONG');
  });

  test("two apps with different prefixes do not receive each other's messages", async () => {
    const one = makeGroups(redisBackplane(open(server.url), { prefix: 'one' }));
    const two = makeGroups(redisBackplane(open(server.url), { prefix: 'two' }));
    const [atOne, atTwo] = [new FakeMember(), new FakeMember()];
    await one.groups.group('a').add(atOne);
    await two.groups.group('a').add(atTwo);
    expect(await one.groups.group('a').send('from one')).toMatchObject({ backplane: true });
    expect(await two.groups.group('a').send('from two')).toMatchObject({ backplane: true });
    expect([atOne.got, atTwo.got]).toEqual([['from one'], ['from two']]);
  });

  test("a message of another program is ignored and emits 'refused'", async () => {
    const warnings = watchWarnings();
    const { here } = openTwo();
    const member = new FakeMember();
    await here.groups.group('a').add(member);
    server.cli('PUBLISH', 'dwebsocket:group:a', 'I am somebody else');
    expect((await here.events.refused.next()).message).toMatch(/group "a": dwebsocket did not send it/);
    expect([member.got, warnings.rest()]).toEqual([[], []]);
  });

  test('the message of a script that connects, sends and ends arrives', async () => {
    const { there } = openTwo();
    const far = new FakeMember();
    expect(await there.groups.group('a').add(far)).toBe(true);
    const groups = createGroups({ backplane: redisBackplane(open(server.url)) });
    const sending = groups.group('a').send('paid');
    await groups.close();
    expect(await sending).toMatchObject({ backplane: true });
    expect(await far.inbox.next()).toBe('paid');
  });

  test('group.close() reaches the members of other processes', async () => {
    const { here, there } = openTwo();
    const [near, far] = [new FakeMember(), new FakeMember()];
    await here.groups.group('a').add(near);
    expect(await there.groups.group('a').add(far)).toBe(true);
    expect(await here.groups.group('a').close(4003, 'banned')).toMatchObject({ local: 1, backplane: true });
    await far.closed;
    expect([near.closes, far.closes]).toEqual([[[4003, 'banned']], [[4003, 'banned']]]);
  });
});

describe.runIf(hasRedis)('a client that connects while messages wait for it', () => {
  test.each([
    ['redis', (url: string) => createClient({ url })],
    ['ioredis', (url: string) => new Redis(url, { lazyConnect: true })],
  ])('of %s sends them first', async (make, create) => {
    const server = await RedisServer.start();
    onTestFinished(() => server.stop());
    const opened = makes.find((each) => each.make === make)!.open(server.url);
    const there = makeGroups(redisBackplane(opened));
    const far = new FakeMember();
    expect(await there.groups.group('a').add(far)).toBe(true);
    const client = create(server.url);
    onTestFinished(() => {
      if ('destroy' in client) client.destroy();
      else client.disconnect();
    });
    const here = makeGroups(redisBackplane(client));
    const early = here.groups.group('a').send('early');
    await client.connect();
    // The client is ready, and the waiting messages do not know it yet.
    const late = here.groups.group('a').send('late');
    expect([await early, await late]).toMatchObject([{ backplane: true }, { backplane: true }]);
    expect([await far.inbox.next(), await far.inbox.next()]).toEqual(['early', 'late']);
  });
});

describe.runIf(hasRedis)('groups.close() while our connection is being opened', () => {
  test.each(clientKinds.filter(({ name }) => name.startsWith('redis')))(
    'closes that connection with a client of $name',
    async ({ connect }) => {
      const server = await RedisServer.start();
      onTestFinished(() => server.stop());
      const proxy = await Proxy.start(server.port);
      onTestFinished(() => proxy.stop());
      const { client, end } = await connect(proxy.url);
      onTestFinished(end);
      const { groups } = makeGroups(redisBackplane(client));
      await groups.close();
      const connection = await within(proxy.accept(1), 'connection');
      if (!connection.destroyed) await within(once(connection, 'close'), 'close of the connection');
    },
  );
});

describe.runIf(hasRedis)('a client that was never connected', () => {
  test.each([
    ['redis', (url: string) => createClient({ url })],
    ['ioredis', (url: string) => new Redis(url, { lazyConnect: true })],
  ])('of %s gives an error that names the missing call', async (_make, create) => {
    const server = await RedisServer.start();
    onTestFinished(() => server.stop());
    const { groups, events } = makeGroups(redisBackplane(create(server.url), { timeout: 100 }));
    expect((await events.cutOff()).message).toMatch(/call "await client\.connect\(\)"/);
    const { error } = await groups.group('a').send('x');
    expect(error?.message).toMatch(/call "await client\.connect\(\)"/);
    await groups.close();
  });
});

describe.runIf(hasRedis)('a keyPrefix of the client', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  test.each([
    ['redisBackplane', (client: RedisClient) => redisBackplane(client)],
    ['redisStreamBackplane', (client: RedisClient) => redisStreamBackplane(client, { maxLength: 10 })],
  ])('does not break %s', async (_name, create) => {
    const connect = () => {
      const client = new Redis(server.url, { keyPrefix: 'app:' });
      onTestFinished(() => {
        client.disconnect();
      });
      return client;
    };
    const here = makeGroups(create(connect()));
    const there = makeGroups(create(connect()));
    const far = new FakeMember();
    expect(await there.groups.group('a').add(far)).toBe(true);
    expect(await here.groups.group('a').send('hello')).toMatchObject({ backplane: true });
    expect(await far.inbox.next()).toBe('hello');
    expect(server.cli('PUBSUB', 'CHANNELS', 'app:dwebsocket:group:a')).toBe('app:dwebsocket:group:a');
  });
});
