import { requireWebsocket } from 'dwebsocket';
import {
  createGroups,
  type Group,
  type Groups,
  type GroupsOptions,
  type HistoryStart,
} from 'dwebsocket/groups';
import express from 'express';
import { expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../../support/client.js';
import { collect } from '../../support/collect.js';
import { defer } from '../../support/inbox.js';
import { serve } from '../../support/serve.js';
import { FakeMember } from '../support/members.js';
import { Listener } from './support/listener.js';

const HOUR = 3_600_000;

function open(history: Partial<GroupsOptions['history']> = {}): Groups {
  const groups = createGroups({ history: { length: 100, age: HOUR, ...history } });
  onTestFinished(() => groups.close());
  return groups;
}

const idsOf = async (group: Group): Promise<string[]> => (await group.history()).map(({ id }) => id);

test('a new member gets the last messages, and then the new ones', async () => {
  const room = open().group('a');
  for (const text of ['one', 'two', 'three']) void room.send(text);
  const ann = new Listener();
  expect(await room.add(ann, { last: 2, welcome: ann.welcome })).toBe(true);
  void room.send('four');
  expect(ann.got).toEqual(['welcome true', 'two', 'three', 'four']);
});

test('a member that comes back gets exactly what it has missed', async () => {
  const room = open().group('a');
  const ann = new Listener();
  await room.add(ann, { welcome: ann.welcome });
  for (const text of ['one', 'two']) void room.send(text);
  room.delete(ann);
  for (const text of ['three', 'four']) void room.send(text);
  const again = new Listener();
  await room.add(again, { since: ann.ids.at(-1), last: 20, welcome: again.welcome });
  void room.send('five');
  expect(again.got).toEqual(['welcome true', 'three', 'four', 'five']);
  expect([...ann.ids, ...again.ids]).toEqual(await idsOf(room));
});

test('a member can come back with its position before it has had a message', async () => {
  const room = open().group('a');
  const ann = new Listener();
  await room.add(ann, { welcome: ann.welcome });
  room.delete(ann);
  void room.send('one');
  const again = new Listener();
  await room.add(again, { since: ann.starts[0]!.position, welcome: again.welcome });
  expect(again.got).toEqual(['welcome true', 'one']);
});

test('the position of a member that asks for the last messages is before those', async () => {
  const room = open().group('a');
  for (const text of ['one', 'two', 'three']) void room.send(text);
  const ann = new Listener();
  await room.add(ann, { last: 2, welcome: ann.welcome });
  const again = new Listener();
  await room.add(again, { since: ann.starts[0]!.position, welcome: again.welcome });
  expect(again.got).toEqual(['welcome true', 'two', 'three']);
});

test('a member whose last message is no longer kept is told so, and gets everything that is kept', async () => {
  const room = open({ length: 2 }).group('a');
  const ann = new Listener();
  await room.add(ann);
  for (const text of ['one', 'two', 'three', 'four']) void room.send(text);
  const [one, two] = ann.ids;
  const [late, inTime] = [new Listener(), new Listener()];
  await room.add(late, { since: one, welcome: late.welcome });
  expect(late.got).toEqual(['welcome false', 'three', 'four']);
  // "two" is the last message that is not kept, so nothing is missing after it.
  await room.add(inTime, { since: two, welcome: inTime.welcome });
  expect(inTime.got).toEqual(['welcome true', 'three', 'four']);
});

test.for([
  'nonsense',
  '1-1',
  '~1-1',
  '9999999999999-1',
  '../../etc/passwd',
  ['a', 'b'],
  { a: '1' },
  17,
  '0-0',
  `${'1'.repeat(400)}-1`,
])('an id that is none counts as too old: %j', async (since) => {
  const room = open().group('a');
  void room.send('one');
  const ann = new Listener();
  await room.add(ann, { since, last: 0, welcome: ann.welcome });
  expect(ann.got).toEqual(['welcome false', 'one']);
});

test.for([undefined, null, ''])('without an id (%j) a member gets the last messages', async (since) => {
  const room = open().group('a');
  for (const text of ['one', 'two']) void room.send(text);
  const ann = new Listener();
  await room.add(ann, { since, last: 1, welcome: ann.welcome });
  expect(ann.got).toEqual(['welcome true', 'two']);
});

test('after a restart, every id of the earlier process is too old', async () => {
  const before = open().group('a');
  const ann = new Listener();
  await before.add(ann, { welcome: ann.welcome });
  void before.send('one');
  const after = open().group('a');
  for (const since of [ann.starts[0]!.position, ann.ids[0]]) {
    const again = new Listener();
    await after.add(again, { since, welcome: again.welcome });
    expect(again.starts).toMatchObject([{ complete: false }]);
  }
});

test('a message that is sent right after add arrives once, after what was kept', async () => {
  const room = open().group('a');
  void room.send('one');
  const ann = new Listener();
  const added = room.add(ann, { last: 5, welcome: ann.welcome });
  void room.send('two');
  await added;
  void room.send('three');
  expect(ann.got).toEqual(['welcome true', 'one', 'two', 'three']);
});

test('a member that does not read is given nothing more until it does, and then everything in order', async () => {
  const room = open().group('a');
  for (let number = 0; number < 10; number++) void room.send(String(number));
  const gates = [defer(), defer()];
  const got: string[] = [];
  const slow = {
    closed: new Promise<void>(() => {}),
    send: (message: string | Buffer) => {
      got.push(String(message));
      return gates[got.length - 1]?.promise;
    },
  };
  const added = room.add(slow, { last: 3 });
  const { local } = await room.send('10');
  expect(local).toBe(1);
  await new Promise(setImmediate);
  expect(got).toEqual(['7']);
  void room.send('11');
  for (const gate of gates) gate.resolve();
  expect(await added).toBe(true);
  expect(got).toEqual(['7', '8', '9', '10', '11']);
});

test('a member so slow that messages are dropped meanwhile is told so', async () => {
  const room = open({ length: 2 }).group('a');
  for (let number = 0; number < 2; number++) void room.send(String(number));
  const gate = defer();
  const slow = new Listener();
  const send = slow.send.bind(slow);
  slow.send = (...args) => {
    send(...args);
    return slow.got.length === 2 ? (gate.promise as never) : undefined;
  };
  const added = room.add(slow, { last: 2, welcome: slow.welcome });
  await new Promise(setImmediate);
  for (let number = 2; number < 2_000; number++) void room.send(String(number));
  gate.resolve();
  await added;
  const [welcome, first, second, third] = slow.got;
  expect([welcome, first, second]).toEqual(['welcome true', '0', 'welcome false']);
  const rest = slow.got.slice(3).map(Number);
  expect(Number(third)).toBeGreaterThan(1);
  expect(rest).toEqual(Array.from({ length: 2_000 - rest[0]! }, (_, index) => rest[0]! + index));
});

test('a member that leaves while it joins gets nothing more, and leaves nothing behind', async () => {
  const room = open().group('a');
  for (let number = 0; number < 10; number++) void room.send(String(number));
  const gate = defer();
  const got: unknown[] = [];
  const leaving = new FakeMember();
  leaving.send = (message) => {
    got.push(message);
    return gate.promise as never;
  };
  const added = room.add(leaving, { last: 10 });
  await new Promise(setImmediate);
  leaving.leave();
  expect(await added).toBe(false);
  gate.resolve();
  await new Promise(setImmediate);
  expect(got).toEqual(['0']);
  expect([room.size, room.has(leaving)]).toEqual([0, false]);
});

const TEXTS = ['one', 'two', 'three', 'mine', 'last'];

test('a group that closes first gives its members what they have not read yet', async () => {
  const room = open({ stamp: (message: string, id) => `${message} ${id}` }).group('a');
  for (const text of ['one', 'two', 'three']) void room.send(text);
  const slow = new Listener();
  const send = slow.send.bind(slow);
  slow.send = (...args) => (send(...args), new Promise(() => {}) as never);
  const added = room.add(slow, { last: 3, welcome: slow.welcome });
  void room.send('mine', { except: slow });
  void room.send('last');
  await room.close(4000, 'over');
  const ids = await idsOf(room);
  expect(slow.got).toEqual(['welcome true', ...[0, 1, 2, 4].map((at) => `${TEXTS[at]} ${ids[at]}`)]);
  expect([slow.closes, await added, room.size]).toEqual([[[4000, 'over']], true, 0]);
});

test('a websocket that still reads the history gets all of it before the group closes it', async () => {
  const room = open().group('a');
  for (let number = 0; number < 40; number++) void room.send(`${number} ${'x'.repeat(100_000)}`);
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      void room.add(req.websocket, { last: 50 });
      void room.send('the room closes');
      await room.close(4001);
    }),
  );
  const client = await connect(await serve(app), '/');
  for (let number = 0; number < 40; number++)
    expect(String(await client.next()).split(' ')[0]).toBe(String(number));
  expect(String(await client.next())).toBe('the room closes');
  expect((await client.closed()).code).toBe(4001);
});

