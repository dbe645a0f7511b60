import {
  type BackplaneError,
  createGroups,
  type Group,
  type Groups,
  MemoryHub,
  type Person,
} from 'dwebsocket/groups';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { collect } from '../../support/collect.js';
import { Inbox, within } from '../../support/inbox.js';
import { openPair } from '../../support/pair.js';
import { FakeMember } from '../support/members.js';
import { Wire } from '../support/wire.js';

/** A process for which a killed one is gone after this time, in milliseconds. */
const GONE = 10_000;

// Some tests wait for several beats of two seconds each. So they run at the same time, and share the end.
const opened: Groups[] = [];
afterAll(() => Promise.all(opened.map((groups) => groups.close())));

/** A process of its own, as far as groups can tell. */
function openProcess(hub: MemoryHub) {
  const wire = new Wire(hub.connect());
  const groups = createGroups({ backplane: wire });
  opened.push(groups);
  groups.on('cutOff', () => {});
  return { wire, groups, room: groups.group('room') };
}

const openProcesses = (count: number, hub = new MemoryHub()) =>
  Array.from({ length: count }, () => openProcess(hub));

/** The events of a group as texts, in order: "+ann", "-ann". */
function record(group: Group): Inbox<string> {
  const events = new Inbox<string>();
  group.on('join', ({ as }) => events.push(`+${String(as)}`));
  group.on('leave', ({ as }) => events.push(`-${String(as)}`));
  return events;
}

/** "ann, ben 2": who is there, with the number of websockets. */
const describePeople = (people: readonly Person[]) =>
  people
    .map(({ as, websockets }) => `${String(as)}${websockets === 1 ? '' : ` ${websockets}`}`)
    .sort()
    .join(', ');

/** Waits until the people of a group are these. */
async function expectPeople(group: Group, expected: string, timeout = 5_000): Promise<void> {
  await vi.waitFor(() => expect(describePeople(group.people)).toBe(expected), { timeout, interval: 5 });
}

