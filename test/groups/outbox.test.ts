import type { BackplaneError } from 'dwebsocket/groups';
import { describe, expect, test } from 'vitest';
import { cutOffError, refusedError } from '../../src/groups/redis/faults.js';
import { Outbox } from '../../src/groups/redis/outbox.js';
import type { RedisPort } from '../../src/groups/redis/port.js';
import { Inbox, within } from '../support/inbox.js';

interface Sent {
  readonly text: string;
  ok(): void;
  fail(error: Error): void;
}

/** Opens an outbox. The test answers each of its commands. */
function openOutbox({ canSend = true, keeps = true, oneByOne = false, maxBuffered = 2 ** 24 } = {}) {
  const state = { canSend };
  const commands = new Inbox<Sent>();
  const dropped: string[] = [];
  let text = '';
  const outbox = new Outbox({
    maxBuffered,
    keeps,
    oneByOne,
    canSend: () => state.canSend,
    post(command) {
      void command.run({} as RedisPort);
      commands.push({ text, ok: () => command.answered('1-1'), fail: (error) => command.failed(error) });
    },
    send: async (_port, group, data) => (text = `${group}: ${data.toString()}`),
    dropped: (group, count, error) => dropped.push(`${group}: ${count}: ${error.message}`),
  });
  const add = (data: string, group = 'a') => outbox.add(group, Buffer.from(data));
  return { outbox, state, commands, dropped, add };
}

const cut = () => cutOffError(new Error('Socket closed'));
const refused = (text: string) => refusedError(new Error(text));
const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));

describe('while connected', () => {
  test('a message is sent at once and confirmed', async () => {
    const { commands, add } = openOutbox();
    const results = [add('1'), add('2')];
    const [one, two] = [await commands.next(), await commands.next()];
    expect([one.text, two.text]).toEqual(['a: 1', 'a: 2']);
    one.ok();
    two.ok();
    expect(await Promise.all(results)).toEqual(['1-1', '1-1']);
  });

  test('at most 500 messages are in flight at a time', async () => {
    const { commands, add } = openOutbox();
    const results = numbers(501).map((text) => add(text));
    const away = commands.rest();
    expect(away).toHaveLength(500);
    for (const { ok } of away) ok();
    (await commands.next()).ok();
    expect(new Set(await Promise.all(results))).toEqual(new Set(['1-1']));
  });

  test('at most 1 MiB, or one larger message, is in flight at a time', async () => {
    const { commands, add } = openOutbox();
    const large = 'x'.repeat(2 ** 19);
    for (let count = 0; count < 4; count++) void add(large);
    expect(commands.rest()).toHaveLength(2);
    const { commands: others, add: addOther } = openOutbox();
    for (let count = 0; count < 2; count++) void addOther('x'.repeat(2 ** 21));
    const [first, ...rest] = others.rest();
    expect(rest).toEqual([]);
    first!.ok();
    expect(others.rest()).toHaveLength(1);
  });

  test('groups are served in turn: many messages of one do not delay another, and each keeps its order', async () => {
    const { commands, add } = openOutbox();
    for (const text of numbers(2_000)) void add(text, 'flood');
    void add('first', 'b');
    void add('second', 'b');
    for (const { ok } of commands.rest()) ok();
    const next = commands.rest().map(({ text }) => text);
    expect(next.indexOf('b: first')).toBeLessThan(2);
    expect(next.indexOf('b: second')).toBeLessThan(4);
    expect(next.filter((text) => text.startsWith('flood')).slice(0, 3)).toEqual([
      'flood: 500',
      'flood: 501',
      'flood: 502',
    ]);
  });

  test('with oneByOne a group has one message in flight, and other groups do not wait for it', async () => {
    const { commands, add } = openOutbox({ oneByOne: true });
    const results = [add('1'), add('2'), add('1', 'b'), add('3'), add('2', 'b')];
    const texts: string[] = [];
    for (let batch = commands.rest(); batch.length > 0; batch = commands.rest()) {
      texts.push(batch.map(({ text }) => text).join());
      for (const { ok } of batch) ok();
    }
    expect(texts).toEqual(['a: 1,b: 1', 'a: 2,b: 2', 'a: 3']);
    expect(new Set(await Promise.all(results))).toEqual(new Set(['1-1']));
  });

  test('with oneByOne the order stays in an outage, too', async () => {
    const { outbox, commands, add } = openOutbox({ oneByOne: true });
    const results = ['1', '2', '3'].map((text) => add(text));
    (await commands.next()).fail(cut());
    expect(await Promise.all(results)).toEqual(['later', 'later', 'later']);
    outbox.flush();
    const texts: string[] = [];
    for (let batch = commands.rest(); batch.length > 0; batch = commands.rest()) {
      texts.push(batch.map(({ text }) => text).join());
      for (const { ok } of batch) ok();
    }
    expect(texts).toEqual(['a: 1', 'a: 2', 'a: 3']);
  });

  test('a refused message rejects, and the others are still sent', async () => {
    const { commands, add, dropped } = openOutbox();
    const results = [add('1'), add('2')];
    (await commands.next()).fail(refused('NOPERM no'));
    (await commands.next()).ok();
    await expect(results[0]).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED' });
    expect(await results[1]).toBe('1-1');
    expect(dropped).toEqual([]);
  });

  test('without keeps a failed message rejects, and the others are still sent', async () => {
    const { commands, add } = openOutbox({ keeps: false });
    const results = [add('1'), add('2')];
    (await commands.next()).fail(cut());
    (await commands.next()).ok();
    await expect(results[0]).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_CUT_OFF' });
    expect(await results[1]).toBe('1-1');
  });

  test('without keeps messages wait for the first connection', async () => {
    const { outbox, state, commands, add } = openOutbox({ keeps: false, canSend: false });
    const results = [add('1'), add('2')];
    expect(commands.rest()).toEqual([]);
    state.canSend = true;
    outbox.flush();
    for (const { ok } of commands.rest()) ok();
    expect(await Promise.all(results)).toEqual(['1-1', '1-1']);
  });
});

