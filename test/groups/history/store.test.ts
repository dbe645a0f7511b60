import { createGroups, type Groups, type HistoryOptions, redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { historyOf } from '../../../src/groups/group.js';
import { HistoryStore } from '../../../src/groups/history/store.js';
import { Random } from '../../long/chaos/random.js';
import { clientKinds } from '../support/clients.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { Listener } from './support/listener.js';

const HOUR = 3_600_000;
const LARGE = 10_000_000;
const NAMES = ['a', 'b', 'c', 'd'];

/** Returns the store of the first groups that use one from now on. */
function watchStore(): () => HistoryStore {
  const update = vi.spyOn(HistoryStore.prototype, 'update');
  onTestFinished(() => update.mockRestore());
  return () => update.mock.contexts[0] as HistoryStore;
}

/** Members that come, leave and come back, while messages are sent, read and expire, in a random order that a seed decides. */
async function play(seed: number, groups: Groups, findStore: () => HistoryStore): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'] });
  const random = new Random(seed);
  const rooms = NAMES.map((name) => groups.group(name));
  const members: Listener[] = [];
  const ids: string[] = [];
  const pending: PromiseLike<unknown>[] = [];
  const join = (): void => {
    const member = new Listener();
    members.push(member);
    const range = random.next() < 0.5 ? { last: random.pick([0, 3]) } : { since: random.pick(ids) };
    pending.push(random.pick(rooms).add(member, range));
  };
  const send = (): void =>
    void pending.push(random.pick(rooms).send('x'.repeat(random.pick([1, 100, 2_000]))));
  const read = async (): Promise<void> => {
    for (const { id } of await random.pick(rooms).history()) ids.push(id);
  };
  for (let step = 0; step < 150; step++) {
    const act = random.pick([
      send,
      send,
      send,
      join,
      () => members.splice(random.between(0, members.length), 1)[0]?.leave(),
      () => void pending.push(read()),
      () => void vi.setSystemTime(Date.now() + random.pick([HOUR / 10, HOUR])),
    ]);
    act();
    if (random.next() < 0.3) await Promise.all(pending.splice(0));
    const kept = rooms.reduce((sum, room) => sum + historyOf(room as never)!.bytes, 0);
    expect(findStore().bytes, `seed ${seed}, step ${step}`).toBe(kept);
  }
  for (const member of members) member.leave();
  await Promise.all(pending);
  vi.useRealTimers();
}

test('the store counts what is kept, whatever happens in the groups', async () => {
  onTestFinished(() => void vi.useRealTimers());
  for (let seed = 1; seed <= 100; seed++) {
    const findStore = watchStore();
    const groups = createGroups({ history: { length: 10, age: HOUR, maxBytes: [LARGE, 15_000][seed % 2] } });
    void groups.group('a').send('first');
    await play(seed, groups, findStore);
    vi.restoreAllMocks();
    await groups.close();
  }
});

test('messages that expire make room for new ones', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const groups = createGroups({ history: { length: 100, age: HOUR, maxBytes: 100_000 } });
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  for (let round = 0; round < 10; round++) {
    for (let number = 0; number < 20; number++) void room.send('x'.repeat(1_000));
    expect(await room.history()).toHaveLength(20);
    vi.setSystemTime(Date.now() + 2 * HOUR);
    expect(await room.history()).toEqual([]);
  }
});

test('after each message, the memory of all groups is within the limit, however large the message is', async () => {
  const maxBytes = 2_000_000;
  const findStore = watchStore();
  const groups = createGroups({ history: { length: 100, age: HOUR, maxBytes } });
  onTestFinished(() => groups.close());
  for (let number = 0; number < 1_000; number++) void groups.group(`room ${number}`).send('x');
  const busy = groups.group('busy');
  for (let number = 0; number < 20; number++) {
    void busy.send(Buffer.alloc(400_000, number));
    expect(findStore().bytes).toBeLessThanOrEqual(maxBytes);
  }
  const kept = (await busy.history()).map(({ message }) => message[0]);
  expect(kept).toEqual([16, 17, 18, 19]);
  void busy.send(Buffer.alloc(maxBytes));
  expect([findStore().bytes, await busy.history()]).toEqual([0, []]);
  void busy.send('small');
  expect(await busy.history()).toHaveLength(1);
});

test('members of groups without messages push out no messages of other groups', async () => {
  const groups = createGroups({ history: { length: 100, age: HOUR, maxBytes: 100_000 } });
  onTestFinished(() => groups.close());
  const members = Array.from({ length: 1_000 }, (_, number) => {
    const member = new Listener();
    void groups.group(`user ${number}`).add(member);
    return member;
  });
  const news = groups.group('news');
  for (let number = 0; number < 100; number++) void news.send('hello');
  for (let number = 0; number < 100; number++) void groups.group(`user ${number}`).send('hello');
  expect(await news.history()).toHaveLength(100);
  expect(await groups.group('user 0').history()).toHaveLength(1);
  for (const member of members) member.leave();
});

describe.runIf(hasRedis)('over Redis Streams', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  async function open(prefix: string, history: HistoryOptions): Promise<Groups> {
    const { client, end } = await clientKinds[0]!.connect(redis.url);
    onTestFinished(end);
    const groups = createGroups({
      backplane: redisStreamBackplane(client, { prefix, maxLength: 1_000 }),
      history,
    });
    onTestFinished(() => groups.close());
    return groups;
  }

  test.for([1, 2, 3, 4, 5, 6, 7, 8])('the store counts what is kept: seed %i', async (seed) => {
    onTestFinished(() => void vi.useRealTimers());
    const findStore = watchStore();
    const maxBytes = [LARGE, 15_000][seed % 2];
    const groups = await open(`seed${seed}`, { length: 10, age: HOUR, maxBytes });
    const witness = new Listener();
    await groups.group('a').add(witness);
    await play(seed, groups, findStore);
  });

  test('a group whose last member has left makes room for others', async () => {
    const groups = await open('room', { length: 10, age: HOUR, maxBytes: 100_000 });
    const room = groups.group('a');
    for (let number = 0; number < 5; number++) await room.send('x'.repeat(5_000));
    const [first] = await room.history();
    for (let round = 0; round < 5; round++) {
      const member = new Listener();
      await room.add(member, { since: first!.id });
      expect(member.got).toHaveLength(4);
      room.delete(member);
    }
  });
});