async function addPerson(group: Group, as: unknown): Promise<FakeMember> {
  const member = new FakeMember();
  await group.add(member, { as });
  return member;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('in one process', () => {
  test('people has an entry for each different `as`, with the number of websockets', async () => {
    const room = createGroups().group('room');
    expect(room.people).toEqual([]);
    await addPerson(room, 'ann');
    const tab = await addPerson(room, 'ben');
    await addPerson(room, 'ben');
    void room.add(new FakeMember());
    expect(room.people).toEqual([
      { as: 'ann', websockets: 1 },
      { as: 'ben', websockets: 2 },
    ]);
    room.delete(tab);
    expect(room.people.map(({ websockets }) => websockets)).toEqual([1, 1]);
    expect(room.people).toBe(room.people);
  });

  test('two tabs of one person join once and leave once', async () => {
    const room = createGroups().group('room');
    const events = record(room);
    const first = await addPerson(room, 'ann');
    expect(await events.next()).toBe('+ann');
    const second = await addPerson(room, 'ann');
    first.leave();
    await nextTurn();
    await addPerson(room, 'ben');
    expect(await events.next()).toBe('+ben');
    second.leave();
    expect(await events.next()).toBe('-ann');
    expect(describePeople(room.people)).toBe('ben');
  });

  test('a real websocket leaves when its client does', async () => {
    const { websocket, client } = await openPair();
    const room = createGroups().group('room');
    void room.add(websocket, { as: { id: 7 } });
    const left = new Inbox<Person>();
    room.on('leave', (person) => left.push(person));
    await client.close();
    expect(await left.next()).toEqual({ as: { id: 7 }, websockets: 0 });
    expect(room.people).toEqual([]);
  });

  test('equal JSON values are one person, whatever the order of their names', () => {
    const room = createGroups().group('room');
    for (const as of [
      { id: 1, tags: ['a', { x: null, y: 2 }] },
      { tags: ['a', { y: 2, x: null }], id: 1 },
    ])
      void room.add(new FakeMember(), { as });
    for (const as of [1, '1', [1], null, true, '', { id: '1' }, { 10: 'a', 9: 'b' }, { 9: 'b', 10: 'a' }])
      void room.add(new FakeMember(), { as });
    expect(room.people.map(({ websockets }) => websockets)).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 2]);
  });

  test('the value is a frozen copy', () => {
    const room = createGroups().group('room');
    const user = { name: 'ann', roles: ['admin'] };
    void room.add(new FakeMember(), { as: user });
    user.roles.push('other');
    const [person] = room.people as unknown as [{ as: typeof user }];
    expect(person.as).toEqual({ name: 'ann', roles: ['admin'] });
    expect(() => person.as.roles.push('x')).toThrow(TypeError);
    expect(() => (room.people as Person[]).push(person as never)).toThrow(TypeError);
  });

  test('another add changes who a websocket is; without `as` it changes nothing', async () => {
    const room = createGroups().group('room');
    const events = record(room);
    const member = await addPerson(room, 'guest');
    await room.add(member);
    expect(await events.next()).toBe('+guest');
    await room.add(member, { as: 'ann' });
    await room.add(member, { as: 'ann' });
    expect(describePeople(room.people)).toBe('ann');
    expect([await events.next(), await events.next()].sort()).toEqual(['+ann', '-guest']);
    await room.add(member, { as: undefined });
    expect(describePeople(room.people)).toBe('ann');
  });

  test('who comes and goes within one turn makes no event', async () => {
    const room = createGroups().group('room');
    const events = record(room);
    const old = await addPerson(room, 'ann');
    expect(await events.next()).toBe('+ann');
    room.delete(old);
    void room.add(new FakeMember(), { as: 'ann' });
    const passer = new FakeMember();
    void room.add(passer, { as: 'passer' });
    room.delete(passer);
    await addPerson(room, 'end');
    expect(await events.next()).toBe('+end');
  });

  test('an `as` that JSON cannot represent throws before anything changes, and says what to pass', () => {
    const room = createGroups().group('room');
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const as of [() => {}, Symbol('a'), 1n, circle])
      expect(() => room.add(new FakeMember(), { as })).toThrow(/as that JSON can represent, such as a name/);
    expect(() => room.add(new FakeMember(), { as: 'é'.repeat(2_048) })).toThrow(
      /at most 4096 bytes of JSON; got 4098/,
    );
    expect(() => room.add(new FakeMember(), { name: 'ann' } as never)).toThrow(/unknown option "name"/);
    expect([room.size, room.people]).toEqual([0, []]);
    void room.add(new FakeMember(), { as: 'é'.repeat(2_047) });
    expect(room.people).toHaveLength(1);
  });

  test('a closed websocket is nobody', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    const room = createGroups().group('room');
    expect(await room.add(websocket, { as: 'ann' })).toBe(false);
    expect(room.people).toEqual([]);
  });

  test('closing the group makes everybody leave', async () => {
    const room = createGroups().group('room');
    const events = record(room);
    await addPerson(room, 'ann');
    expect(await events.next()).toBe('+ann');
    await room.close();
    expect(await events.next()).toBe('-ann');
  });

  test('once listens once, and off ends listening', async () => {
    const room = createGroups().group('room');
    const events = new Inbox<string>();
    const listen = ({ as }: Person) => events.push(String(as));
    room.once('join', listen);
    await addPerson(room, 'a');
    expect(await events.next()).toBe('a');
    room.on('join', listen).on('leave', listen);
    await addPerson(room, 'b');
    expect(await events.next()).toBe('b');
    room.off('join', listen).off('leave', listen);
    (await addPerson(room, 'c')).leave();
    const last = record(room);
    await addPerson(room, 'd');
    expect(await last.next()).toBe('+d');
    expect(events.rest()).toEqual([]);
    expect(createGroups().group('a').off('join', listen).people).toEqual([]);
  });

  test('a listener that throws costs the others nothing', async () => {
    const groups = createGroups();
    const failures = new Inbox<Error>();
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => failures.push(error));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
    });
    const heard = new Inbox<string>();
    for (const name of ['x', 'y']) {
      groups.group(name).on('join', ({ as }) => {
        heard.push(`${name} ${String(as)}`);
        throw new Error(`${name} ${String(as)}`);
      });
      for (const as of ['ann', 'ben']) void groups.group(name).add(new FakeMember(), { as });
    }
    const all = ['x ann', 'x ben', 'y ann', 'y ben'];
    expect([await heard.next(), await heard.next(), await heard.next(), await heard.next()].sort()).toEqual(
      all,
    );
    for (let count = 0; count < 4; count++) expect(all).toContain((await failures.next()).message);
  });

  test.each([undefined, new MemoryHub().connect()])(
    'a listener keeps its group alive, with and without backplane',
    async (backplane) => {
      const groups = createGroups({ backplane });
      onTestFinished(() => groups.close());
      const events = ((room: Group) => record(room))(groups.group('room'));
      for (let round = 0; round < 10; round++) await collect();
      void groups.group('room').add(new FakeMember(), { as: 'ann' });
      expect(await events.next()).toBe('+ann');
    },
  );
});

