import { WebsocketError } from 'dwebsocket';
import {
  BackplaneError,
  type Backplane,
  type BackplaneEvents,
  createGroups,
  MemoryHub,
} from 'dwebsocket/groups';
import { describe, expect, test } from 'vitest';
import { collect } from '../support/collect.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { watchWarnings } from '../support/warnings.js';
import { FakeMember } from './support/members.js';

/** A backplane that the test controls, and that records its calls. */
function script(overrides: Partial<Backplane> = {}) {
  const asked: string[] = [];
  const published = new Inbox<Buffer>();
  let events!: BackplaneEvents;
  const note = async (what: string) => {
    asked.push(what);
  };
  const backplane: Backplane = {
    start: (given) => (events = given),
    publish: (channel, data) => {
      published.push(data);
      return note(`publish ${channel}`);
    },
    subscribe: (channel) => note(`subscribe ${channel}`),
    unsubscribe: (channel) => note(`unsubscribe ${channel}`),
    close: () => note('close'),
    ...overrides,
  };
  const groups = createGroups({ backplane });
  return { groups, asked, published, events };
}

/** Resolves after all pending microtasks. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('group(name)', () => {
  test('returns the same group for the same name', () => {
    const groups = createGroups();
    expect(groups.group('a')).toBe(groups.group('a'));
    expect(groups.group('a')).not.toBe(groups.group('b'));
    expect(groups.group('__proto__').name).toBe('__proto__');
  });

  test('a name that is not a string throws', () => {
    expect(() => createGroups().group(undefined as never)).toThrow(
      'group() takes a string as name; got undefined',
    );
  });

  test.each(['\ud800', 'a\udfff', '\ude00\ud83d', 'x'.repeat(100) + '😀'.slice(0, 1)])(
    'a name with half of a surrogate pair throws, with a backplane or without: %j',
    (name) => {
      for (const groups of [createGroups(), createGroups({ backplane: new MemoryHub().connect() })]) {
        expect(() => groups.group(name)).toThrow(/half of a surrogate pair. Call name.toWellFormed\(\)/);
        expect(() => groups.group(name)).toThrow(RangeError);
      }
    },
  );

  test('every other string names a different group', () => {
    const groups = createGroups();
    const names = ['', ' ', '😀', '\uffff', '\ufffd', '\ufeff', 'é', 'e\u0301', 'a\0', '{a}', 'constructor'];
    expect(new Set(names.map((name) => groups.group(name))).size).toBe(names.length);
  });

  test('unused empty groups are collected, and groups with members stay', async () => {
    const groups = createGroups();
    const member = new FakeMember();
    void groups.group('full').add(member);
    const gone = new Set(Array.from({ length: 1_000 }, (_, index) => index));
    const registry = new FinalizationRegistry<number>((index) => gone.delete(index));
    // In a separate function, so that no variable refers to the last group.
    const touch = (index: number) => {
      const group = groups.group(String(index));
      registry.register(group, index);
      group.send('nobody is here');
    };
    for (const index of gone) touch(index);
    for (let round = 0; gone.size > 0 && round < 100; round++) await collect();
    expect(gone.size).toBe(0);
    groups.group('full').send('still here');
    expect(member.got).toEqual(['still here']);
  });
});

describe('options', () => {
  test('a Redis client as backplane throws, and the error names redisBackplane()', () => {
    const client = { publish() {}, subscribe() {}, unsubscribe() {}, duplicate() {} };
    expect(() => createGroups({ backplane: client as never })).toThrow(
      /missing: start, close; for a client, pass redisBackplane\(client\), natsBackplane/,
    );
  });

  test('an unknown option and a wrong type throw', () => {
    expect(() => createGroups({ backplan: {} } as never)).toThrow(
      /unknown option "backplan"; did you mean "backplane"\?/,
    );
    for (const backplane of [null, 1, 'redis', {}]) {
      expect(() => createGroups({ backplane: backplane as never })).toThrow(
        expect.objectContaining({ code: 'ERR_WEBSOCKET_OPTION', option: 'backplane' }),
      );
    }
  });
});

describe('lost messages', () => {
  /** The messages of one process, of which the test drops some, and a process that receives the others. */
  function openPair() {
    const sender = script();
    const receiver = script();
    const missed: unknown[] = [];
    receiver.groups.on('missed', (info) => missed.push(info));
    const send = (count: number) => {
      for (let sent = 0; sent < count; sent++) sender.groups.group('a').send('x');
      return sender.published.rest();
    };
    return { sender, receiver, missed, send };
  }

  test("are counted by 'missed' with the next message of the same process", async () => {
    const { receiver, missed, send } = openPair();
    const member = new FakeMember();
    await receiver.groups.group('a').add(member);
    const [one, , , four, five] = send(5);
    for (const data of [one!, four!, five!]) receiver.events.message('a', data);
    await nextTurn();
    expect([member.got.length, missed]).toEqual([3, [{ group: 'a', count: 2 }]]);
  });

  test('are not reported again after the backplane has reported them', async () => {
    const { receiver, missed, send } = openPair();
    await receiver.groups.group('a').add(new FakeMember());
    const [one, , three] = send(3);
    receiver.events.message('a', one!);
    receiver.events.missed('a', 1);
    receiver.events.message('a', three!);
    await nextTurn();
    expect(missed).toEqual([{ group: 'a', count: 1 }]);
  });

  test('are not reported for a time without members, or for other groups', async () => {
    const { sender, receiver, missed, send } = openPair();
    const group = receiver.groups.group('a');
    const [first, second] = [new FakeMember(), new FakeMember()];
    await group.add(first);
    const [one, two, three] = send(3);
    receiver.events.message('a', one!);
    group.delete(first);
    receiver.events.message('a', two!);
    void group.add(second);
    receiver.events.message('a', three!);
    sender.groups.group('b').send('elsewhere');
    sender.published.rest();
    receiver.events.message('a', send(1)[0]!);
    await nextTurn();
    expect([first.got.length, second.got.length, missed]).toEqual([1, 2, []]);
  });
});