describe('in an outage', () => {
  test('messages are kept and sent in order, and unconfirmed ones are repeated', async () => {
    const { outbox, state, commands, add } = openOutbox();
    const results = [add('1'), add('2')];
    const [one, two] = [await commands.next(), await commands.next()];
    state.canSend = false;
    one.fail(cut());
    two.fail(cut());
    results.push(add('3'));
    expect(await Promise.all(results)).toEqual(['later', 'later', 'later']);
    state.canSend = true;
    outbox.flush();
    const first = await commands.next();
    expect([first.text, commands.rest()]).toEqual(['a: 1', []]);
    const fourth = add('4');
    first.ok();
    const rest = [await commands.next(), await commands.next(), await commands.next()];
    expect(rest.map(({ text }) => text)).toEqual(['a: 2', 'a: 3', 'a: 4']);
    for (const { ok } of rest) ok();
    expect(await fourth).toBe('1-1');
    const fifth = add('5');
    (await commands.next()).ok();
    expect(await fifth).toBe('1-1');
  });

  test("messages that wait when it begins resolve with 'later'", async () => {
    const { outbox, state, commands, add } = openOutbox();
    const results = numbers(600).map((text) => add(text));
    const away = commands.rest();
    state.canSend = false;
    for (const { fail } of away) fail(cut());
    expect(new Set(await Promise.all(results))).toEqual(new Set(['later']));
    state.canSend = true;
    outbox.flush();
    const texts: string[] = [];
    for (let batch = commands.rest(); batch.length > 0; batch = commands.rest()) {
      for (const { text, ok } of batch) {
        texts.push(text);
        ok();
      }
    }
    expect(texts).toEqual(numbers(600).map((text) => `a: ${text}`));
  });

  test('the order stays through several outages', async () => {
    const { outbox, state, commands, add } = openOutbox();
    void Promise.all(numbers(10).map((text) => add(text)));
    const texts: string[] = [];
    for (let round = 0; round < 6; round++) {
      const batch = commands.rest();
      // Two messages are confirmed, then the connection breaks.
      for (const [index, { text, ok, fail }] of batch.entries()) {
        if (index < 2) texts.push(text);
        if (index < 2) ok();
        else fail(cut());
      }
      for (const { fail } of commands.rest()) fail(cut());
      state.canSend = true;
      outbox.flush();
    }
    expect(texts).toEqual([...new Set(texts)].sort());
  });

  test('messages take at most maxBuffered bytes of memory', async () => {
    const { add } = openOutbox({ canSend: false, maxBuffered: 5_000 });
    let kept = 0;
    while ((await add('12345').catch((error: unknown) => error)) === 'later') kept++;
    // A kept message takes its bytes, 4 more, and a part of its chunk. The queue takes the rest.
    expect(kept).toBeGreaterThan(100);
    expect(kept).toBeLessThan(5_000 / 9);
    await expect(add('x'.repeat(5_000), 'b')).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_BACKPLANE_FULL',
      group: 'b',
      message: expect.stringContaining('maxBuffered'),
    });
  });

  test.each([true, false])(
    'messages that wait for a slow Redis are limited, too (keeps: %s)',
    async (keeps) => {
      const { commands, add } = openOutbox({ keeps, maxBuffered: 100_000 });
      const results = numbers(1_000).map((text) =>
        add(text).catch((error: unknown) => (error as BackplaneError).code),
      );
      for (let batch = commands.rest(); batch.length > 0; batch = commands.rest())
        for (const { ok } of batch) ok();
      const all = await Promise.all(results);
      const taken = all.filter((result) => result === '1-1').length;
      expect(taken).toBeGreaterThan(50);
      expect(taken).toBeLessThan(200);
      expect(all.lastIndexOf('1-1')).toBe(taken - 1);
      expect(all.at(-1)).toBe('ERR_WEBSOCKET_BACKPLANE_FULL');
      // All memory is released in the end.
      const again = numbers(50).map((text) => add(text));
      for (let batch = commands.rest(); batch.length > 0; batch = commands.rest())
        for (const { ok } of batch) ok();
      expect(new Set(await Promise.all(again))).toEqual(new Set(['1-1']));
    },
  );

  test('a message is repeated while Redis is starting', async () => {
    const { commands, add } = openOutbox();
    const result = add('1');
    (await commands.next()).fail(refused('LOADING Redis is loading the dataset in memory'));
    expect(await result).toBe('later');
    const again = await commands.next();
    expect(again.text).toBe('a: 1');
    again.ok();
  });

  test('a message that would follow a later one of its group is dropped and reported', async () => {
    const { commands, add, dropped } = openOutbox();
    const results = [add('1'), add('2'), add('1', 'b')];
    const [one, two, other] = [await commands.next(), await commands.next(), await commands.next()];
    one.fail(cut());
    expect(await results[0]).toBe('later');
    expect(commands.rest()).toEqual([]);
    two.ok();
    other.ok();
    expect(await Promise.all(results)).toEqual(['later', '1-1', '1-1']);
    expect(dropped).toEqual([expect.stringMatching(/^a: 1: .*break the order/)]);
  });

  test('a permanently refused message does not drop earlier ones', async () => {
    const { outbox, commands, add, dropped } = openOutbox();
    const results = [add('1'), add('2')];
    const [one, two] = [await commands.next(), await commands.next()];
    one.fail(cut());
    two.fail(refused('OOM no'));
    await expect(results[1]).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED' });
    outbox.flush();
    const again = await commands.next();
    expect([again.text, dropped]).toEqual(['a: 1', []]);
    again.ok();
  });
});

describe('close', () => {
  test('waits for messages in flight', async () => {
    const { outbox, commands, add } = openOutbox();
    const result = add('1');
    const closing = outbox.close(5_000);
    (await commands.next()).ok();
    await within(closing, 'close');
    expect(await result).toBe('1-1');
  });

  test('does not wait in an outage, and reports the number of dropped messages', async () => {
    const { outbox, add, dropped } = openOutbox({ canSend: false });
    expect(await Promise.all([add('1'), add('2')])).toEqual(['later', 'later']);
    await within(outbox.close(5_000), 'close');
    expect(dropped).toEqual(['a: 2: the backplane is closed']);
    await expect(add('3')).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_CLOSED' });
  });

  test('drops the messages after the timeout', async () => {
    const { outbox, add, dropped } = openOutbox();
    const results = numbers(600).map((text) => add(text));
    await within(outbox.close(10), 'close');
    for (const result of [results[0], results[599]]) {
      await expect(result).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_CLOSED' });
    }
    await Promise.allSettled(results);
    expect(dropped).toEqual([]);
  });
});