describe.concurrent('in several processes', () => {
  test('each process knows the people of all, within a second', async () => {
    const [a, b, c] = openProcesses(3) as [Process, Process, Process];
    await Promise.all([addPerson(a.room, 'ann'), addPerson(b.room, 'ben'), addPerson(b.room, 'ann')]);
    const cat = await addPerson(c.room, 'cat');
    for (const { room } of [a, b, c]) await expectPeople(room, 'ann 2, ben, cat');
    cat.leave();
    for (const { room } of [a, b, c]) await expectPeople(room, 'ann 2, ben');
  });

  test('when add resolves, the people of other processes are known, and no event tells of them', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    for (const as of ['ann', 'ben']) await addPerson(a.room, as);
    const events = record(b.room);
    await addPerson(b.room, 'cat');
    expect(describePeople(b.room.people)).toBe('ann, ben, cat');
    expect(await events.next()).toBe('+cat');
    await addPerson(a.room, 'dan');
    expect(await events.next()).toBe('+dan');
  });

  test('two tabs of one person in two processes join once and leave once, everywhere', async () => {
    const [a, b, watcher] = openProcesses(3) as [Process, Process, Process];
    const events = [a, b, watcher].map(({ room }) => record(room));
    for (const { room } of [a, b, watcher]) await room.fetchPeople();
    const one = await addPerson(a.room, 'ann');
    const two = await addPerson(b.room, 'ann');
    await expectPeople(watcher.room, 'ann 2');
    one.leave();
    await expectPeople(watcher.room, 'ann');
    two.leave();
    await expectPeople(watcher.room, '');
    await addPerson(a.room, 'end');
    for (const inbox of events)
      expect([await inbox.next(), await inbox.next(), await inbox.next()]).toEqual(['+ann', '-ann', '+end']);
  });

  test('fetchPeople tells a process without members, at the first call', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    expect(b.room.people).toEqual([]);
    expect(await within(b.room.fetchPeople(), 'people', 5_000)).toEqual([{ as: 'ann', websockets: 1 }]);
    expect(await within(b.groups.group('empty').fetchPeople(), 'people', 5_000)).toEqual([]);
  });

  test('a process that only reads is right within a second of each change', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await expectPeople(b.room, '');
    const ann = await addPerson(a.room, 'ann');
    await expectPeople(b.room, 'ann');
    ann.leave();
    await expectPeople(b.room, '');
  });

  test('a killed process is gone within ten seconds, and the people of others stay', async () => {
    const [a, b, c] = openProcesses(3) as [Process, Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await addPerson(c.room, 'ann');
    await expectPeople(a.room, 'ann 2, ben');
    const events = record(a.room);
    b.wire.kill();
    c.wire.kill();
    await expectPeople(a.room, 'ann', GONE);
    expect(await events.next()).toBe('-ben');
    expect(events.rest()).toEqual([]);
  });

  test('a process that was paused for long is there again when it goes on', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(a.room, 'ann, ben');
    b.wire.kill();
    await expectPeople(a.room, 'ann', GONE);
    b.wire.revive();
    await expectPeople(a.room, 'ann, ben', 5_000);
    await expectPeople(b.room, 'ann, ben', 5_000);
  });

  test('a process that closes its groups is gone at once', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(a.room, 'ann, ben');
    const events = record(b.room);
    await b.groups.close();
    await expectPeople(a.room, 'ann');
    // Nobody has left for those who close.
    await nextTurn();
    expect([b.room.people, events.rest()]).toEqual([[], []]);
    await within(addPerson(b.room, 'cat'), 'answer of add', 5_000);
    expect(describePeople(b.room.people)).toBe('cat');
    expect(await events.next()).toBe('+cat');
    await within(addPerson(b.groups.group('other'), 'dan'), 'answer of add', 5_000);
    expect(await b.groups.group('other').fetchPeople()).toHaveLength(1);
  });

  test('a group with more people than a message holds arrives whole', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    const big = Array.from({ length: 300 }, (_, index) => `${index} ${'é'.repeat(100)}`);
    const members = big.map((as) => {
      const member = new FakeMember();
      void a.room.add(member, { as });
      return member;
    });
    await addPerson(a.room, 'x'.repeat(4_094));
    expect(await b.room.fetchPeople()).toHaveLength(301);
    for (const member of members) member.leave();
    await expectPeople(b.room, 'x'.repeat(4_094));
    for (const { data } of a.wire.published) expect(data.length).toBeLessThanOrEqual(5_000);
  });
});

