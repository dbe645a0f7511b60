import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import type { SchemaIssue, SchemaResult, StandardSchema } from 'dwebsocket';
import { Codec } from '../../src/values/codec.js';
import { EMPTY, MessageQueue, type Waiter } from '../../src/websocket/message-queue.js';
import { Failure, unwrap, ValueQueue, type OnInvalid } from '../../src/websocket/value-queue.js';
import { schemaOf, textSchema } from '../support/schemas.js';

/** The overhead of each message in bytes. */
const COST = 144;

/** A schema whose answers the test gives, one for each value. */
function openSchema() {
  const asked: {
    value: unknown;
    resolve: (value: unknown) => void;
    refuse: () => void;
    fail: (error: unknown) => void;
  }[] = [];
  const schema = schemaOf(
    (value) =>
      new Promise<SchemaResult>((resolve, reject) => {
        asked.push({
          value,
          resolve: (output) => {
            resolve({ value: output });
          },
          refuse: () => {
            resolve({ issues: [{ message: 'no' }] });
          },
          fail: reject,
        });
      }),
  );
  return { schema, asked };
}

function openQueue(
  schema: StandardSchema | 'json' = 'json',
  { high = 2 ** 20, onInvalid }: { high?: number; onInvalid?: OnInvalid } = {},
) {
  const source: string[] = [];
  const invalid: [readonly SchemaIssue[], string][] = [];
  const texts = new MessageQueue<string>(high, {
    pause: () => source.push('pause'),
    resume: () => source.push('resume'),
  });
  const queue = new ValueQueue(
    texts,
    new Codec(schema, undefined),
    onInvalid ?? ((issues, text) => invalid.push([issues, text])),
  );
  const push = (...messages: string[]) => {
    for (const message of messages) queue.push(message, message.length);
  };
  return { queue, source, push, invalid };
}

function newWaiter() {
  const got: unknown[] = [];
  const waiter: Waiter<unknown> = { message: (message) => got.push(message), end: () => got.push('the end') };
  return { waiter, got };
}