test('a message that excludes a member does not reach it while it joins either', async () => {
  const room = open().group('a');
  void room.send('one');
  const ann = new Listener();
  const added = room.add(ann, { last: 5 });
  void room.send('mine', { except: ann });
  void room.send('two');
  await added;
  expect(ann.got).toEqual(['one', 'two']);
  expect((await room.history()).map(({ message }) => message)).toEqual(['one', 'mine', 'two']);
});

test('messages that exclude a member take no memory without bound while it is slow to join', async () => {
  const room = open({ length: 10 }).group('a');
  void room.send('one');
  const gate = defer();
  const got: string[] = [];
  const slow = {
    closed: new Promise<void>(() => {}),
    send: (message: string | Buffer) => {
      got.push(String(message));
      return gate.promise;
    },
  };
  const added = room.add(slow, { last: 5 });
  await collect();
  const before = process.memoryUsage().heapUsed;
  for (let number = 0; number < 200_000; number++) void room.send('mine', { except: slow });
  await collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
  void room.send('last');
  gate.resolve();
  await added;
  expect(got).toEqual(['one', 'last']);
});

test('history returns the messages with ids and times, after an id or the last ones', async () => {
  const room = open().group('a');
  const start = Date.now();
  for (const message of ['one', Buffer.from([1, 2]), 'three']) void room.send(message);
  const all = await room.history();
  expect(all.map(({ message }) => message)).toEqual(['one', Buffer.from([1, 2]), 'three']);
  for (const { time } of all) expect(time).toBeGreaterThanOrEqual(start);
  expect(await room.history({ since: all[0]!.id })).toEqual(all.slice(1));
  expect(await room.history({ last: 1 })).toEqual(all.slice(2));
  expect(await room.history({ last: 0 })).toEqual([]);
  expect(await open().group('b').history()).toEqual([]);
});