type Process = ReturnType<typeof openProcess>;

describe.concurrent('losses and outages', () => {
  test('after an outage the lists are right again, and only real changes make events', async () => {
    const hub = new MemoryHub();
    const [a, b, c] = openProcesses(3, hub) as [Process, Process, Process];
    await addPerson(a.room, 'ann');
    const ben = await addPerson(b.room, 'ben');
    await addPerson(c.room, 'cat');
    for (const { room } of [a, b, c]) await expectPeople(room, 'ann, ben, cat');
    const events = record(a.room);
    hub.cutOff();
    ben.leave();
    await addPerson(b.room, 'dan');
    expect(describePeople(a.room.people)).toBe('ann, ben, cat');
    expect(describePeople(b.room.people)).toBe('ann, cat, dan');
    hub.restore();
    for (const { room } of [a, b, c]) await expectPeople(room, 'ann, cat, dan');
    expect([await events.next(), await events.next()].sort()).toEqual(['+dan', '-ben']);
    // More than three beats, during which nothing may flap.
    await Promise.all([b.wire.beats(5), c.wire.beats(5)]);
    expect(events.rest()).toEqual([]);
  });

  test('a group that begins in an outage is right after it', async () => {
    const hub = new MemoryHub();
    const [a, b] = openProcesses(2, hub) as [Process, Process];
    hub.cutOff();
    await within(addPerson(a.room, 'ann'), 'answer of add', 5_000);
    expect(await within(b.room.fetchPeople(), 'people', 5_000)).toEqual([]);
    await addPerson(b.room, 'ben');
    hub.restore();
    for (const { room } of [a, b]) await expectPeople(room, 'ann, ben', 3_000);
  });

  test('a process that was killed in an outage is gone after it', async () => {
    const hub = new MemoryHub();
    const [a, b] = openProcesses(2, hub) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(a.room, 'ann, ben');
    hub.cutOff();
    b.wire.kill();
    hub.restore();
    await expectPeople(a.room, 'ann', GONE);
  });

  test('a change that is lost without a word arrives with the next beats', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(b.room, 'ann, ben');
    b.wire.loses = (channel) => channel.endsWith(':room');
    await addPerson(a.room, 'cat');
    b.wire.loses = () => false;
    await expectPeople(b.room, 'ann, ben, cat', 5_000);
  });

  test('a loss is noticed at the next change', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    const ann = await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(b.room, 'ann, ben');
    b.wire.loses = (channel) => channel.endsWith(':room');
    ann.leave();
    await nextTurn();
    await nextTurn();
    b.wire.loses = () => false;
    await addPerson(a.room, 'cat');
    await expectPeople(b.room, 'ben, cat');
    expect(b.wire.published.filter(({ data }) => data.includes('"ask"'))).toHaveLength(2);
  });

  test('somebody who left while everything was lost is not there for ever', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    const ann = await addPerson(a.room, 'ann');
    await addPerson(a.groups.group('other'), 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(b.room, 'ann, ben');
    b.wire.loses = () => true;
    ann.leave();
    await a.wire.beats(2);
    b.wire.loses = () => false;
    await expectPeople(b.room, 'ben', 6_000);
  });

  test.each([0.1, 0.3])(
    'with a random part of %d of all messages lost, all processes agree in the end',
    { timeout: 120_000 },
    async (share) => {
      let seed = 7;
      const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
      const processes = openProcesses(3);
      const members: { member: FakeMember; as: string }[] = [];
      const faults: string[] = [];
      const heard = processes.map(({ room }, index) => {
        const there = new Set<unknown>();
        room.on('join', ({ as }) => {
          if (there.has(as)) faults.push(`${String(as)} joins process ${index} twice`);
          there.add(as);
        });
        room.on('leave', ({ as }) => {
          if (!there.delete(as)) faults.push(`${String(as)} leaves process ${index} twice`);
        });
        return there;
      });
      await Promise.all(processes.map(({ room }) => room.fetchPeople()));
      for (const { wire } of processes) wire.loses = () => random() < share;
      for (let step = 0; step < 300; step++) {
        const { room } = processes[Math.floor(random() * 3)]!;
        if (random() < 0.6 || members.length === 0) {
          const member = new FakeMember();
          const as = `p${Math.floor(random() * 20)}`;
          void room.add(member, { as });
          members.push({ member, as });
        } else {
          members.splice(Math.floor(random() * members.length), 1)[0]!.member.leave();
        }
        await nextTurn();
      }
      for (const { wire } of processes) wire.loses = () => false;
      const counts = new Map<string, number>();
      for (const { as } of members) counts.set(as, (counts.get(as) ?? 0) + 1);
      const expected = describePeople([...counts].map(([as, websockets]) => ({ as, websockets })));
      for (const { room } of processes) await expectPeople(room, expected, 15_000);
      await nextTurn();
      for (const there of heard) expect([...there].sort()).toEqual([...counts.keys()].sort());
      expect(faults).toEqual([]);
    },
  );

  test('a publication that the backplane refuses is made up for', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    const publish = a.wire.publish.bind(a.wire);
    a.wire.publish = () => Promise.reject(new Error('full'));
    await addPerson(a.room, 'cat');
    await nextTurn();
    a.wire.publish = publish;
    await expectPeople(b.room, 'ann, ben, cat', 5_000);
  });

  test("a subscription that fails emits 'refused', and the people arrive later", async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(a.room, 'ann');
    const refusals = new Inbox<BackplaneError>();
    b.groups.on('refused', (error) => refusals.push(error));
    const subscribe = b.wire.subscribe.bind(b.wire);
    b.wire.subscribe = (channel) =>
      channel.includes('people') ? Promise.reject(new Error('NOPERM')) : subscribe(channel);
    await within(addPerson(b.room, 'ben'), 'answer of add', 5_000);
    const errors = [await refusals.next(), await refusals.next()];
    expect(errors.map(({ group }) => group).sort()).toEqual(['room', undefined]);
    expect(errors[0]).toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED' });
    expect(errors.map(({ message }) => message).join()).toContain(
      'people of group "room" in other processes',
    );
    b.wire.subscribe = subscribe;
    await expectPeople(b.room, 'ann, ben', 5_000);
  });

  test("a loss that the backplane reports is no 'missed' of the user's", async () => {
    const hub = new MemoryHub();
    const [a, b] = openProcesses(2, hub) as [Process, Process];
    await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    await expectPeople(b.room, 'ann, ben');
    const missed = new Inbox<unknown>();
    b.groups.on('missed', (info) => missed.push(info));
    b.groups.on('dropped', (info) => missed.push(info));
    b.wire.loses = (channel) => channel.endsWith(':room');
    await addPerson(a.room, 'cat');
    b.wire.loses = () => false;
    b.wire.report('missed', 'dwebsocket:people:room');
    await expectPeople(b.room, 'ann, ben, cat');
    b.wire.report('missed', 'dwebsocket:people');
    b.wire.report('dropped', 'dwebsocket:people:room');
    await nextTurn();
    expect(missed.rest()).toEqual([]);
  });
});

