import { describe, expect, test } from 'vitest';
import { judge, type SetBack } from '../long/chaos/judge.js';
import type { Gap, Kind, RoomReport, SentMessage, SideReport } from '../long/chaos/protocol.js';

// The judge of the chaos test must find every fault, and nothing else.

const TIMEOUT = 2_000;
const TIME = 1_000_000;

interface Facts {
  kind?: Kind;
  fate?: SentMessage['fate'];
  missed?: number[];
  outages?: { from: number; to: number }[];
  senderOutages?: { from: number; to: number }[];
  setBacks?: SetBack[];
  joined?: number;
  dropped?: number;
}

/** Two processes with one room. The second of three messages from the first process did not arrive at the other. */
function judgeOne(facts: Facts): string[] {
  const { kind = 'streams', fate = 'true', missed = [], joined = 0, dropped = 0 } = facts;
  const sent = [0, 1, 2].map((second): SentMessage => ({ time: TIME + second, fate }));
  const gap: Gap = { sender: 0, from: 1, to: 1, seen: TIME + 10 };
  const room = (more: Partial<RoomReport>): RoomReport => ({
    sent: [],
    joined,
    gaps: [],
    missed: [],
    dropped: 0,
    ...more,
  });
  const empty: SideReport = { rooms: [room({})], outages: [] };
  const sender: SideReport = { rooms: [room({ sent, dropped })], outages: facts.senderOutages ?? [] };
  const receiver: SideReport = { rooms: [room({ gaps: [gap], missed })], outages: facts.outages ?? [] };
  const reports = [sender, receiver].map((side) => ({ pubsub: empty, streams: empty, [kind]: side }));
  return judge(reports, TIMEOUT, facts.setBacks ?? []);
}

describe('over streams', () => {
  test('a lost message is a fault, even if it was reported', () => {
    expect(judgeOne({})).toEqual([
      expect.stringMatching(/^streams, room 0: of 1 to 1 of process 0 1 did not come/),
    ]);
    expect(judgeOne({ fate: 'later' })).toHaveLength(1);
    expect(judgeOne({ missed: [TIME + 5] })).toHaveLength(1);
  });

  test('a lost message is not a fault if Redis was set back and the loss was reported', () => {
    const setBacks = [{ from: TIME - 100, to: TIME + 100 }];
    expect(judgeOne({ setBacks })).toHaveLength(1);
    expect(judgeOne({ setBacks, missed: [TIME + 5] })).toEqual([]);
    expect(judgeOne({ setBacks, missed: [TIME - 5_000] })).toHaveLength(1);
  });

  test('a message that was reported as not sent, or sent before the other joined, is not a fault', () => {
    expect(judgeOne({ fate: 'false' })).toEqual([]);
    expect(judgeOne({ fate: 'later', dropped: 1 })).toEqual([]);
    expect(judgeOne({ joined: TIME + 1 })).toEqual([]);
  });
});

describe('over pub/sub', () => {
  test('a lost message is a fault if it was not reported', () => {
    expect(judgeOne({ kind: 'pubsub' })).toHaveLength(1);
    expect(judgeOne({ kind: 'pubsub', outages: [{ from: TIME + 60_000, to: TIME + 61_000 }] })).toHaveLength(
      1,
    );
  });

  test('a lost message is not a fault if it was reported, or one process was cut off', () => {
    const outages = [{ from: TIME + TIMEOUT, to: TIME + 60_000 }];
    expect(judgeOne({ kind: 'pubsub', missed: [TIME + 10] })).toEqual([]);
    expect(judgeOne({ kind: 'pubsub', outages })).toEqual([]);
    expect(judgeOne({ kind: 'pubsub', senderOutages: outages })).toEqual([]);
  });
});