test('history also returns a text that is not JSON, which was sent as bytes', async () => {
  const groups = createGroups({ messages: 'json', history: { length: 5, age: HOUR } });
  onTestFinished(() => groups.close());
  const room = groups.group('a');
  void room.send({ a: 1 });
  for (const text of ['plain text', '[2]']) void room.send(Buffer.from(text), { binary: false });
  expect((await room.history()).map(({ message }) => message)).toEqual([{ a: 1 }, 'plain text', [2]]);
});

test('what is kept is a copy, so the app may reuse its buffer', async () => {
  const room = open().group('a');
  const buffer = Buffer.from('one');
  void room.send(buffer);
  buffer.fill('x');
  expect((await room.history())[0]!.message).toEqual(Buffer.from('one'));
});

test('what history returns is a copy, so the app may change it', async () => {
  const room = open().group('a');
  void room.send(Buffer.from('one'));
  const [one] = await room.history();
  (one!.message as Buffer).fill('x');
  expect((await room.history())[0]!.message).toEqual(Buffer.from('one'));
});

test('a group without members keeps its messages', async () => {
  const groups = open();
  void groups.group('a').send('one');
  await collect();
  const ann = new Listener();
  await groups.group('a').add(ann, { last: 5 });
  expect(ann.got).toEqual(['one']);
});

