import type { HistoryStart, Member } from 'dwebsocket/groups';
import { expect, test } from 'vitest';
import { GroupMessage } from '../../../src/groups/group-message.js';
import type { GroupEntries } from '../../../src/groups/history/group-entries.js';
import type { HistoryGroup, HistoryHost } from '../../../src/groups/history/host.js';
import { Joiners } from '../../../src/groups/history/joiners.js';
import { HistoryLog, LogEntry } from '../../../src/groups/history/log.js';
import { parsePosition } from '../../../src/groups/history/position.js';

test('whom a loss reaches before its first message gets a position before the message after the loss', async () => {
  const log = new HistoryLog();
  const entry = new LogEntry({ era: 5, index: 3, mark: 'a' }, 0, new GroupMessage('three'), true);
  const begin = { from: 0, position: '5-0.a', isComplete: true, isSure: true };
  const entries = { log, generation: 0, end: entry, find: () => begin, trim: () => {} };
  const host = { source: undefined, encode: (value: unknown) => new GroupMessage(JSON.stringify(value)) };
  const joiners = new Joiners(
    {} as HistoryGroup,
    host as unknown as HistoryHost,
    entries as unknown as GroupEntries,
  );
  const got: string[] = [];
  const member: Member = {
    closed: new Promise(() => {}),
    send(message) {
      got.push(String(message));
      if (got.length > 1) return undefined;
      // It arrives while the member is still busy with its first welcome.
      log.append(entry);
      return Promise.resolve();
    },
  };
  expect(await joiners.add(member, {}, (start) => start)).toBe(true);
  const [first, second, message] = got;
  expect(JSON.parse(first!)).toEqual({ position: '5-0.a', complete: true });
  const { position, complete } = JSON.parse(second!) as HistoryStart;
  expect(complete).toBe(false);
  expect(parsePosition(position)).toEqual({ era: 5, index: 3, mark: 'a', isBefore: true });
  expect(message).toBe('three');
});
