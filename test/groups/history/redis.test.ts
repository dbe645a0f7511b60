import {
  createGroups,
  type Groups,
  type HistoryOptions,
  redisStreamBackplane,
  type RedisStreamBackplaneOptions,
} from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { collect } from '../../support/collect.js';
import { clientKinds } from '../support/clients.js';
import { Proxy } from '../support/proxy.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { Listener, textsOf } from './support/listener.js';

const HOUR = 3_600_000;
const newest = clientKinds.filter(({ name }) => name.endsWith(' 6'));

describe.runIf(hasRedis).each(newest)('history over Redis Streams with $name', (kind) => {
  let redis: RedisServer;
  let count = 0;

  beforeAll(async () => {
    redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
  });
  afterAll(() => redis.stop());

  interface Options extends Partial<HistoryOptions> {
    prefix?: string;
    url?: string;
    backplane?: Partial<RedisStreamBackplaneOptions>;
  }

  /** Opens groups as another process has them. */
  async function open({
    prefix = `test${count}`,
    url = redis.url,
    backplane = {},
    ...history
  }: Options = {}): Promise<Groups> {
    const { client, end } = await kind.connect(url);
    onTestFinished(end);
    const groups = createGroups({
      backplane: redisStreamBackplane(client, { prefix, maxLength: 10_000, ...backplane }),
      history: { length: 1_000, age: HOUR, ...history },
    });
    onTestFinished(() => groups.close());
    for (const event of ['cutOff', 'missed'] as const) groups.on(event, () => {});
    return groups;
  }

  async function openTwo(options: Options = {}): Promise<[Groups, Groups]> {
    const prefix = `test${++count}`;
    return [await open({ prefix, ...options }), await open({ prefix, ...options })];
  }

  test('messages of all processes have one order, also in the process of the sender', async () => {
    const [here, there] = await openTwo();
    const [ann, ben] = [new Listener(), new Listener()];
    await Promise.all([here.group('a').add(ann), there.group('a').add(ben)]);
    for (let number = 0; number < 50; number++)
      await Promise.all([here.group('a').send(`here ${number}`), there.group('a').send(`there ${number}`)]);
    await Promise.all([ann.until(100), ben.until(100)]);
    expect(ann.got).toEqual(ben.got);
    expect(ann.ids).toEqual(ben.ids);
    expect(new Set(ann.ids).size).toBe(100);
  });

  test('a member that comes back to another process gets exactly what it has missed', async () => {
    const [here, there] = await openTwo();
    const ann = new Listener();
    expect(await here.group('a').add(ann, { welcome: ann.welcome })).toBe(true);
    await here.group('a').send('one');
    await ann.until(2);
    ann.leave();
    for (const text of ['two', 'three']) await here.group('a').send(text);
    const again = new Listener();
    expect(await there.group('a').add(again, { since: ann.ids[0], last: 1, welcome: again.welcome })).toBe(
      true,
    );
    await here.group('a').send('four');
    await again.until(4);
    expect(textsOf(again)).toEqual(['welcome true', 'two', 'three', 'four']);
  });

  test('a position from before the first message works, too', async () => {
    const [here, there] = await openTwo();
    const ann = new Listener();
    await here.group('a').add(ann, { welcome: ann.welcome });
    const { position } = ann.starts[0]!;
    const first = new Listener();
    await there.group('a').add(first, { since: position, welcome: first.welcome });
    expect(textsOf(first)).toEqual(['welcome true']);
    first.leave();
    await here.group('a').send('one');
    await ann.until(2);
    const again = new Listener();
    await there.group('a').add(again, { since: position, welcome: again.welcome });
    expect(textsOf(again)).toEqual(['welcome true', 'one']);
  });

  test('a new member gets the last messages of all processes', async () => {
    const [here, there] = await openTwo();
    for (let number = 0; number < 300; number++) await here.group('a').send(`${number} ${'x'.repeat(1_000)}`);
    const ann = new Listener();
    await there.group('a').add(ann, { last: 200, welcome: ann.welcome });
    expect(ann.got.map((text) => String(text).split(' ')[0])).toEqual([
      'welcome',
      ...Array.from({ length: 200 }, (_, index) => String(index + 100)),
    ]);
  });

  test('a member whose last message is not kept any more is told so', async () => {
    const [here, there] = await openTwo({ length: 5 });
    const ann = new Listener();
    await here.group('a').add(ann);
    for (let number = 0; number < 10; number++) await here.group('a').send(String(number));
    await ann.until(10);
    const [late, inTime] = [new Listener(), new Listener()];
    await there.group('a').add(late, { since: ann.ids[3], welcome: late.welcome });
    expect(textsOf(late)).toEqual(['welcome false', '5', '6', '7', '8', '9']);
    await there.group('a').add(inTime, { since: ann.ids[4], welcome: inTime.welcome });
    expect(textsOf(inTime)).toEqual(['welcome true', '5', '6', '7', '8', '9']);
    const none = new Listener();
    await there.group('a').add(none, { since: 'nonsense', welcome: none.welcome });
    expect(textsOf(none)).toEqual(['welcome false', '5', '6', '7', '8', '9']);
  });

  test('1,000 members that come back at once cost Redis a few reads', async () => {
    const [here, there] = await openTwo();
    const ann = new Listener();
    await here.group('a').add(ann);
    for (let number = 0; number < 100; number++) await here.group('a').send(String(number));
    await ann.until(100);
    const before = evals(redis);
    const town = Array.from({ length: 1_000 }, () => new Listener());
    await Promise.all(
      town.map((each, index) =>
        there.group('a').add(each, { since: ann.ids[index % 100], welcome: each.welcome }),
      ),
    );
    expect(evals(redis) - before).toBeLessThanOrEqual(5);
    for (const [index, each] of town.entries()) {
      expect(each.starts).toMatchObject([{ complete: true }]);
      expect(each.got.length).toBe(100 - (index % 100));
    }
  });

  test('except also holds for members that get a message over Redis', async () => {
    const [here] = await openTwo();
    const [ann, ben] = [new Listener(), new Listener()];
    await Promise.all([here.group('a').add(ann), here.group('a').add(ben)]);
    expect(await here.group('a').send('mine', { except: ann })).toEqual({
      local: 1,
      backplane: true,
      error: null,
    });
    await here.group('a').send('for all');
    await Promise.all([ann.until(1), ben.until(2)]);
    expect([ann.got, ben.got]).toEqual([['for all'], ['mine', 'for all']]);
  });

  test.for([undefined, { last: 0 }, { last: 5 }])(
    'except also holds before the group is subscribed (%j)',
    async (options) => {
      const [here, there] = await openTwo();
      const [ann, ben, cleo] = [new Listener(), new Listener(), new Listener()];
      await there.group('a').add(cleo);
      const added = [here.group('a').add(ann, options), here.group('a').add(ben)];
      void here.group('a').send('ann is here', { except: ann });
      void here.group('a').send('ben is here', { except: [ben] });
      await Promise.all(added);
      await here.group('a').send('for all');
      await Promise.all([ann.until(2), ben.until(2), cleo.until(3)]);
      expect([ann.got, ben.got]).toEqual([
        ['ben is here', 'for all'],
        ['ann is here', 'for all'],
      ]);
    },
  );

  test('except also holds for what is sent while a member joins in an outage', async () => {
    const proxy = await Proxy.start(redis.port);
    onTestFinished(() => proxy.stop());
    const here = await open({ url: proxy.url, prefix: `test${++count}` });
    await here.group('a').send('old');
    proxy.target = 1;
    proxy.cut();
    await vi.waitFor(() => expect(here.isCutOff()).toBe(true), 10_000);
    const [ann, ben] = [new Listener(), new Listener()];
    expect(await Promise.all([here.group('a').add(ann), here.group('a').add(ben)])).toEqual([false, false]);
    void here.group('a').send('mine', { except: ann });
    void here.group('a').send('for all');
    proxy.target = redis.port;
    await Promise.all([ann.until(1), ben.until(2)]);
    expect([ann.got, ben.got]).toEqual([['for all'], ['mine', 'for all']]);
  });

  test('close closes the members of all processes after the messages before it', async () => {
    const [here, there] = await openTwo();
    const [ann, ben] = [new Listener(), new Listener()];
    await Promise.all([here.group('a').add(ann), there.group('a').add(ben)]);
    void here.group('a').send('last');
    await here.group('a').close(4000, 'over');
    await ben.closed;
    for (const { got, closes } of [ann, ben]) expect([got, closes]).toEqual([['last'], [[4000, 'over']]]);
    // The close is not a message.
    const again = new Listener();
    await there.group('a').add(again, { since: ann.ids[0], welcome: again.welcome });
    expect(textsOf(again)).toEqual(['welcome true']);
    const { position } = again.starts[0]!;
    await here.group('a').send('new');
    await again.until(2);
    const more = new Listener();
    await here.group('a').add(more, { since: position, welcome: more.welcome });
    expect(textsOf(more)).toEqual(['welcome true', 'new']);
  });

  test('what a process sends right after add reaches the new member, also before the group is subscribed', async () => {
    const [here] = await openTwo();
    await here.group('a').send('old');
    const [plain, welcomed] = [new Listener(), new Listener()];
    void here.group('a').add(plain);
    void here.group('a').add(welcomed, { welcome: welcomed.welcome });
    void here.group('a').send('one');
    await here.group('a').send('two');
    await Promise.all([plain.until(2), welcomed.until(3)]);
    expect(textsOf(plain)).toEqual(['one', 'two']);
    expect(textsOf(welcomed)).toEqual(['welcome true', 'one', 'two']);
  });

  test('what is sent while a member waits for the history reaches it', async () => {
    const [here, there] = await openTwo();
    const first = new Listener();
    await here.group('a').add(first);
    for (const text of ['one', 'two', 'three']) await there.group('a').send(text);
    await first.until(3);
    const ann = new Listener();
    const added = here.group('a').add(ann, { last: 1, welcome: ann.welcome });
    for (const text of ['four', 'five', 'six']) void here.group('a').send(text);
    await added;
    await ann.until(5);
    expect(textsOf(ann).slice(-4)).toEqual(['three', 'four', 'five', 'six']);
  });

  test('a member that joins while Redis is away gets what its process sends meanwhile', async () => {
    const proxy = await Proxy.start(redis.port);
    onTestFinished(() => proxy.stop());
    const there = await open({ url: proxy.url, prefix: `test${++count}` });
    await there.group('a').send('old');
    proxy.target = 1;
    proxy.cut();
    await vi.waitFor(() => expect(there.isCutOff()).toBe(true), 10_000);
    const ann = new Listener();
    expect(await there.group('a').add(ann, { welcome: ann.welcome })).toBe(false);
    expect(await there.group('a').send('mine')).toMatchObject({ backplane: 'later' });
    proxy.target = redis.port;
    await ann.until(2);
    expect(textsOf(ann)).toEqual(['welcome true', 'mine']);
  });

  test('a group can be closed before it is subscribed', async () => {
    const [here] = await openTwo();
    const ann = new Listener();
    void here.group('a').add(ann);
    await here.group('a').close(4000);
    expect(ann.closes).toEqual([[4000, '']]);
  });

  test('a group that closes in an outage closes its members here at once, and only those', async () => {
    const proxy = await Proxy.start(redis.port);
    onTestFinished(() => proxy.stop());
    const [there] = await openTwo();
    const here = await open({ url: proxy.url });
    const [ann, ben, cleo] = [new Listener(), new Listener(), new Listener()];
    await Promise.all([here.group('a').add(ann), there.group('a').add(cleo)]);
    proxy.target = 1;
    proxy.cut();
    await vi.waitFor(() => expect(here.isCutOff()).toBe(true), 10_000);
    expect(await here.group('a').close(4000, 'over')).toMatchObject({ backplane: 'later' });
    expect([ann.closes, here.group('a').size]).toEqual([[[4000, 'over']], 0]);
    expect(await here.group('a').add(ben)).toBe(false);
    expect(await here.group('a').send('new')).toMatchObject({ backplane: 'later' });
    proxy.target = redis.port;
    await Promise.all([cleo.closed, ben.until(1)]);
    expect([cleo.closes, ben.closes, ben.got]).toEqual([[[4000, 'over']], [], ['new']]);
  });

  test('a group closes its members here when Redis has lost the close', async () => {
    const own = await RedisServer.start();
    onTestFinished(() => own.stop());
    const proxy = await Proxy.start(own.port);
    onTestFinished(() => proxy.stop());
    const groups = await open({ url: proxy.url, prefix: 'lost' });
    const ann = new Listener();
    await groups.group('a').add(ann);
    await groups.group('a').send('one');
    await ann.until(1);
    // The connection that listens; the other one sends.
    proxy.mute(await proxy.accept(1));
    const closed = groups.group('a').close(4000);
    await vi.waitFor(() => expect(own.cli('XLEN', 'lost:group:a')).toBe('2'), 10_000);
    own.cli('FLUSHALL');
    proxy.cut();
    await closed;
    expect(ann.closes).toEqual([[4000, '']]);
  });

  test('after close, groups deliver and keep messages in this process only', async () => {
    const [here, there] = await openTwo();
    const [ann, ben] = [new Listener(), new Listener()];
    await Promise.all([here.group('a').add(ann), there.group('a').add(ben)]);
    await here.group('a').send('one');
    await Promise.all([ann.until(1), ben.until(1)]);
    await here.close();
    for (const name of ['a', 'never used']) {
      const [plain, welcomed] = [new Listener(), new Listener()];
      const group = here.group(name);
      void group.add(plain);
      void group.add(welcomed, { since: ann.ids[0], welcome: welcomed.welcome });
      expect(await group.send('two', { except: plain })).toMatchObject({
        local: 1,
        backplane: false,
        error: { code: 'ERR_WEBSOCKET_BACKPLANE_CLOSED' },
      });
      void group.send('three');
      await welcomed.until(3);
      expect([textsOf(plain), textsOf(welcomed)]).toEqual([['three'], ['welcome false', 'two', 'three']]);
      const late = new Listener();
      await group.add(late, { since: welcomed.ids[0], welcome: late.welcome });
      expect(textsOf(late)).toEqual(['welcome true', 'three']);
      expect((await group.history()).map(({ message }) => message)).toEqual(['two', 'three']);
      await group.close(4000);
      expect(late.closes).toEqual([[4000, '']]);
    }
    expect(ben.got).toEqual(['one']);
  });

  test('history returns the messages with their times, also where the group has no members', async () => {
    const [here, there] = await openTwo({ stamp: 'id' });
    const ann = new Listener();
    await here.group('a').add(ann);
    for (let number = 0; number < 3; number++) await here.group('a').send(JSON.stringify({ number }));
    await ann.until(3);
    const [one, other] = await Promise.all([here.group('a').history(), there.group('a').history()]);
    expect(one).toEqual(other);
    expect(one.map(({ id }) => id)).toEqual(ann.ids);
    expect(one.map(({ message }) => message)).toEqual(ann.got);
    for (const { id, time, message } of one) {
      expect(JSON.parse(String(message))).toMatchObject({ id });
      expect(Math.abs(time - Date.now())).toBeLessThan(60_000);
    }
    expect(await there.group('a').history({ since: ann.ids[0], last: 1 })).toEqual(one.slice(1));
    expect(await there.group('a').history({ last: 1 })).toEqual(one.slice(2));
  });

  test('messages that are too old are not part of the history', async () => {
    const [here, there] = await openTwo({ age: 300 });
    const ann = new Listener();
    await here.group('a').add(ann);
    await here.group('a').send('one');
    await ann.until(1);
    await vi.waitFor(async () => expect(await there.group('a').history()).toEqual([]), 10_000);
    await expect.poll(() => here.group('a').history()).toEqual([]);
  });

  test('a member that joins while Redis is away gets everything when it is back', async () => {
    const proxy = await Proxy.start(redis.port);
    onTestFinished(() => proxy.stop());
    const [here] = await openTwo();
    const there = await open({ url: proxy.url });
    const ann = new Listener();
    await here.group('a').add(ann);
    await here.group('a').send('one');
    await ann.until(1);
    proxy.target = 1;
    proxy.cut();
    await vi.waitFor(() => expect(there.isCutOff()).toBe(true), 10_000);
    const ben = new Listener();
    expect(await there.group('a').add(ben, { last: 5, welcome: ben.welcome })).toBe(false);
    await here.group('a').send('two');
    proxy.target = redis.port;
    await ben.until(3);
    await here.group('a').send('three');
    await ben.until(4);
    expect(textsOf(ben)).toEqual(['welcome true', 'one', 'two', 'three']);
  });

  test('when Redis loses messages, the members are told, and so are those that come back', async () => {
    const own = await RedisServer.start();
    onTestFinished(() => own.stop());
    const groups = await open({ url: own.url, prefix: 'lost' });
    const ann = new Listener();
    await groups.group('a').add(ann, { welcome: ann.welcome });
    await groups.group('a').send('one');
    await ann.until(2);
    const back = new Promise((resolve) => groups.once('back', resolve));
    await own.kill();
    await own.begin();
    await back;
    await groups.group('a').send('two');
    await ann.until(4);
    expect(textsOf(ann)).toEqual(['welcome true', 'one', 'welcome false', 'two']);
    for (const since of [ann.ids[0], ann.starts[0]!.position]) {
      const again = new Listener();
      await groups.group('a').add(again, { since, welcome: again.welcome });
      expect(textsOf(again)).toEqual(['welcome false', 'two']);
    }
    const inTime = new Listener();
    await groups.group('a').add(inTime, { since: ann.ids[1], welcome: inTime.welcome });
    expect(textsOf(inTime)).toEqual(['welcome true']);
  });

  test('the members that a refused message excludes are forgotten', async () => {
    const groups = await open({ prefix: `test${++count}`, backplane: { maxPayload: 100 } });
    const [room, ann, ben] = [groups.group('a'), new Listener(), new Listener()];
    await Promise.all([room.add(ann), room.add(ben)]);
    const accepted = room.send('one', { except: ben });
    const refs: WeakRef<Listener>[] = [];
    for (let number = 0; number < 10; number++) {
      const gone = new Listener();
      refs.push(new WeakRef(gone));
      expect(await room.send('x'.repeat(200), { except: gone })).toMatchObject({
        backplane: false,
        local: 0,
      });
    }
    await collect();
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(1);
    await accepted;
    await room.send('two');
    await ann.until(2);
    await ben.until(1);
    expect([textsOf(ann), textsOf(ben)]).toEqual([['one', 'two'], ['two']]);
  });

  test('a message that Redis has twice arrives once, also where only the second arrives live', async () => {
    const [here, there] = await openTwo();
    const ann = new Listener();
    await here.group('a').add(ann);
    await here.group('a').send('one');
    await here.group('a').send('two');
    await ann.until(2);
    const ben = new Listener();
    await there.group('a').add(ben, { since: ann.ids[1], welcome: ben.welcome });
    // A client of the sender repeats a command when it has lost the reply.
    repeatLast(redis, `test${count}:group:a`);
    await here.group('a').send('three');
    await ben.until(2);
    expect(textsOf(ben)).toEqual(['welcome true', 'three']);
    const cleo = new Listener();
    await there.group('a').add(cleo, { since: ann.ids[0], welcome: cleo.welcome });
    expect(textsOf(cleo)).toEqual(['welcome true', 'two', 'three']);
    expect((await there.group('a').history()).map(({ message }) => message)).toEqual(['one', 'two', 'three']);
  });
});

const evals = (redis: RedisServer): number =>
  Number(/cmdstat_eval:calls=(\d+)/.exec(redis.cli('INFO', 'commandstats'))?.[1] ?? 0);

/** Adds the last entry of a stream once more, and publishes it. */
function repeatLast(redis: RedisServer, key: string): void {
  const script = `
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    local era, index = string.match(last[1], '(%d+)-(%d+)')
    local id = era .. '-' .. string.format('%.0f', index + 1)
    redis.call('XADD', KEYS[1], id, 'd', last[2][2], 't', last[2][4])
    local mark = string.sub(last[2][2], 1, 32)
    redis.call('PUBLISH', KEYS[1], string.char(#id) .. id .. string.char(#mark) .. mark .. last[2][2])`;
  redis.cli('EVAL', script, '1', key);
}