test('who leaves before anything was said comes back, and nothing is missing', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const groups = open({ age: 400 });
  const old = new WeakRef(groups.group('old'));
  void old.deref()!.send('one');
  vi.setSystemTime(Date.now() + 300);
  const ann = new Listener();
  await groups.group('a').add(ann, { welcome: ann.welcome });
  groups.group('a').delete(ann);
  vi.setSystemTime(Date.now() + 200);
  // The sweep that drops this group has seen the other one, too.
  await expect.poll(() => collect().then(() => old.deref() === undefined)).toBe(true);
  const again = new Listener();
  await groups.group('a').add(again, { since: ann.starts[0]!.position, welcome: again.welcome });
  expect(again.got).toEqual(['welcome true']);
});

test('empty groups that strangers name take a bounded memory', async () => {
  const groups = open({ maxBytes: 100_000 });
  const refs: WeakRef<Group>[] = [];
  for (let number = 0; number < 1_000; number++) {
    const member = new Listener();
    const room = groups.group(`room ${number}`);
    await room.add(member);
    room.delete(member);
    refs.push(new WeakRef(room));
  }
  await expect.poll(() => collect().then(() => count(refs))).toBeLessThanOrEqual(50);
  expect(count(refs)).toBeGreaterThan(10);
});

const count = (refs: WeakRef<Group>[]): number => refs.filter((ref) => ref.deref() !== undefined).length;

test('messages are dropped when they are too old', async () => {
  const room = open({ age: 200 }).group('a');
  const ann = new Listener();
  await room.add(ann);
  void room.send('one');
  await expect.poll(() => room.history()).toEqual([]);
  void room.send('two');
  const again = new Listener();
  await room.add(again, { since: ann.ids[0], welcome: again.welcome });
  expect(again.got).toEqual(['welcome true', 'two']);
});

test('the memory of all groups together is bounded', async () => {
  const groups = open({ length: 1_000, maxBytes: 200_000 });
  const text = 'x'.repeat(1_000);
  for (let number = 0; number < 1_000; number++) void groups.group(`room ${number % 20}`).send(text);
  const counts = await Promise.all(
    Array.from({ length: 20 }, async (_, number) => (await groups.group(`room ${number}`).history()).length),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  expect(total).toBeGreaterThan(20);
  expect(total * 2_000).toBeLessThanOrEqual(200_000);
});

test('with many groups it is bounded, too', async () => {
  const groups = open({ maxBytes: 100_000 });
  for (let number = 0; number < 1_000; number++) void groups.group(`room ${number}`).send('x');
  let total = 0;
  for (let number = 0; number < 1_000; number++)
    total += (await groups.group(`room ${number}`).history()).length;
  expect(total).toBeGreaterThan(10);
  expect(total).toBeLessThanOrEqual(100);
});

test('websockets get what was kept and what is new, also values', async () => {
  const groups = createGroups({ messages: 'json', history: { length: 10, age: HOUR, stamp: 'id' } });
  onTestFinished(() => groups.close());
  const app = express();
  app.get(
    '/chat',
    requireWebsocket(async (req) => {
      const room = groups.group('a');
      await room.add(req.websocket, {
        since: req.query.since,
        last: 2,
        welcome: (start) => start,
      });
      for await (const text of req.websocket) room.send({ text });
    }),
  );
  const site = await serve(app);
  const ann = await connect(site, '/chat');
  const start = JSON.parse(String(await ann.next())) as HistoryStart;
  expect(start.complete).toBe(true);
  ann.send('one');
  ann.send('two');
  const [one, two] = [String(await ann.next()), String(await ann.next())].map(
    (text) => JSON.parse(text) as { id: string; text: string },
  );
  expect([one!.text, two!.text]).toEqual(['one', 'two']);
  const ben = await connect(site, `/chat?since=${one!.id}`);
  expect(JSON.parse(String(await ben.next()))).toEqual({ position: one!.id, complete: true });
  expect(JSON.parse(String(await ben.next()))).toEqual(two);
  const cleo = await connect(site, `/chat?since=${start.position}`);
  await cleo.next();
  expect([JSON.parse(String(await cleo.next())), JSON.parse(String(await cleo.next()))]).toEqual([one, two]);
});
