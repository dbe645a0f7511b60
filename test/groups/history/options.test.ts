import { once } from 'node:events';
import {
  createGroups,
  MemoryHub,
  redisBackplane,
  redisStreamBackplane,
  type RedisClient,
} from 'dwebsocket/groups';
import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { Listener } from './support/listener.js';

const client = createClient({ url: 'redis://127.0.0.1:1' }) as RedisClient;
const HISTORY = { length: 100, age: 3_600_000 };

test.for([
  [
    { length: 0, age: 1 },
    'option "history.length" must be a whole number from 1 to 2 ** 31 - 1; got the number 0',
  ],
  [{ age: 1 }, 'option "history.length" must be a whole number'],
  [{ length: 1 }, 'option "history.age" must be whole milliseconds'],
  [{ length: 1, age: Infinity }, 'option "history.age" must be whole milliseconds'],
  [{ length: 1, age: 1, maxBytes: '1' }, 'option "history.maxBytes" must be a whole number'],
  [{ length: 1, age: 1, stamp: '' }, 'option "history.stamp" must be the name of a field, or a function'],
  [{ length: 1, age: 1, stamp: {} }, 'option "history.stamp" must be the name of a field, or a function'],
  [{ lenght: 1, age: 1 }, 'unknown option "history.lenght"; did you mean "history.length"?'],
  [true, 'option "history" must be an object: { length, age }; got the boolean true'],
] as const)('%j throws', ([history, message]) => {
  expect(() => createGroups({ history: history as never })).toThrow(message);
});

test.for([
  ['redisBackplane', redisBackplane(client)],
  ['a MemoryHub', new MemoryHub().connect()],
] as const)('%s cannot keep messages, and says so at once', ([, backplane]) => {
  expect(() => createGroups({ backplane, history: HISTORY })).toThrow(
    'option "backplane" must be redisStreamBackplane(client, { maxLength }) if groups have a history',
  );
});

test('streams that keep less than the history cannot keep it', () => {
  const create = (options: { maxLength: number; maxAge?: number }) => () =>
    createGroups({ backplane: redisStreamBackplane(client, options), history: HISTORY });
  expect(create({ maxLength: 99 })).toThrow(
    'option "history.length" must be at most maxLength of the backplane, 99; got the number 100',
  );
  expect(create({ maxLength: 100, maxAge: 1_000 })).toThrow(
    'option "history.age" must be at most maxAge of the backplane, 1000; got the number 3600000',
  );
});

test('a group without a history takes no options of one', () => {
  const room = createGroups().group('a');
  const cure = 'needs groups that keep messages: createGroups({ history: { length: 100, age: 3_600_000 } })';
  for (const options of [{ since: 'x' }, { last: 1 }, { welcome: () => '' }])
    expect(() => room.add(new Listener(), options)).toThrow(cure);
  expect(() => room.history()).toThrow(cure);
  expect(room.size).toBe(0);
});

test('wrong options of add and history throw, and nothing is added', () => {
  const room = createGroups({ history: HISTORY }).group('a');
  const add = (options: object) => () => room.add(new Listener(), options);
  for (const last of ['20', -1, 1.5, NaN]) {
    expect(add({ last })).toThrow('the option "last" must be a number of messages, 0 or more; got');
    expect(() => room.history({ last: last as number })).toThrow('the option "last" must be a number');
  }
  expect(add({ welcome: 'hello' })).toThrow(
    'the option "welcome" must be a function ({ position, complete }) => message',
  );
  expect(add({ sinc: '1' })).toThrow('unknown option "sinc"; did you mean "since"?');
  expect(() => room.history({ sinc: '1' } as never)).toThrow('unknown option "sinc"');
  expect(room.size).toBe(0);
});

test('a welcome that throws makes add reject, and the member is not in the group', async () => {
  const room = createGroups({ history: HISTORY }).group('a');
  const ann = new Listener();
  const welcome = (): string => {
    throw new Error('no');
  };
  await expect(room.add(ann, { welcome })).rejects.toThrow('no');
  await expect(room.add(new Listener(), { welcome: () => ({}) })).rejects.toThrow('send() takes a string');
  void room.send('one');
  expect([ann.got, room.size]).toEqual([[], 0]);
});

test('a welcome that throws neither ends a process that does not await add, nor stays unknown', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const warned = once(process, 'warning');
  const room = createGroups({ history: HISTORY }).group('a');
  const welcome = (): string => {
    throw new Error('no');
  };
  void room.add(new Listener(), { welcome });
  void room.add(new Listener(), { welcome, as: 'ann' });
  const [warning] = (await warned) as [Error & { code: string }];
  expect([warning.code, warning.message]).toEqual([
    'WEBSOCKET_GROUPS_WELCOME',
    'the function given as welcome failed, so a websocket has left the group: no',
  ]);
  await new Promise(setImmediate);
  expect([unhandled, room.size]).toEqual([[], 0]);
});