describe('over a backplane', () => {
  test('a channel is subscribed while the group has members', async () => {
    const { groups, asked } = script();
    const [one, two] = [new FakeMember(), new FakeMember()];
    groups.group('empty').send('x');
    expect(await groups.group('a').add(one)).toBe(true);
    expect(await groups.group('a').add(two)).toBe(true);
    one.leave();
    await nextTurn();
    expect(asked).toEqual(['publish empty', 'subscribe a']);
    two.leave();
    await nextTurn();
    expect(asked).toEqual(['publish empty', 'subscribe a', 'unsubscribe a']);
  });

  test('joins and leaves during a pending subscription end in the right state, with one call at a time', async () => {
    const steps = new Inbox<{ what: string; resolve: () => void }>();
    const slow = (what: string) => {
      const { promise, resolve } = defer();
      steps.push({ what, resolve });
      return promise;
    };
    const { groups } = script({
      subscribe: () => slow('subscribe'),
      unsubscribe: () => slow('unsubscribe'),
    });
    const group = groups.group('a');
    const member = new FakeMember();
    const first = group.add(member);
    group.delete(member);
    expect(await first).toBe(false);
    const second = group.add(member);
    group.delete(member);
    const third = group.add(member);
    const subscribe = await steps.next();
    expect([subscribe.what, steps.rest()]).toEqual(['subscribe', []]);
    subscribe.resolve();
    expect(await Promise.all([second, third])).toEqual([false, true]);
    group.delete(member);
    const unsubscribe = await steps.next();
    const fourth = group.add(member);
    await nextTurn();
    expect([unsubscribe.what, steps.rest()]).toEqual(['unsubscribe', []]);
    unsubscribe.resolve();
    const again = await steps.next();
    expect(again.what).toBe('subscribe');
    again.resolve();
    expect(await fourth).toBe(true);
  });

  test("a failed subscription emits 'refused', and is retried", async () => {
    let fails = 2;
    const { groups } = script({
      subscribe: async () => {
        if (fails-- > 0) throw new Error('not allowed');
      },
    });
    const recorded = new Inbox<BackplaneError>();
    const subscribed = new Inbox<boolean>();
    groups.on('refused', (error) => recorded.push(error));
    const member = new FakeMember();
    expect(await groups.group('a').add(member)).toBe(false);
    expect(await recorded.next()).toMatchObject({
      code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED',
      group: 'a',
      message: expect.stringContaining('not allowed'),
    });
    await recorded.next();
    const poll = async () => {
      while (!(await groups.group('a').add(member))) await nextTurn();
      subscribed.push(true);
    };
    void poll();
    expect(await subscribed.next()).toBe(true);
    await groups.close();
  });

  test('a backplane that throws where it should reject causes no exception', async () => {
    const thrower = () => {
      throw new Error('broken');
    };
    const { groups } = script({ publish: thrower, subscribe: thrower, unsubscribe: thrower, close: thrower });
    const warnings = watchWarnings();
    const member = new FakeMember();
    expect(await groups.group('a').add(member)).toBe(false);
    expect((await warnings.next()).message).toMatch(
      /broken; the subscription will be retried; .*groups\.on\('refused'/,
    );
    expect(await groups.group('a').send('x')).toMatchObject({
      local: 1,
      backplane: false,
      error: { message: 'broken' },
    });
    await groups.close();
  });

  test('send resolves with the result of the backplane, and never rejects', async () => {
    const replies = [Promise.resolve(3), Promise.resolve('later'), Promise.reject(new Error('cut off'))];
    const { groups } = script({ publish: () => replies.shift()! });
    const group = groups.group('a');
    expect(await group.send('1')).toEqual({ local: 0, backplane: true, error: null });
    expect(await group.send('2')).toEqual({ local: 0, backplane: 'later', error: null });
    expect(await group.send('3')).toMatchObject({
      local: 0,
      backplane: false,
      error: { message: 'cut off' },
    });
  });

  test('members of this process receive a message before the backplane has accepted it', async () => {
    const { groups } = script({ publish: () => new Promise(() => {}) });
    const member = new FakeMember();
    void groups.group('a').add(member);
    groups.group('a').send('at once');
    expect(member.got).toEqual(['at once']);
  });

  test('a message that returns to its own process is not delivered again', async () => {
    const { groups, published, events } = script();
    const member = new FakeMember();
    await groups.group('a').add(member);
    groups.group('a').send('once');
    events.message('a', await published.next());
    expect(member.got).toEqual(['once']);
  });

  test('a duplicate is delivered once', async () => {
    const sender = script();
    const receiver = script();
    const member = new FakeMember();
    await receiver.groups.group('a').add(member);
    for (const text of ['1', '2', '3']) sender.groups.group('a').send(text);
    const [one, two, three] = sender.published.rest();
    // As when a client repeats commands after the connection broke.
    for (const data of [one, two, one, two, three, three]) receiver.events.message('a', data!);
    expect(member.got).toEqual(['1', '2', '3']);
  });

  test('a message for a group without members is ignored', async () => {
    const sender = script();
    const receiver = script();
    sender.groups.group('a').send('x');
    const data = await sender.published.next();
    const member = new FakeMember();
    receiver.events.message('a', data);
    await receiver.groups.group('a').add(member);
    receiver.groups.group('a').delete(member);
    receiver.events.message('a', data);
    expect(member.got).toEqual([]);
  });

  test("a message of another program warns once if 'refused' has no listener", async () => {
    const warnings = watchWarnings();
    const { groups, events } = script();
    await groups.group('a').add(new FakeMember());
    for (let round = 0; round < 3; round++) events.message('a', Buffer.from('hello'));
    expect((await warnings.next()).message).toMatch(/group "a": dwebsocket did not send it\. .*prefix/);
    await nextTurn();
    expect(warnings.rest()).toEqual([]);
  });

  test("invalid messages are ignored and emit 'refused'", async () => {
    const { groups, events } = script();
    const recorded = new Inbox<BackplaneError>();
    groups.on('refused', (error) => recorded.push(error));
    const member = new FakeMember();
    await groups.group('a').add(member);
    const head = Buffer.concat([Buffer.from('dw\x01'), Buffer.from([1]), Buffer.alloc(22)]);
    const withByte = (at: number, value: number) => {
      const copy = Buffer.from(head);
      copy[at] = value;
      return copy;
    };
    const invalid: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /dwebsocket did not send it/],
      [Buffer.from('hello, this is somebody else'), /dwebsocket did not send it/],
      [withByte(2, 2), /format version 2, and this process reads 1/],
      [withByte(3, 9), /kind is unknown \(9\)/],
      [Buffer.concat([head, Buffer.from([0xff, 0xfe])]), /not UTF-8/],
      [withByte(3, 3), /close code/],
      [Buffer.concat([withByte(3, 3), Buffer.from([0x03, 0xed])]), /close code/],
      [Buffer.concat([withByte(3, 3), Buffer.from([0x03, 0xe8]), Buffer.alloc(124, 'x')]), /close reason/],
    ];
    for (const [data, reason] of invalid) {
      events.message('a', data);
      const error = await recorded.next();
      expect(error.message).toMatch(reason);
      expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_STRANGER', group: 'a' });
    }
    expect([member.got, member.closes]).toEqual([[], []]);
  });
});

