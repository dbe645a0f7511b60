import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { HEADER_BYTES } from '../../src/groups/envelope.js';
import { clientKinds } from './support/clients.js';
import { join, type Joined, streams } from './support/joining.js';
import { FakeMember } from './support/members.js';
import { Proxy } from './support/proxy.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

const KEY = 'dwebsocket:group:a';
const newest = clientKinds.filter(({ name }) => name.endsWith(' 6'));

describe.runIf(hasRedis).each(newest)('streams over $name', { timeout: 60_000 }, ({ connect }) => {
  let server: RedisServer;

  beforeEach(async () => {
    server = await RedisServer.start();
  });

  afterEach(() => server.stop());

  const open = (options: Parameters<typeof join>[2] = {}, url = server.url) =>
    join({ connect, ...streams }, url, { timeout: 2_000, ...options });

  /** Opens groups that send to the group, and have no member in it. */
  async function openWriter() {
    const writer = await open();
    writer.groups.group('a').delete(writer.member);
    return writer;
  }

  /** Kills Redis, and restarts it with the data of the last `SAVE`. */
  async function setBack(all: Joined[]) {
    await server.kill();
    await Promise.all(all.map(({ events }) => events.cutOff()));
    await server.begin();
    await Promise.all(all.map(({ events }) => events.back()));
  }

  async function sendAndWait({ groups, member }: Joined, text: string) {
    expect(await groups.group('a').send(text)).toMatchObject({ backplane: true });
    while ((await member.inbox.next()) !== text);
  }

  describe('a Redis that returns to an earlier state', () => {
    test("makes groups emit 'missed', and they deliver nothing from before their members joined", async () => {
      const before = await open();
      for (const text of ['old 1', 'old 2']) await sendAndWait(before, text);
      await before.groups.close();
      server.cli('SAVE');
      const sender = await open();
      await sendAndWait(sender, 'lost, from before it joined');
      const here = await open();
      await setBack([sender, here]);
      expect([here.member.got, here.events.missed]).toEqual([[], [{ group: 'a', count: undefined }]]);
      await sendAndWait(sender, 'new');
      expect(await here.member.inbox.next()).toBe('new');
      expect(here.member.got).toEqual(['new']);
    });

    test("also makes groups emit 'missed' that had received no lost message", async () => {
      const proxy = await Proxy.start(server.port);
      onTestFinished(() => proxy.stop());
      const [here, away] = [await open(), await open({}, proxy.url)];
      await sendAndWait(here, 'before');
      server.cli('SAVE');
      proxy.target = 1;
      proxy.cut();
      await away.events.cutOff();
      await sendAndWait(here, 'lost');
      await setBack([here]);
      proxy.target = server.port;
      await away.events.back();
      await sendAndWait(here, 'after');
      while ((await away.member.inbox.next()) !== 'after');
      expect(away.member.got).toEqual(['before', 'after']);
      expect(away.events.missed).toEqual([{ group: 'a', count: undefined }]);
      expect(here.events.missed).toEqual([{ group: 'a', count: undefined }]);
    });

    // Fewer messages than Redis has lost, as many, and more.
    test.for([2, 3, 5])(
      'delivers all %i messages that were sent afterwards, although three lost ones had the same ids',
      async (count) => {
        const proxy = await Proxy.start(server.port);
        onTestFinished(() => proxy.stop());
        const [writer, here] = [await openWriter(), await open({}, proxy.url)];
        const sent: string[] = [];
        const send = async (text: string) => {
          sent.push(text);
          expect(await writer.groups.group('a').send(text)).toMatchObject({ backplane: true });
        };
        const sendAll = async (name: string, length: number) => {
          for (let number = 1; number <= length; number++) await send(`${name} ${number}`);
        };
        const untilHere = async () => {
          while ((await here.member.inbox.next()) !== sent.at(-1));
        };
        for (const time of ['first', 'second']) {
          await send(`before the ${time} time`);
          server.cli('SAVE');
          await sendAll('lost', 3);
          await untilHere();
          proxy.target = 1;
          await setBack([writer]);
          await here.events.cutOff();
          await sendAll('new', count);
          proxy.target = server.port;
          await here.events.back();
          await send('after');
          await untilHere();
        }
        expect(here.member.got).toEqual(sent);
        expect(here.events.missed).toEqual(Array(2).fill({ group: 'a', count: undefined }));
      },
    );

    test("delivers messages that are sent directly after 'missed'", async () => {
      const proxy = await Proxy.start(server.port);
      onTestFinished(() => proxy.stop());
      const [writer, here] = [await openWriter(), await open({}, proxy.url)];
      await writer.groups.group('a').send('before');
      server.cli('SAVE');
      for (const text of ['lost 1', 'lost 2', 'lost 3']) await writer.groups.group('a').send(text);
      while ((await here.member.inbox.next()) !== 'lost 3');
      proxy.target = 1;
      await setBack([writer]);
      await here.events.cutOff();
      const answer = new Promise((resolve) => {
        here.groups.once('missed', () => {
          // A command that was still needed would be too late.
          const release = proxy.hold();
          resolve(writer.groups.group('a').send('after').then(release));
        });
      });
      proxy.target = server.port;
      await answer;
      while ((await here.member.inbox.next()) !== 'after');
    });

    test('reports no loss if nothing is lost', async () => {
      const here = await open();
      await sendAndWait(here, 'before');
      server.cli('SAVE');
      await setBack([here]);
      await sendAndWait(here, 'after');
      expect([here.member.got, here.events.missed]).toEqual([['before', 'after'], []]);
    });
  });

  test('the ids of entries do not depend on the clock of a process', async () => {
    const here = await open();
    await sendAndWait(here, 'today');
    server.cli('DEL', KEY);
    const clock = vi.spyOn(Date, 'now').mockReturnValue(0);
    onTestFinished(() => clock.mockRestore());
    await sendAndWait(here, 'in 1970');
    const [era] = server.cli('XREVRANGE', KEY, '+', '-').split('-');
    expect(Number(era)).toBeGreaterThan(1.7e12);
  });

  test('a stream still works after another program has deleted its last entry', async () => {
    const here = await open();
    await sendAndWait(here, '1');
    server.cli('XADD', KEY, '99999999999999-1', 'd', 'from the future');
    server.cli('XTRIM', KEY, 'MAXLEN', '0');
    await sendAndWait(here, '2');
  });

  test('SCRIPT FLUSH loses no message, and changes no order', async () => {
    const here = await open();
    await sendAndWait(here, '1');
    server.cli('SCRIPT', 'FLUSH');
    const texts = Array.from({ length: 1_000 }, (_, index) => `after ${index}`);
    for (const { backplane } of await Promise.all(texts.map((text) => here.groups.group('a').send(text))))
      expect(backplane).toBe('later');
    await expect.poll(() => Number(server.cli('XLEN', KEY))).toBe(1 + texts.length);
    await sendAndWait(here, 'end');
    expect(here.member.got).toEqual(['1', ...texts, 'end']);
    const entries = server.cli('XRANGE', KEY, '-', '+').match(/after \d+/g);
    expect(entries).toEqual(texts);
  });

  test('a message carries the hash of the script, and not the script', async () => {
    const here = await open();
    await sendAndWait(here, 'first');
    const received = () => Number(/total_net_input_bytes:(\d+)/.exec(server.cli('INFO', 'stats'))?.[1]);
    const before = received();
    for (let count = 0; count < 100; count++) await sendAndWait(here, 'x');
    expect((received() - before) / 100).toBeLessThan(400);
  });

  describe('maxBytes', () => {
    const lengths = () => {
      const entries = server.cli(
        'EVAL',
        `local n = {} for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do n[#n + 1] = #e[2][2] end return n`,
        '1',
        KEY,
      );
      return entries.split('\n').filter(Boolean).map(Number);
    };
    const sumOf = (all: number[]) => all.reduce((sum, length) => sum + length + 64, 0);

    test('limits the messages of a group in Redis, for large and for small messages', async () => {
      const here = await open({ maxBytes: 100_000, maxLength: 100_000 });
      for (const length of [10, 30_000, 100, 1, 60_000, 20_000, 5, 90_000, 1_000]) {
        await sendAndWait(here, 'x'.repeat(length));
        expect(sumOf(lengths())).toBeLessThanOrEqual(100_000);
      }
      // The newest messages that fit.
      expect(lengths()).toEqual([5, 90_000, 1_000].map((length) => length + HEADER_BYTES));
      await Promise.all(
        Array.from({ length: 3_000 }, (_, index) => here.groups.group('a').send(String(index))),
      );
      const left = lengths();
      expect(sumOf(left)).toBeLessThanOrEqual(100_000);
      expect(sumOf(left)).toBeGreaterThan(99_800);
    });

    test('always keeps the newest message', async () => {
      const here = await open({ maxBytes: 1_000 });
      await sendAndWait(here, 'small');
      await sendAndWait(here, 'x'.repeat(5_000));
      expect(lengths()).toEqual([5_000 + HEADER_BYTES]);
    });

    test('counts right after maxLength has deleted messages', async () => {
      const here = await open({ maxBytes: 1_000_000, maxLength: 100 });
      const send = (count: number, length: number) =>
        Promise.all(Array.from({ length: count }, () => here.groups.group('a').send('x'.repeat(length))));
      await send(2_000, 1_000);
      // If deleted messages counted, fewer would remain.
      expect(lengths().length).toBeGreaterThanOrEqual(100);
      await send(20, 100_000);
      expect(sumOf(lengths())).toBeLessThanOrEqual(1_000_000);
      expect(lengths()).toHaveLength(9);
    });

    test('processes that were cut off report the number of deleted messages', async () => {
      const proxy = await Proxy.start(server.port);
      onTestFinished(() => proxy.stop());
      const [here, away] = [await open({ maxBytes: 10_000 }), await open({}, proxy.url)];
      await sendAndWait(here, 'before');
      expect(await away.member.inbox.next()).toBe('before');
      proxy.target = 1;
      proxy.cut();
      await away.events.cutOff();
      for (let number = 0; number < 10; number++) await sendAndWait(here, String(number) + 'x'.repeat(3_000));
      proxy.target = server.port;
      await away.events.back();
      expect(away.member.got).toHaveLength(4);
      expect(away.events.missed).toEqual([{ group: 'a', count: 7 }]);
    });
  });

  test('many groups are read after an outage, each in order, while new messages arrive', async () => {
    const proxy = await Proxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const [here, away] = [await open(), await open({}, proxy.url)];
    const names = Array.from({ length: 2_000 }, (_, index) => `room ${index}`);
    const members = new Map(names.map((name) => [name, new FakeMember()]));
    const joining = [...members].map(([name, member]) => away.groups.group(name).add(member));
    expect(new Set(await Promise.all(joining))).toEqual(new Set([true]));
    const send = (text: string) => Promise.all(names.map((name) => here.groups.group(name).send(text)));
    await send('1');
    proxy.target = 1;
    proxy.cut();
    await away.events.cutOff();
    await send('2');
    proxy.target = server.port;
    const live = send('3');
    await away.events.back();
    await live;
    for (const member of members.values()) {
      for (const text of ['1', '2', '3']) expect(await member.inbox.next()).toBe(text);
    }
    expect(away.events.missed).toEqual([]);
  });
});
