import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { createGroups, redisBackplane, type RedisClient, redisStreamBackplane } from 'dwebsocket/groups';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { within } from '../support/inbox.js';
import { clientKinds } from './support/clients.js';
import { FakeMember } from './support/members.js';
import { Proxy } from './support/proxy.js';
import { RecordedEvents } from './support/recorded-events.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

/** Longer than a busy machine pauses a process: a late reply would count as another outage. */
const TIMEOUT = 3_000;
/** For tests that wait until this time is over. */
const SHORT = 2_000;

const newest = clientKinds.filter(({ name }) => name.endsWith(' 6'));

describe.runIf(hasRedis).each(newest)('over $name', { timeout: 60_000 }, ({ connect }) => {
  let server: RedisServer;
  let args: string[] = [];

  beforeEach(async () => {
    server = await RedisServer.start(args);
  });

  afterEach(() => server.stop());

  async function open(url: string): Promise<RedisClient> {
    const { client, end } = await connect(url);
    onTestFinished(end);
    return client;
  }

  async function joinPubSub({ url = server.url, timeout = TIMEOUT } = {}) {
    const groups = createGroups({ backplane: redisBackplane(await open(url), { timeout }) });
    onTestFinished(() => groups.close());
    const member = new FakeMember();
    expect(await groups.group('a').add(member)).toBe(true);
    return { group: groups.group('a'), groups, member, events: new RecordedEvents(groups) };
  }

  /** Opens two groups that reach each other, one of them over a network that can fail. */
  async function joinOverProxy({ timeout = TIMEOUT } = {}) {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const [here, there] = [await joinPubSub({ url: proxy.url, timeout }), await joinPubSub()];
    const [sending, listening] = proxy.connections as [Socket, Socket];
    return { proxy, sending, listening, here, there };
  }

  async function joinStream({ maxLength = 10_000, maxAge = 60_000 } = {}) {
    const options = { timeout: TIMEOUT, maxLength, maxAge };
    const groups = createGroups({ backplane: redisStreamBackplane(await open(server.url), options) });
    onTestFinished(() => groups.close());
    const member = new FakeMember();
    expect(await groups.group('a').add(member)).toBe(true);
    return { group: groups.group('a'), groups, member, events: new RecordedEvents(groups) };
  }

  describe('redisBackplane', () => {
    test('when Redis is killed, groups still work in this process, and in all processes after its restart', async () => {
      const [here, there] = [await joinPubSub(), await joinPubSub()];
      await server.kill();
      await Promise.all([here.events.cutOff(), there.events.cutOff()]);
      expect(await here.group.send('in the dark')).toMatchObject({ local: 1, backplane: false });
      await server.begin();
      await Promise.all([here.events.back(), there.events.back()]);
      expect(await here.group.send('in the light')).toMatchObject({ local: 1, backplane: true });
      expect(await there.member.inbox.next()).toBe('in the light');
      expect(here.member.got).toEqual(['in the dark', 'in the light']);
    });

    test('when Redis does not answer, send reports it in time', async () => {
      const here = await joinPubSub({ timeout: SHORT });
      server.freeze();
      const sent = await here.group.send('x');
      expect(sent).toMatchObject({
        local: 1,
        backplane: false,
        error: { code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF' },
      });
      expect(sent.error!.message).toMatch(/has not answered for 2000 ms/);
      await here.events.cutOff();
      expect(await here.group.send('y')).toMatchObject({ backplane: false });
      expect(await within(here.groups.group('b').add(new FakeMember()), 'add')).toBe(false);
      server.thaw();
      await here.events.back();
      expect(await here.group.send('z')).toMatchObject({ backplane: true });
    });

    test.each([
      ['for sending', 0],
      ['for subscriptions', 1],
    ])('a connection %s that dies without an event is detected and replaced', async (_name, index) => {
      const { proxy, here, there } = await joinOverProxy({ timeout: SHORT });
      proxy.mute(proxy.connections[index]!);
      expect((await here.events.cutOff()).code).toBe('ERR_WEBSOCKET_BACKPLANE_CUT_OFF');
      expect(here.groups.isCutOff()).toBe(true);
      await here.events.back();
      expect(await there.group.send('are you there?')).toMatchObject({ backplane: true });
      expect(await here.member.inbox.next()).toBe('are you there?');
      expect(await here.group.send('I am')).toMatchObject({ backplane: true });
      while ((await there.member.inbox.next()) !== 'I am');
    });

    test("after 'cutOff' no command goes to a connection that may also be lost", async () => {
      const { proxy, sending, listening, here, there } = await joinOverProxy();
      proxy.mute(sending);
      listening.destroy();
      await here.events.cutOff();
      const sent = here.group.send('into the dark');
      sending.destroy();
      expect(await sent).toMatchObject({ local: 1, backplane: false });
      // A client that had the command would repeat it.
      await here.events.back();
      expect(await here.group.send('after')).toMatchObject({ backplane: true });
      expect(await there.member.inbox.next()).toBe('after');
    });

    test('while only the connection for subscriptions is lost, messages are sent in order', async () => {
      const { listening, here, there } = await joinOverProxy();
      listening.destroy();
      await here.events.cutOff();
      const messages = Array.from({ length: 100 }, (_, index) => String(index));
      const first = here.group.send(messages[0]!);
      const rest = Promise.all(messages.slice(1, 50).map((message) => here.group.send(message)));
      expect(await first).toMatchObject({ backplane: true });
      for (const message of messages.slice(50)) void here.group.send(message);
      await rest;
      for (const message of messages) expect(await there.member.inbox.next()).toBe(message);
    });

    test('close sends messages from after the loss of the connection for subscriptions', async () => {
      const { listening, here, there } = await joinOverProxy();
      listening.destroy();
      await here.events.cutOff();
      const sending = here.group.send('last');
      await here.groups.close();
      expect(await sending).toMatchObject({ backplane: true });
      expect(await there.member.inbox.next()).toBe('last');
    });

    test('a reconnected client is trusted only when our own message has arrived', async () => {
      const client = await open(server.url);
      const groups = createGroups({ backplane: redisBackplane(client) });
      onTestFinished(() => groups.close());
      const events = new RecordedEvents(groups);
      expect(await groups.group('a').add(new FakeMember())).toBe(true);
      const ready = new Promise((resolve) => (client as unknown as EventEmitter).once('ready', resolve));
      server.cli('CLIENT', 'PAUSE', '60000', 'WRITE');
      server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      await events.cutOff();
      await within(ready, 'connection');
      await new Promise((resolve) => setImmediate(resolve));
      expect(groups.isCutOff()).toBe(true);
      server.cli('CLIENT', 'UNPAUSE');
      await events.back();
      expect(await groups.group('a').send('x')).toMatchObject({ backplane: true });
    });

    test('groups that are joined or left in an outage are right afterwards', async () => {
      const [here, there] = [await joinPubSub(), await joinPubSub()];
      await server.kill();
      await Promise.all([here.events.cutOff(), there.events.cutOff()]);
      const late = new FakeMember();
      expect(await there.groups.group('b').add(late)).toBe(false);
      there.group.delete(there.member);
      await server.begin();
      await Promise.all([here.events.back(), there.events.back()]);
      expect(await there.groups.group('b').add(late)).toBe(true);
      await here.group.send('nobody is left');
      await here.groups.group('b').send('welcome');
      expect(await late.inbox.next()).toBe('welcome');
      expect(there.member.got).toEqual([]);
    });

    test('close does not wait for Redis in an outage', async () => {
      const here = await joinPubSub();
      await server.kill();
      const sending = here.group.send('x');
      await here.groups.close();
      expect(await sending).toMatchObject({ backplane: false });
      await server.begin();
    });
  });

  describe('redisStreamBackplane', () => {
    test('messages from an outage are kept and arrive afterwards, once and in order', async () => {
      args = ['--appendonly', 'yes', '--appendfsync', 'always'];
      await server.stop();
      server = await RedisServer.start(args);
      args = [];
      const [here, there] = [await joinStream(), await joinStream()];
      await here.group.send('before');
      await server.kill();
      expect(await here.group.send('in the dark 1')).toMatchObject({ local: 1, backplane: 'later' });
      await Promise.all([here.events.cutOff(), there.events.cutOff()]);
      expect(await here.group.send('in the dark 2')).toMatchObject({ local: 1, backplane: 'later' });
      await server.begin();
      await Promise.all([here.events.back(), there.events.back()]);
      await here.group.send('after');
      const all = ['before', 'in the dark 1', 'in the dark 2', 'after'];
      for (const text of all) expect(await there.member.inbox.next()).toBe(text);
      expect([here.member.got, there.member.got, there.events.missed]).toEqual([all, all, []]);
    });

    test("a process whose connection breaks reads missed messages before it emits 'back'", async () => {
      const [here, there] = [await joinStream(), await joinStream()];
      const messages = Array.from({ length: 1_000 }, (_, index) => String(index));
      for (const [index, message] of messages.entries()) {
        void here.group.send(message);
        if (index === 500) server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      }
      await there.events.cutOff();
      await there.events.back();
      await here.group.send('end');
      while ((await there.member.inbox.next()) !== 'end');
      expect(there.member.got).toEqual([...messages, 'end']);
      expect(there.events.missed).toEqual([]);
    });

    test.each([
      ['before the outage there were messages', true],
      ['before the outage there were none', false],
    ])(
      "an outage that is longer than the stream emits 'missed' with the number: %s",
      async (_name, hasStream) => {
        const there = await joinStream();
        const here = await joinStream({ maxLength: 100 });
        if (hasStream) {
          await here.group.send('before');
          expect(await there.member.inbox.next()).toBe('before');
        }
        // Redis disconnects the subscribers, until more messages were sent than it keeps.
        server.cli('ACL', 'SETUSER', 'default', 'resetchannels', '&none');
        server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await there.events.cutOff();
        const messages = Array.from({ length: 1_000 }, (_, index) => String(index));
        server.cli('ACL', 'SETUSER', 'default', 'allchannels', '-subscribe');
        await Promise.all(messages.map((message) => here.group.send(message)));
        server.cli('ACL', 'SETUSER', 'default', '+subscribe');
        await there.events.back();
        await here.group.send('end');
        while ((await there.member.inbox.next()) !== 'end');
        const got = there.member.got.slice(hasStream ? 1 : 0, -1);
        expect(got.length).toBeGreaterThanOrEqual(100);
        expect(got).toEqual(messages.slice(-got.length));
        expect(there.events.missed).toEqual([{ group: 'a', count: messages.length - got.length }]);
      },
    );

    test("when Redis has lost its data, groups emit 'missed' and still work", async () => {
      const [here, there] = [await joinStream(), await joinStream()];
      await here.group.send('before');
      expect(await there.member.inbox.next()).toBe('before');
      await server.kill();
      await there.events.cutOff();
      await server.begin();
      await there.events.back();
      expect(there.events.missed).toEqual([{ group: 'a', count: undefined }]);
      await here.events.back();
      await here.group.send('after');
      expect(await there.member.inbox.next()).toBe('after');
    });

    test('keeps maxLength messages of a group, for maxAge', async () => {
      const here = await joinStream({ maxLength: 100, maxAge: 60_000 });
      await Promise.all(Array.from({ length: 1_000 }, (_, index) => here.group.send(String(index))));
      const length = Number(server.cli('XLEN', 'dwebsocket:group:a'));
      expect(length).toBeGreaterThanOrEqual(100);
      expect(length).toBeLessThan(300);
      const left = Number(server.cli('PTTL', 'dwebsocket:group:a'));
      expect(left).toBeGreaterThan(50_000);
      expect(left).toBeLessThanOrEqual(60_000);
    });

    test('a key of another type under the name of a stream is reported', async () => {
      const here = await joinStream();
      server.cli('DEL', 'dwebsocket:group:b');
      server.cli('SET', 'dwebsocket:group:b', 'mine');
      expect(await here.groups.group('b').send('x')).toMatchObject({
        backplane: false,
        error: {
          code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED',
          message: expect.stringMatching(/WRONGTYPE.*another prefix/),
        },
      });
      expect(await here.group.send('y')).toMatchObject({ backplane: true });
    });
  });
});
