import { describe, expect, test } from 'vitest';
import { EMPTY, MessageQueue, type Waiter } from '../../src/websocket/message-queue.js';

/** The overhead of each message in bytes. */
const COST = 144;

function openQueue(high = 2 ** 20) {
  const source: string[] = [];
  const queue = new MessageQueue<string>(high, {
    pause: () => source.push('pause'),
    resume: () => source.push('resume'),
  });
  const push = (...messages: string[]) => {
    for (const message of messages) queue.push(message, message.length);
  };
  return { queue, source, push };
}

function newWaiter() {
  const got: unknown[] = [];
  const waiter: Waiter<string> = { message: (message) => got.push(message), end: () => got.push('the end') };
  return { waiter, got };
}

test('returns messages in the order of arrival, including empty ones', () => {
  const { queue, push } = openQueue();
  expect(queue.shift()).toBe(EMPTY);
  push('a', '', 'c');
  expect(queue.length).toBe(3);
  expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual(['a', '', 'c', EMPTY]);
  expect(queue.length).toBe(0);
});

test('keeps the order through many calls of push and shift', () => {
  const { queue, push } = openQueue(2 ** 30);
  const seen: string[] = [];
  let next = 0;
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 100; i++) push(String(next++));
    for (let i = 0; i < 90; i++) seen.push(queue.shift() as string);
  }
  expect(queue.length).toBe(1_000);
  for (let message = queue.shift(); message !== EMPTY; message = queue.shift()) seen.push(message);
  expect(seen).toEqual(Array.from({ length: next }, (_, i) => String(i)));
});

test('gives messages to waiters in order, without queuing them', () => {
  const { queue, push } = openQueue();
  const [first, second] = [newWaiter(), newWaiter()];
  queue.wait(first.waiter);
  queue.wait(second.waiter);
  push('1', '2', '3');
  expect([first.got, second.got, queue.length]).toEqual([['1'], ['2'], 1]);
});

test('when a waiter stops waiting, the next one gets the message', () => {
  const { queue, push } = openQueue();
  const [first, second, third] = [newWaiter(), newWaiter(), newWaiter()];
  for (const { waiter } of [first, second, third]) queue.wait(waiter);
  queue.stopWaiting(first.waiter);
  queue.stopWaiting(third.waiter);
  queue.stopWaiting(third.waiter);
  push('1', '2');
  expect([first.got, second.got, third.got, queue.shift()]).toEqual([[], ['1'], [], '2']);
});

describe('the source', () => {
  test('is paused once above the high-water mark, and resumed once at half of it', () => {
    const { queue, source, push } = openQueue(10 * (COST + 1));
    for (let i = 0; i < 10; i++) push('x');
    expect(source).toEqual([]);
    push('x', 'x');
    expect(source).toEqual(['pause']);
    while (queue.length > 6) queue.shift();
    expect(source).toEqual(['pause']);
    queue.shift();
    expect(source).toEqual(['pause', 'resume']);
    while (queue.length > 0) queue.shift();
    expect(source).toEqual(['pause', 'resume']);
  });

  test('is also paused for many empty messages', () => {
    const { source, push } = openQueue(1_000);
    for (let i = 0; i < 100; i++) push('');
    expect(source).toEqual(['pause']);
  });

  test('is not paused for messages that waiters get at once', () => {
    const { queue, source, push } = openQueue(10);
    for (let i = 0; i < 3; i++) {
      queue.wait(newWaiter().waiter);
      push('a message larger than the mark');
    }
    expect(source).toEqual([]);
  });

  test('is resumed when the unread messages are dropped', () => {
    const { queue, source, push } = openQueue(10);
    push('more than enough');
    queue.clear();
    expect([source, queue.length, queue.shift()]).toEqual([['pause', 'resume'], 0, EMPTY]);
    push('small');
    expect(queue.shift()).toBe('small');
  });

  test('is resumed at the end, because it delivers the closing handshake', () => {
    const { queue, source, push } = openQueue(10);
    push('more than enough');
    queue.end();
    expect(source).toEqual(['pause', 'resume']);
  });
});

describe('the end', () => {
  test('is reported once to all waiters; queued messages stay readable, later ones are dropped', () => {
    const { queue, push } = openQueue();
    const [first, second] = [newWaiter(), newWaiter()];
    queue.wait(first.waiter);
    queue.wait(second.waiter);
    expect(queue.ended).toBe(false);
    queue.end();
    queue.end();
    push('too late');
    expect([first.got, second.got, queue.ended, queue.length]).toEqual([['the end'], ['the end'], true, 0]);
  });

  test('keeps the unread messages', () => {
    const { queue, push } = openQueue();
    push('unread');
    queue.end();
    expect([queue.ended, queue.shift(), queue.shift()]).toEqual([true, 'unread', EMPTY]);
  });
});
