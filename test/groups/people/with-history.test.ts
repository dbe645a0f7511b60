import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import { describe, expect, onTestFinished, test } from 'vitest';
import { clientKinds } from '../support/clients.js';
import { FakeMember } from '../support/members.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';

const history = { length: 100, age: 60_000 };

test('a member with `as` gets the history, and is among the people', async () => {
  const room = createGroups({ history }).group('room');
  for (const text of ['1', '2', '3']) room.send(text);
  const member = new FakeMember();
  expect(await room.add(member, { as: 'ann', last: 2, welcome: () => 'hello' })).toBe(true);
  expect(member.got).toEqual(['hello', '2', '3']);
  expect(room.people).toEqual([{ as: 'ann', websockets: 1 }]);
  expect(await room.add(member, { as: 'ben' })).toBe(true);
  expect(room.people).toEqual([{ as: 'ben', websockets: 1 }]);
});

test('`as` needs no history, and a welcome that throws rejects add and nothing else', async () => {
  const plain = createGroups().group('room');
  expect(await plain.add(new FakeMember(), { as: 'ann' })).toBe(true);
  expect(() => plain.add(new FakeMember(), { as: 'ann', last: 1 })).toThrow(
    /needs groups that keep messages/,
  );
  const room = createGroups({ history }).group('room');
  const welcome = () => {
    throw new Error('no welcome');
  };
  const adding = Promise.resolve(room.add(new FakeMember(), { as: 'ann', welcome }));
  await expect(adding).rejects.toThrow('no welcome');
  expect(room.people).toHaveLength(room.size);
});

describe.runIf(hasRedis)('over Redis Streams', () => {
  test('history and people of one group work together', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const open = async () => {
      const { client, end } = await clientKinds[0]!.connect(redis.url);
      onTestFinished(end);
      const groups = createGroups({ backplane: redisStreamBackplane(client, { maxLength: 100 }), history });
      onTestFinished(() => groups.close());
      return groups.group('room');
    };
    const [here, there] = [await open(), await open()];
    const [ann, ben] = [new FakeMember(), new FakeMember()];
    await here.add(ann, { as: 'ann' });
    await here.send('1');
    await there.add(ben, { as: 'ben', last: 10 });
    expect(ben.got).toEqual(['1']);
    expect(there.people).toHaveLength(2);
    await there.send('2');
    expect([await ann.inbox.next(), await ann.inbox.next()]).toEqual(['1', '2']);
    await expect.poll(() => here.people.length).toBe(2);
  });
});
