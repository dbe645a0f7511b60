import { createGroups, type GroupsOptions, type HistoryOptions } from 'dwebsocket/groups';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { Listener } from './support/listener.js';

const LIMITS = { length: 100, age: 3_600_000 };

function open(stamp: HistoryOptions['stamp'], options: object = {}) {
  const groups = createGroups({ ...options, history: { ...LIMITS, stamp } } as GroupsOptions);
  onTestFinished(() => groups.close());
  return groups.group('a') as ReturnType<ReturnType<typeof createGroups<never>>['group']> & {
    send(value: unknown): PromiseLike<unknown>;
  };
}

async function sendAll(room: ReturnType<typeof open>, ...values: unknown[]) {
  const ann = new Listener();
  await room.add(ann);
  for (const value of values) void room.send(value);
  const again = new Listener();
  await room.add(again, { last: 100 });
  expect(again.got).toEqual(ann.got);
  expect(again.ids).toEqual(ann.ids);
  return ann;
}

test('the id becomes the first field of a value', async () => {
  const { got, ids } = await sendAll(open('id', { messages: 'json' }), { text: 'one' }, {}, { a: { id: 1 } });
  expect(got).toEqual([
    `{"id":"${ids[0]}","text":"one"}`,
    `{"id":"${ids[1]}"}`,
    `{"id":"${ids[2]}","a":{"id":1}}`,
  ]);
});

test('it becomes the first field of a text with a JSON object, too', async () => {
  const { got, ids } = await sendAll(
    open('message id'),
    ' {"text":"one"}',
    '{ }',
    Buffer.from('{"a":1}').toString(),
  );
  expect(got.map((text) => JSON.parse(String(text)) as unknown)).toEqual([
    { 'message id': ids[0], text: 'one' },
    { 'message id': ids[1] },
    { 'message id': ids[2], a: 1 },
  ]);
});

test('history returns the values with their ids', async () => {
  const room = open('id', { messages: 'json' });
  void room.send({ text: 'one' });
  const [entry] = await room.history();
  expect(entry!.message).toEqual({ id: entry!.id, text: 'one' });
});

test.for([[[1, 2]], ['text'], [null], [17], [Buffer.from('{}')]])(
  'a value that is no JSON object throws: %j',
  ([value]) => {
    const room = open('id', { messages: 'json' });
    expect(() => room.send(value)).toThrow(
      'send() takes a JSON object in this group, because history.stamp adds the field "id"',
    );
  },
);

test.for(['text', '[1]', '{"a":1', 'null', '{}{}', ''])('so does a text that is none: %j', async (text) => {
  const room = open('id');
  expect(() => room.send(text)).toThrow('for other messages use a function');
  expect(await room.history()).toEqual([]);
});

test.for([
  [{ messages: 'json' }, { id: 1 }],
  [{ messages: 'json' }, { id: null, text: 'one' }],
  [{}, '{"id":1}'],
  [{}, String.raw`{"\u0069d":1}`],
] as const)('an object that has the field already throws: %j, %j', async ([options, value]) => {
  const room = open('id', options);
  expect(() => room.send(value)).toThrow(
    'send() was given an object that has the field "id" already, which history.stamp adds; rename one of them',
  );
  expect(await room.history()).toEqual([]);
});

test('a function makes the message from the message and its id', async () => {
  const room = open((message: string | Buffer, id: string) => `${id} ${String(message)}`);
  const { got, ids } = await sendAll(room, 'one', Buffer.from('two'));
  expect(got).toEqual([`${ids[0]} one`, `${ids[1]} two`]);
});

test('with values it gets and returns a value, which the schema of sends does not check', async () => {
  const sends = z.strictObject({ text: z.string() });
  const room = open((value: object, id: string) => ({ ...value, id }), { sends });
  const { got, ids } = await sendAll(room, { text: 'one' });
  expect(got).toEqual([`{"text":"one","id":"${ids[0]}"}`]);
  expect(() => room.send({ text: 1 })).toThrow('does not fit');
});

test('a function that throws makes send throw, and nothing is kept or sent', async () => {
  const stamp = vi.fn((message: string) => message);
  const room = open(stamp);
  const ann = new Listener();
  await room.add(ann);
  stamp.mockImplementationOnce(() => {
    throw new Error('no');
  });
  expect(() => room.send('one')).toThrow('no');
  void room.send('two');
  expect([ann.got, (await room.history()).length]).toEqual([['two'], 1]);
});
