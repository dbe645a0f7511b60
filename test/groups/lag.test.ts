import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Diagnostics } from 'dwebsocket';
import { type Backplane, type BackplaneEvents, createGroups } from 'dwebsocket/groups';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Inbox } from '../support/inbox.js';
import { FakeMember } from './support/members.js';

const START = new Date('2026-01-01').getTime();
const NAME = 'dwebsocket.group.receive';

/** Two `createGroups()`. The test delivers what one of them has published to the other, when it wants. */
function openPair() {
  const published = new Inbox<Buffer>();
  let events!: BackplaneEvents;
  const backplane = (start: Backplane['start']): Backplane => ({
    start,
    publish: (_channel, data) => Promise.resolve(published.push(data)),
    subscribe: () => Promise.resolve(),
    unsubscribe: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const here = createGroups({ backplane: backplane((given) => (events = given)) });
  const there = createGroups({ backplane: backplane(() => undefined) });
  const deliver = async () => events.message('lobby', await published.next());
  vi.useFakeTimers({ toFake: ['Date'], now: START });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return { here: here.group('lobby'), there: there.group('lobby'), deliver };
}

/** Collects what the channel publishes, until the test ends or calls `stop`. */
function listen() {
  const seen: Diagnostics[typeof NAME][] = [];
  const listener = (message: unknown) => void seen.push(message as Diagnostics[typeof NAME]);
  subscribe(NAME, listener);
  const stop = () => unsubscribe(NAME, listener);
  onTestFinished(() => void stop());
  return { seen, stop };
}

test('the lag is the time from send to the members of another process', async () => {
  const { here, there, deliver } = openPair();
  const { seen } = listen();
  const member = new FakeMember();
  await here.add(member);
  await there.send('é');
  vi.setSystemTime(START + 250);
  await deliver();
  await there.send(Buffer.from([1, 2, 3]), { latest: 'position' });
  await deliver();
  expect(member.got).toEqual(['é', Buffer.from([1, 2, 3])]);
  expect(seen).toEqual([
    { group: 'lobby', bytes: 2, lag: 250 },
    { group: 'lobby', bytes: 3, lag: 0 },
  ]);
});

test('the lag is never negative: the clock of the sender may be ahead', async () => {
  const { here, there, deliver } = openPair();
  const { seen } = listen();
  await here.add(new FakeMember());
  await there.send('text');
  vi.setSystemTime(START - 1_000);
  await deliver();
  expect(seen).toEqual([{ group: 'lobby', bytes: 4, lag: 0 }]);
});

test('a process without a subscriber writes no time, and its messages arrive without a lag', async () => {
  const { here, there, deliver } = openPair();
  const member = new FakeMember();
  await here.add(member);
  await there.send('text');
  const { seen } = listen();
  await deliver();
  expect(member.got).toEqual(['text']);
  expect(seen).toEqual([{ group: 'lobby', bytes: 4, lag: undefined }]);
});

test('a process without a subscriber delivers messages that have a time', async () => {
  const { here, there, deliver } = openPair();
  const { seen, stop } = listen();
  const member = new FakeMember();
  await here.add(member);
  await there.send('text');
  stop();
  await deliver();
  expect(member.got).toEqual(['text']);
  expect(seen).toEqual([]);
});

test('duplicates, closes, and messages to a group without members here are not published', async () => {
  const { here, there, deliver } = openPair();
  const { seen } = listen();
  const member = new FakeMember();
  await here.add(member);
  await there.close(1001);
  await deliver();
  expect(member.closes).toEqual([[1001, '']]);
  await there.send('nobody is here');
  await deliver();
  expect(seen).toEqual([]);
});