/** Resolves when all callbacks of settled promises have run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('gives values in the order of their texts, and tells each of them from nothing', () => {
  const { queue, push } = openQueue(schemaOf((value) => ({ value: value === 'none' ? undefined : value })));
  expect(queue.shift()).toBe(EMPTY);
  push('null', '"none"', 'false', '0', '""', '{"a":1}');
  expect(queue.length).toBe(6);
  const values = Array.from({ length: 7 }, () => queue.shift());
  expect(values).toEqual([null, undefined, false, 0, '', { a: 1 }, EMPTY]);
  expect(queue.length).toBe(0);
});

test('decodes a text only when somebody takes it', () => {
  const seen: unknown[] = [];
  const { queue, push } = openQueue(
    schemaOf((value) => {
      seen.push(value);
      return { value };
    }),
  );
  push('1', '2');
  expect(seen).toEqual([]);
  expect(queue.shift()).toBe(1);
  expect(seen).toEqual([1]);
  queue.wait(newWaiter().waiter);
  expect(seen).toEqual([1, 2]);
});

test('gives values to waiters in order, without queuing them', () => {
  const { queue, push } = openQueue();
  const [first, second] = [newWaiter(), newWaiter()];
  queue.wait(first.waiter);
  queue.wait(second.waiter);
  expect(queue.isAwaited).toBe(true);
  push('null', '2', '3');
  expect([first.got, second.got, queue.length, queue.isAwaited]).toEqual([[null], [2], 1, false]);
});

test('counts the bytes of texts, and pauses and resumes the source', () => {
  const { queue, source, push } = openQueue('json', { high: 2 * (COST + 3) });
  push('"1"', '"2"');
  expect(source).toEqual([]);
  push('"3"');
  expect(source).toEqual(['pause']);
  expect([queue.shift(), source]).toEqual(['1', ['pause']]);
  expect([queue.shift(), source]).toEqual(['2', ['pause', 'resume']]);
});

test('keeps the order when the source pushes at once as it is resumed', async () => {
  const { schema, asked } = openSchema();
  const late = ['"late 1"', '"late 2"'];
  const texts = new MessageQueue<string>(1, {
    pause: () => undefined,
    resume: () => {
      for (const text of late.splice(0)) queue.push(text, 1);
    },
  });
  const queue = new ValueQueue(texts, new Codec(schema, undefined), () => undefined);
  const waiters = Array.from({ length: 4 }, () => newWaiter());
  for (const { waiter } of waiters) queue.wait(waiter);
  queue.push('"1"', 1);
  queue.push('"2"', 1);
  for (let i = 0; i < 4; i++) {
    asked[i]?.resolve(asked[i]?.value);
    await settled();
  }
  expect(waiters.map(({ got }) => got)).toEqual([['1'], ['2'], ['late 1'], ['late 2']]);
});

test('a large text that somebody waits for does not pause the source', () => {
  const { queue, source, push } = openQueue('json', { high: 10 });
  const { waiter, got } = newWaiter();
  queue.wait(waiter);
  push(`"${'x'.repeat(100)}"`);
  expect([got, source]).toEqual([['x'.repeat(100)], []]);
});

describe('a text that does not fit', () => {
  test('is skipped, and reported with its issues', () => {
    const { queue, push, invalid } = openQueue(textSchema);
    push('1', '"a"', '{}');
    expect([queue.shift(), queue.shift()]).toEqual(['a', EMPTY]);
    const issues = [{ message: 'expected a text' }];
    expect(invalid).toEqual([
      [issues, '1'],
      [issues, '{}'],
    ]);
  });

  test('leaves the waiter waiting for the next one', () => {
    const { queue, push } = openQueue(textSchema);
    const { waiter, got } = newWaiter();
    queue.wait(waiter);
    push('1');
    expect(got).toEqual([]);
    push('"a"');
    expect(got).toEqual(['a']);
  });

  test('may end the queue: later texts are dropped, and waiters end', () => {
    const { queue, push } = openQueue(textSchema, {
      onInvalid: () => {
        queue.clear();
        queue.end();
      },
    });
    push('"a"', '1', '"b"');
    expect([queue.shift(), queue.ended]).toEqual(['a', false]);
    expect([queue.shift(), queue.ended, queue.length]).toEqual([EMPTY, true, 0]);

    const other = openQueue(textSchema, {
      onInvalid: () => {
        other.queue.clear();
        other.queue.end();
      },
    });
    const [first, second] = [newWaiter(), newWaiter()];
    other.queue.wait(first.waiter);
    other.queue.wait(second.waiter);
    other.push('1', '"b"');
    expect([first.got, second.got]).toEqual([['the end'], ['the end']]);
  });
});

describe('a failure of the app', () => {
  const error = new Error('broken');
  const failing = schemaOf((value) => {
    if (value === 1) throw error;
    return { value };
  });

  test('stands in the place of the value, and the next text is readable', () => {
    const { queue, push } = openQueue(failing);
    push('1', '2');
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([new Failure(error), 2, EMPTY]);
  });

  test('goes to the waiter', () => {
    const { queue, push } = openQueue(failing);
    const { waiter, got } = newWaiter();
    queue.wait(waiter);
    push('1');
    expect(() => unwrap(got[0])).toThrow(error);
  });

  test('may come from the listener for invalid texts', () => {
    const { queue, push } = openQueue(textSchema, {
      onInvalid: () => {
        throw error;
      },
    });
    push('1', '"a"');
    expect([queue.shift(), queue.shift()]).toEqual([new Failure(error), 'a']);
  });

  test('may be reported later: then the next reader gets it before the next value', () => {
    const { queue, push } = openQueue();
    push('1');
    queue.fail(error);
    expect([queue.length, queue.shift(), queue.shift()]).toEqual([2, new Failure(error), 1]);
  });

  test.for([undefined, null, 'text', {}])('includes a schema that returns %o', (result) => {
    const { queue, push } = openQueue(schemaOf(() => result as never));
    push('1');
    const value = queue.shift();
    if (result === undefined || result === null) expect(() => unwrap(value)).toThrow(TypeError);
    // As the standard says: no issues, so it fits; and the value is undefined.
    else expect(value).toBeUndefined();
  });
});

describe('with a schema that answers with a promise', () => {
  test('the queue keeps the order, and asks for one value at a time', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    const waiters = [newWaiter(), newWaiter(), newWaiter()] as const;
    for (const { waiter } of waiters) queue.wait(waiter);
    push('1', '2', '3', '4');
    for (let i = 0; i < 3; i++) {
      expect(asked.map(({ value }) => value)).toEqual([1, 2, 3].slice(0, i + 1));
      expect(queue.isChecking).toBe(true);
      asked[i]?.resolve(`value ${i + 1}`);
      await settled();
    }
    expect(waiters.map(({ got }) => got)).toEqual([['value 1'], ['value 2'], ['value 3']]);
    expect([asked.length, queue.isChecking, queue.length]).toEqual([3, false, 1]);
  });

  test('a look starts the check, and a later look gets the value', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    push('1', '2');
    expect([queue.shift(), queue.length]).toEqual([EMPTY, 2]);
    expect([queue.shift(), asked.length]).toEqual([EMPTY, 1]);
    asked[0]?.resolve(undefined);
    await settled();
    expect([queue.length, queue.shift(), queue.length]).toEqual([2, undefined, 1]);
    expect([queue.shift(), asked.length]).toEqual([EMPTY, 2]);
  });

  test('a waiter that gives up loses nothing: the value goes to the next', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    const [first, second] = [newWaiter(), newWaiter()];
    queue.wait(first.waiter);
    push('1');
    queue.stopWaiting(first.waiter);
    queue.wait(second.waiter);
    asked[0]?.resolve('value');
    await settled();
    expect([first.got, second.got]).toEqual([[], ['value']]);

    queue.wait(first.waiter);
    push('2');
    queue.stopWaiting(first.waiter);
    asked[1]?.resolve(null);
    await settled();
    expect([queue.length, queue.shift(), queue.shift()]).toEqual([1, null, EMPTY]);
  });

  test('a slow answer lets the texts fill the queue, which pauses the source', async () => {
    const { schema, asked } = openSchema();
    const { queue, source, push } = openQueue(schema, { high: 2 * (COST + 1) });
    queue.wait(newWaiter().waiter);
    push('1', '2', '3');
    expect(source).toEqual([]);
    push('4');
    expect(source).toEqual(['pause']);
    asked[0]?.resolve(1);
    await settled();
    for (let i = 1; i < 3; i++) {
      expect(queue.shift()).toBe(EMPTY);
      asked[i]?.resolve(i);
      await settled();
      expect(queue.shift()).toBe(i);
    }
    expect(source).toEqual(['pause', 'resume']);
  });

  test('a text that does not fit is skipped, and the waiter gets the next value', async () => {
    const { schema, asked } = openSchema();
    const { queue, push, invalid } = openQueue(schema);
    const { waiter, got } = newWaiter();
    queue.wait(waiter);
    push('1', '2');
    asked[0]?.refuse();
    await settled();
    expect([invalid.length, got, asked.length]).toEqual([1, [], 2]);
    asked[1]?.resolve(2);
    await settled();
    expect(got).toEqual([2]);
  });

  test('a rejection goes to the waiter, or to the next reader', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    const { waiter, got } = newWaiter();
    queue.wait(waiter);
    push('1', '2');
    const error = new Error('broken');
    asked[0]?.fail(error);
    await settled();
    expect(got).toEqual([new Failure(error)]);
    expect(queue.shift()).toBe(EMPTY);
    asked[1]?.fail(error);
    await settled();
    expect([queue.shift(), queue.shift()]).toEqual([new Failure(error), EMPTY]);
  });

  test('after the end, what came before is still checked and given; then the waiters end, once', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    const waiters = [newWaiter(), newWaiter(), newWaiter()] as const;
    for (const { waiter } of waiters) queue.wait(waiter);
    push('1', '2');
    queue.end();
    push('too late');
    expect(queue.ended).toBe(false);
    asked[0]?.resolve(1);
    await settled();
    expect(queue.ended).toBe(false);
    asked[1]?.resolve(2);
    await settled();
    expect(queue.ended).toBe(true);
    expect(waiters.map(({ got }) => got)).toEqual([[1], [2], ['the end']]);
  });

  test('clearing drops the value that is being checked', async () => {
    const { schema, asked } = openSchema();
    const { queue, push } = openQueue(schema);
    expect(queue.shift()).toBe(EMPTY);
    push('1', '2');
    expect([queue.shift(), queue.isChecking]).toEqual([EMPTY, true]);
    queue.clear();
    expect([queue.length, queue.isChecking]).toEqual([0, false]);
    asked[0]?.resolve(1);
    await settled();
    expect([queue.length, queue.shift(), asked.length]).toEqual([0, EMPTY, 1]);
    // A check that began later is another one.
    push('3');
    expect([queue.shift(), queue.isChecking]).toEqual([EMPTY, true]);
  });
});

describe('the end', () => {
  test('comes after the unread values', () => {
    const { queue, push } = openQueue();
    push('1');
    queue.end();
    push('2');
    expect([queue.ended, queue.shift(), queue.shift(), queue.ended]).toEqual([false, 1, EMPTY, true]);
  });

  test('comes to all waiters at once if nothing is unread', () => {
    const { queue } = openQueue();
    const [first, second] = [newWaiter(), newWaiter()];
    queue.wait(first.waiter);
    queue.wait(second.waiter);
    queue.end();
    queue.end();
    expect([first.got, second.got, queue.ended]).toEqual([['the end'], ['the end'], true]);
  });

  test('resumes a paused source, which also delivers the close frame', () => {
    const { queue, source, push } = openQueue('json', { high: 1 });
    push('1');
    expect(source).toEqual(['pause']);
    queue.end();
    expect([source, queue.shift()]).toEqual([['pause', 'resume'], 1]);
  });
});

test('a schema runs in the context in which the queue was created, also for an event of the socket', () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const schema = schemaOf((value) => {
    seen.push(storage.getStore());
    return { value };
  });
  const { queue, push } = storage.run('the request', () => openQueue(schema));
  queue.wait(newWaiter().waiter);
  storage.run('the socket', () => push('1'));
  expect(seen).toEqual(['the request']);
});
