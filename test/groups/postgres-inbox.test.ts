import { describe, expect, test } from 'vitest';
import { Inbox } from '../../src/groups/postgres/inbox.js';
import {
  CHANNELS,
  channelOf,
  keyOf,
  MAX_INLINE,
  NotificationWriter,
  readNotification,
} from '../../src/groups/postgres/notification.js';

interface Read {
  readonly ids: readonly string[];
  readonly resolve: (found: Map<string, Buffer>) => void;
  readonly reject: (error: Error) => void;
}

function openInbox(maxBuffered = 2 ** 20) {
  const log: string[] = [];
  const reads: Read[] = [];
  const inbox = new Inbox({
    maxBuffered,
    deliver: (group, data) => log.push(`${group}: ${String(data)}`),
    missed: (group, count) => log.push(`${group}: missed ${count}`),
    read: (ids) => new Promise((resolve, reject) => reads.push({ ids, resolve, reject })),
    isTemporary: (error) => (error as Error).message === 'lost',
  });
  const answer = async (found: Record<string, string>): Promise<void> => {
    reads.shift()!.resolve(new Map(Object.entries(found).map(([id, text]) => [id, Buffer.from(text)])));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { inbox, log, reads, answer };
}

const small = (text: string) => Buffer.from(text);

describe('an inbox', () => {
  test('delivers small messages at once, and only those of a group with a large one wait', async () => {
    const { inbox, log, answer } = openInbox();
    inbox.take('a', '1', small('first'));
    inbox.take('a', '2', 9_000);
    inbox.take('a', '3', small('third'));
    inbox.take('b', '4', small('other'));
    expect(log).toEqual(['a: first', 'b: other']);
    await answer({ 2: 'large' });
    expect(log).toEqual(['a: first', 'b: other', 'a: large', 'a: third']);
    inbox.take('a', '5', small('fifth'));
    expect(log.at(-1)).toBe('a: fifth');
  });

  test('reads what waits together, at most 4 MiB at a time', async () => {
    const { inbox, log, reads, answer } = openInbox(2 ** 24);
    inbox.take('a', '1', 2 ** 20);
    for (const id of ['2', '3', '4', '5', '6']) inbox.take(id, id, 2 ** 20);
    expect(reads.map(({ ids }) => ids)).toEqual([['1']]);
    await answer({ 1: 'one' });
    expect(reads.map(({ ids }) => ids)).toEqual([['2', '3', '4', '5']]);
    await answer({ 2: '', 3: '', 4: '', 5: '' });
    expect(reads.map(({ ids }) => ids)).toEqual([['6']]);
    await answer({ 6: 'six' });
    expect(log).toEqual(['a: one', '2: ', '3: ', '4: ', '5: ', '6: six']);
  });

  test('reports a message that is gone, and one that it may not read', async () => {
    const { inbox, log, reads, answer } = openInbox();
    inbox.take('a', '1', 9_000);
    inbox.take('a', '2', small('next'));
    await answer({});
    expect(log).toEqual(['a: missed 1', 'a: next']);
    inbox.take('a', '3', 9_000);
    reads.shift()!.reject(new Error('permission denied'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.at(-1)).toBe('a: missed 1');
  });

  test('reads again after an outage, in order', async () => {
    const { inbox, log, reads, answer } = openInbox();
    inbox.take('a', '1', 9_000);
    reads.shift()!.reject(new Error('lost'));
    await new Promise((resolve) => setImmediate(resolve));
    inbox.take('a', '2', small('next'));
    expect([log, reads]).toEqual([[], []]);
    inbox.resume();
    await answer({ 1: 'large' });
    expect(log).toEqual(['a: large', 'a: next']);
  });

  test('drops and reports the messages of a group when too much waits', async () => {
    const { inbox, log, answer } = openInbox(20_000);
    inbox.take('a', '1', 9_000);
    inbox.take('b', '2', 9_000);
    inbox.take('a', '3', small('x'.repeat(5_000)));
    expect(log).toEqual(['a: missed 2']);
    inbox.take('a', '4', small('later'));
    expect(log.at(-1)).toBe('a: later');
    await answer({ 1: 'too late' });
    await answer({ 2: 'large' });
    expect(log).toEqual(['a: missed 2', 'a: later', 'b: large']);
  });

  test('delivers nothing of a group that was left', async () => {
    const { inbox, log, answer } = openInbox();
    inbox.take('a', '1', 9_000);
    inbox.take('a', '2', small('next'));
    expect(inbox.delete('a')).toBe(2);
    await answer({ 1: 'large' });
    expect(log).toEqual([]);
  });
});

describe('a notification', () => {
  const writer = new NotificationWriter();

  test('contains a small message, or the length of a large one, and is short enough', () => {
    const key = keyOf('a');
    for (const length of [0, 1, MAX_INLINE]) {
      const data = Buffer.alloc(length, 200);
      const payload = writer.write(key, writer.nextId(), data);
      expect(payload.length).toBeLessThan(8_000);
      expect(readNotification(payload)).toMatchObject({ key, sender: writer.sender, content: data });
    }
    const id = writer.nextId();
    const notification = readNotification(writer.write(key, id, Buffer.alloc(MAX_INLINE + 1)));
    expect(notification).toEqual({ key, sender: writer.sender, id, content: MAX_INLINE + 1 });
  });

  test('is unique, because PostgreSQL drops equal ones', () => {
    const payloads = Array.from({ length: 100 }, () =>
      writer.write(keyOf('a'), writer.nextId(), Buffer.from('x')),
    );
    expect(new Set(payloads).size).toBe(100);
  });

  test('of another program is not valid', () => {
    const start = keyOf('a') + writer.sender;
    for (const payload of [
      '',
      'x',
      start,
      `${start}1`,
      `${start}1?x`,
      `${start}1#`,
      `${start}1#x`,
      `${start}1#1.5`,
    ])
      expect(readNotification(payload)).toBeUndefined();
  });

  test('goes over one of a few channels, which all names use evenly', () => {
    const counts = new Map<string, number>();
    for (let number = 0; number < 100 * CHANNELS; number++) {
      const channel = channelOf('p', keyOf(`room ${number}`));
      counts.set(channel, (counts.get(channel) ?? 0) + 1);
    }
    expect(counts.size).toBe(CHANNELS);
    expect(Math.max(...counts.values())).toBeLessThan(200);
  });
});