describe('what other programs send', () => {
  const ID = 'aaaaaaaaaaaaaaaa';

  test.each([
    ['nothing', '', 'dwebsocket did not send it'],
    ['other text', 'hello', 'dwebsocket did not send it'],
    ['no JSON', 'dwp1', 'content is invalid'],
    ['no list', 'dwp1{}', 'content is invalid'],
    ['no sender', 'dwp1["update"]', 'content is invalid'],
    ['a negative number', `dwp1["update","${ID}",0,1,0,true,[["ann",-1]]]`, 'content is invalid'],
    ['half a version', `dwp1["update","${ID}",0,1.5,0,true,[]]`, 'content is invalid'],
    ['no count', `dwp1["update","${ID}",0,1,0,true,["ann"]]`, 'content is invalid'],
    [
      'a long identity',
      `dwp1["update","${ID}",0,1,0,true,[["${'x'.repeat(5_000)}",1]]]`,
      'content is invalid',
    ],
    [
      'a deep identity',
      `dwp1["update","${ID}",0,1,0,true,[[${'['.repeat(50_000)}${']'.repeat(50_000)},1]]]`,
      'content is invalid',
    ],
    ['a short sender', `dwp1["update","short",0,1,0,true,[]]`, 'content is invalid'],
    ['a wrong receiver', `dwp1["ask","${ID}",7]`, 'content is invalid'],
    ['a part beyond the last', `dwp1["beat","${ID}",1,0,3,2,[]]`, 'content is invalid'],
    ['an unknown kind', `dwp1["other","${ID}"]`, 'content is invalid'],
  ])('is refused: %s', async (_name, text, reason) => {
    const { groups, wire, room } = openProcess(new MemoryHub());
    await addPerson(room, 'ann');
    const refusals = new Inbox<BackplaneError>();
    groups.on('refused', (error) => refusals.push(error));
    wire.inject('dwebsocket:people:room', text);
    const error = await refusals.next();
    expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_STRANGER', group: 'room' });
    expect(error.message).toContain(reason);
    expect(describePeople(room.people)).toBe('ann');
  });

  test('people and processes without end take bounded memory, and say so', { timeout: 120_000 }, async () => {
    const { groups, wire, room } = openProcess(new MemoryHub());
    await addPerson(room, 'ann');
    const refusals = new Inbox<BackplaneError>();
    groups.on('refused', (error) => refusals.push(error));
    for (let peer = 0; peer < 2_000; peer++)
      wire.inject('dwebsocket:people', `dwp1["beat","${String(peer).padStart(16, '0')}",1,0,0,0,[]]`);
    expect(await refusals.next()).toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_FULL' });
    refusals.rest();
    const filler = 'x'.repeat(3_000);
    let base = 0;
    const from = '0'.repeat(16);
    for (let version = 1; version <= 20_000; version++) {
      wire.inject(
        'dwebsocket:people:room',
        `dwp1["update","${from}",${base},${version},0,true,[["${version} ${filler}",1]]]`,
      );
      base = version;
    }
    expect(await refusals.next()).toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_FULL', group: 'room' });
    const kept = room.people.length;
    expect(kept).toBeGreaterThan(1_000);
    expect(kept).toBeLessThan(12_000);
    // A part without end, which never becomes whole.
    for (let part = 0; part < 30_000; part++)
      wire.inject(
        'dwebsocket:people:room',
        `dwp1["update","${String(5).padStart(16, '0')}",0,9,${part},false,[["${part} ${filler}",1]]]`,
      );
    expect(process.memoryUsage().heapUsed).toBeLessThan(500 * 2 ** 20);
    wire.inject('dwebsocket:people', `dwp1["bye","${from}"]`);
    expect(describePeople(room.people)).toBe('ann');
  });

  test('a late message to another group is not taken for one about people', async () => {
    const { groups, wire, room } = openProcess(new MemoryHub());
    await addPerson(room, 'ann');
    const refusals = new Inbox<BackplaneError>();
    groups.on('refused', (error) => refusals.push(error));
    wire.inject('a name as long as:room', 'hello');
    wire.inject('dwebsocket:people:other', 'hello');
    wire.inject('dwebsocket:people:room', 'hello');
    expect(await refusals.next()).toMatchObject({ group: 'room' });
    await nextTurn();
    expect(refusals.rest()).toEqual([]);
  });

  test('a group cannot have the name of a channel of people', () => {
    const groups = createGroups();
    for (const name of ['dwebsocket:people', 'dwebsocket:people:room'])
      expect(() => groups.group(name)).toThrow(/does not begin with "dwebsocket:people"/);
    expect(groups.group('dwebsocket:peop').name).toBe('dwebsocket:peop');
  });
});

