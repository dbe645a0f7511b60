import { expect, test } from 'vitest';
import { DUPLICATE, SequenceTracker, UNKNOWN_COUNT } from '../../src/groups/sequence-tracker.js';

const header = (origin: string, sequence: number, number = sequence) => ({ origin, sequence, number });

test('a duplicate is detected for each process separately', () => {
  const tracker = new SequenceTracker();
  expect(tracker.track(header('a', 5))).toBe(0);
  expect(tracker.track(header('b', 1))).toBe(0);
  expect(tracker.track(header('a', 5))).toBe(DUPLICATE);
  expect(tracker.track(header('a', 4))).toBe(DUPLICATE);
  expect(tracker.track(header('a', 6))).toBe(0);
  expect(tracker.track(header('b', 2))).toBe(0);
});

test('a gap in the numbers of a process shows how many messages are lost', () => {
  const tracker = new SequenceTracker();
  tracker.track(header('a', 10, 3));
  // In between, the process has sent to other groups.
  expect(tracker.track(header('a', 20, 4))).toBe(0);
  expect(tracker.track(header('a', 30, 9))).toBe(4);
  expect(tracker.track(header('a', 40, 10))).toBe(0);
});

test('a number of 1 after a larger one is not a loss', () => {
  const tracker = new SequenceTracker();
  tracker.track(header('a', 10, 3));
  expect(tracker.track(header('a', 20, 1))).toBe(0);
  tracker.track(header('a', 30, 5));
  // Number 1 did not arrive.
  expect(tracker.track(header('a', 40, 2))).toBe(UNKNOWN_COUNT);
});

test('after expectGaps() the next gap of each process is not a loss, and a later one is', () => {
  const tracker = new SequenceTracker();
  tracker.track(header('a', 1));
  tracker.track(header('b', 1));
  tracker.expectGaps();
  expect(tracker.track(header('a', 5))).toBe(0);
  expect(tracker.track(header('a', 7))).toBe(1);
  expect(tracker.track(header('b', 5))).toBe(0);
});

test('above 1,024 processes the one that has been silent for the longest time is dropped', () => {
  const tracker = new SequenceTracker();
  tracker.track(header('silent', 1));
  tracker.track(header('busy', 1));
  for (let index = 0; index < 1_023; index++) {
    tracker.track(header('busy', index + 2));
    tracker.track(header(String(index), 1));
  }
  expect(tracker.track(header('busy', 3))).toBe(DUPLICATE);
  expect(tracker.track(header('silent', 1))).toBe(0);
});