describe('an outage', () => {
  test("emits 'cutOff' and 'back', and groups still work in this process", async () => {
    const hub = new MemoryHub();
    const here = createGroups({ backplane: hub.connect() });
    const there = createGroups({ backplane: hub.connect() });
    const recorded = new Inbox<string>();
    here.on('cutOff', (error) => recorded.push(error.message));
    here.on('back', ({ after }) => recorded.push(`back after ${typeof after}`));
    there.on('cutOff', () => {});
    const [near, far] = [new FakeMember(), new FakeMember()];
    await here.group('a').add(near);
    await there.group('a').add(far);
    hub.cutOff();
    expect([here.isCutOff(), await recorded.next()]).toEqual([true, 'the hub is cut off; call restore()']);
    expect(await here.group('a').send('here only')).toMatchObject({
      local: 1,
      backplane: false,
      error: { code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF' },
    });
    hub.restore();
    expect([here.isCutOff(), await recorded.next()]).toEqual([false, 'back after number']);
    await here.group('a').send('everywhere');
    expect(await far.inbox.next()).toBe('everywhere');
    expect(near.got).toEqual(['here only', 'everywhere']);
  });

  test("warns once if 'cutOff' has no listener", async () => {
    const warnings = watchWarnings();
    const hub = new MemoryHub();
    const groups = createGroups({ backplane: hub.connect() });
    for (let round = 0; round < 3; round++) {
      hub.cutOff();
      hub.restore();
    }
    expect((await warnings.next()).message).toMatch(/^the hub is cut off.*groups\.on\('cutOff', …\)/);
    await nextTurn();
    expect(warnings.rest()).toEqual([]);
    await groups.close();
  });

  test("emits 'cutOff' if it began before createGroups()", async () => {
    const hub = new MemoryHub();
    hub.cutOff();
    const groups = createGroups({ backplane: hub.connect() });
    const recorded = new Inbox<Error>();
    groups.on('cutOff', (error) => recorded.push(error));
    expect(await recorded.next()).toBeInstanceOf(WebsocketError);
    const member = new FakeMember();
    expect(await groups.group('a').add(member)).toBe(false);
    hub.restore();
    expect(await groups.group('a').add(member)).toBe(true);
  });

  test("emits 'missed' and 'dropped' with the name of the group", async () => {
    const { groups, events } = script();
    const recorded = new Inbox<unknown>();
    groups.on('missed', (info) => recorded.push(info));
    groups.on('dropped', (info) => recorded.push(info));
    events.missed('a', 7);
    events.missed('b', undefined);
    const error = new Error('full');
    events.dropped('c', 2, error);
    expect([await recorded.next(), await recorded.next(), await recorded.next()]).toEqual([
      { group: 'a', count: 7 },
      { group: 'b', count: undefined },
      { group: 'c', count: 2, error },
    ]);
  });
});

describe('close', () => {
  test('members leave and stay open, the backplane closes, and groups still work in this process', async () => {
    const { groups, asked } = script();
    const member = new FakeMember();
    const group = groups.group('a');
    await group.add(member);
    await groups.close();
    await groups.close();
    expect(asked).toEqual(['subscribe a', 'unsubscribe a', 'close']);
    expect([group.size, member.closes]).toEqual([0, []]);
    expect(await group.add(member)).toBe(false);
    expect(await group.send('here')).toMatchObject({
      local: 1,
      backplane: false,
      error: { code: 'ERR_WEBSOCKET_BACKPLANE_CLOSED' },
    });
  });

  test('`await using` closes the groups', async () => {
    const { groups, asked } = script();
    await within(groups[Symbol.asyncDispose](), 'close');
    expect(asked).toEqual(['close']);
  });
});

test('instanceof recognizes errors by their code', () => {
  const error = new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CUT_OFF', 'x', { group: 'a' });
  expect(error).toBeInstanceOf(WebsocketError);
  expect(error).toBeInstanceOf(Error);
  expect(Object.assign(new Error('x'), { code: error.code })).toBeInstanceOf(BackplaneError);
  expect(new WebsocketError('ERR_WEBSOCKET_CLOSED', 'x')).not.toBeInstanceOf(BackplaneError);
  expect([error.name, error.group]).toEqual(['BackplaneError', 'a']);
});

test('wrong options of send throw, and nothing is sent', () => {
  const room = createGroups().group('a');
  const ann = new FakeMember();
  void room.add(ann);
  const send = (options: unknown) => () => room.send('one', options as never);
  expect(send({ excpet: ann })).toThrow('unknown option "excpet"; did you mean "except"?');
  for (const options of [null, 5, 'text', [ann]]) expect(send(options)).toThrow('options');
  for (const except of [5, 'ann', {}])
    expect(send({ except })).toThrow(
      'the option "except" must be a member (req.websocket), or several in an array or a set; got ',
    );
  expect(ann.got).toEqual([]);
  void room.send('two', { except: null, binary: undefined, latest: undefined });
  void room.send('three', undefined);
  for (const except of [[ann], new Set([ann])]) void room.send('four', { except });
  expect(ann.got).toEqual(['two', 'three']);
});