describe.concurrent('what it costs', () => {
  test('a group without `as` and readers has no channel and sends nothing', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    const channels: string[] = [];
    const subscribe = a.wire.subscribe.bind(a.wire);
    a.wire.subscribe = (channel) => {
      channels.push(channel);
      return subscribe(channel);
    };
    await a.room.add(new FakeMember());
    await b.room.add(new FakeMember());
    expect([channels, a.wire.messages]).toEqual([['room'], 0]);
  });

  test('a group that nobody uses any more has no channel after a while, and is known again when it is used', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    const member = await addPerson(a.room, 'ann');
    await addPerson(b.room, 'ben');
    const left = new Inbox<string>();
    const unsubscribe = a.wire.unsubscribe.bind(a.wire);
    a.wire.unsubscribe = (channel) => {
      left.push(channel);
      return unsubscribe(channel);
    };
    member.leave();
    // Its own channel at once, those of people when nobody has come back.
    expect(await left.next()).toBe('room');
    expect([await left.next('end', 20_000), await left.next('end', 20_000)].sort()).toEqual([
      'dwebsocket:people',
      'dwebsocket:people:room',
    ]);
    const sent = a.wire.messages;
    await b.wire.beats(2);
    expect(a.wire.messages).toBe(sent);
    const events = record(a.room);
    await addPerson(a.room, 'cat');
    expect(describePeople(a.room.people)).toBe('ben, cat');
    expect(await events.next()).toBe('+cat');
    await expectPeople(b.room, 'ben, cat');
  });

  test('traffic grows with changes, and not with members', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    await addPerson(b.room, 'ben');
    await addPerson(a.room, 'ann');
    for (let count = 0; count < 2_000; count++) void a.room.add(new FakeMember(), { as: `person ${count}` });
    const arrive = (total: number) =>
      vi.waitFor(() => expect(b.room.people).toHaveLength(total), { timeout: 5_000, interval: 5 });
    await arrive(2_002);
    const measure = () =>
      a.wire.published
        .filter(({ channel }) => channel.endsWith(':room'))
        .reduce(({ messages, bytes }, { data }) => ({ messages: messages + 1, bytes: bytes + data.length }), {
          messages: 0,
          bytes: 0,
        });
    const before = measure();
    await addPerson(a.room, 'one more');
    await arrive(2_003);
    expect(measure().messages - before.messages).toBe(1);
    expect(measure().bytes - before.bytes).toBeLessThan(80);
    // Changes of one turn are one message.
    for (let count = 0; count < 50; count++) void a.room.add(new FakeMember(), { as: `late ${count}` });
    await arrive(2_053);
    expect(measure().messages - before.messages).toBe(2);
  });

  test('an idle process sends one short message in two seconds, however many groups it has', async () => {
    const [a, b] = openProcesses(2) as [Process, Process];
    for (let index = 0; index < 500; index++) {
      void a.groups.group(`room ${index}`).add(new FakeMember(), { as: 'ann' });
      void b.groups.group(`room ${index}`).add(new FakeMember(), { as: 'ben' });
    }
    await expectPeople(b.groups.group('room 499'), 'ann, ben');
    await a.wire.beats(3);
    const before = { messages: a.wire.messages, bytes: a.wire.bytes };
    await a.wire.beats(2);
    expect(a.wire.messages - before.messages).toBe(2);
    expect(a.wire.bytes - before.bytes).toBeLessThan(120);
  });
});

test('a promise and a number that JSON cannot represent are nobody', () => {
  const room = createGroups().group('a');
  expect(() => room.add(new FakeMember(), { as: Promise.resolve('ann') })).toThrow(
    'add() was given a promise as the option "as"; await it first: { as: await value }',
  );
  for (const as of [NaN, Infinity, { id: NaN }, [Promise.resolve()]])
    expect(() => room.add(new FakeMember(), { as })).toThrow(
      'that JSON can represent, such as a name or an id',
    );
  expect([room.size, room.people]).toEqual([0, []]);
});
