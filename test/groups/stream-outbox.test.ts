import { describe, expect, test } from 'vitest';
import { cutOffError, refusedError } from '../../src/groups/redis/faults.js';
import { StreamOutbox } from '../../src/groups/redis/stream-outbox.js';
import { defer, Inbox, within } from '../support/inbox.js';

/** An outbox whose every command is answered by the test. */
function openOutbox({ isReady = true, maxBuffered = 1_000 } = {}) {
  const state = { isReady };
  const commands = new Inbox<{ text: string; ok: () => void; fail: (error: Error) => void }>();
  const dropped: string[] = [];
  const outbox = new StreamOutbox({
    maxBuffered,
    isReady: () => state.isReady,
    add(group, data) {
      const { promise, resolve, reject } = defer<unknown>();
      commands.push({ text: `${group}: ${data.toString()}`, ok: () => resolve('1-1'), fail: reject });
      return promise;
    },
    dropped: (group, error) => dropped.push(`${group}: ${error.message}`),
  });
  const send = (text: string, group = 'a') => outbox.send(group, Buffer.from(text));
  return { outbox, state, commands, dropped, send };
}

const cut = () => cutOffError(new Error('Socket closed'));
const refused = (text: string) => refusedError(new Error(text));

describe('while connected', () => {
  test('what is sent goes out at once and is confirmed', async () => {
    const { commands, send } = openOutbox();
    const results = [send('1'), send('2')];
    const [one, two] = [await commands.next(), await commands.next()];
    expect([one.text, two.text]).toEqual(['a: 1', 'a: 2']);
    one.ok();
    two.ok();
    expect(await Promise.all(results)).toEqual(['1-1', '1-1']);
  });

  test('no more than 500 are on their way at a time', async () => {
    const { commands, send } = openOutbox({ maxBuffered: 10_000 });
    const results = Array.from({ length: 501 }, (_, index) => send(String(index)));
    const away = commands.rest();
    expect(away).toHaveLength(500);
    for (const { ok } of away) ok();
    (await commands.next()).ok();
    expect(new Set(await Promise.all(results))).toEqual(new Set(['1-1']));
  });

  test('what Redis refuses is told to the sender, and the others go on', async () => {
    const { commands, send, dropped } = openOutbox();
    const results = [send('1'), send('2')];
    (await commands.next()).fail(refused('NOPERM no'));
    (await commands.next()).ok();
    await expect(results[0]).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_REFUSED' });
    expect(await results[1]).toBe('1-1');
    expect(dropped).toEqual([]);
  });
});

describe('in an outage', () => {
  test('what is sent is kept and goes out in order, what is not confirmed once more', async () => {
    const { outbox, state, commands, send } = openOutbox();
    const results = [send('1'), send('2')];
    const [one, two] = [await commands.next(), await commands.next()];
    state.isReady = false;
    one.fail(cut());
    two.fail(cut());
    results.push(send('3'));
    expect(await Promise.all(results)).toEqual(['later', 'later', 'later']);
    state.isReady = true;
    outbox.flush();
    const first = await commands.next();
    expect([first.text, commands.rest()]).toEqual(['a: 1', []]);
    const fourth = send('4');
    first.ok();
    const rest = [await commands.next(), await commands.next(), await commands.next()];
    expect(rest.map(({ text }) => text)).toEqual(['a: 2', 'a: 3', 'a: 4']);
    for (const { ok } of rest) ok();
    expect(await fourth).toBe('1-1');
    const fifth = send('5');
    (await commands.next()).ok();
    expect(await fifth).toBe('1-1');
  });

  test('no more is kept than maxBuffered says', async () => {
    const { send } = openOutbox({ isReady: false, maxBuffered: 10 });
    expect(await send('12345')).toBe('later');
    expect(await send('67890')).toBe('later');
    await expect(send('x')).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_BACKPLANE_FULL',
      group: 'a',
      message: expect.stringContaining('maxBuffered'),
    });
  });

  test('a Redis that is still starting is tried again', async () => {
    const { commands, send } = openOutbox();
    const result = send('1');
    (await commands.next()).fail(refused('LOADING Redis is loading the dataset in memory'));
    expect(await result).toBe('later');
    const again = await commands.next();
    expect(again.text).toBe('a: 1');
    again.ok();
  });

  test('one that could only go out after a later one of its group is dropped, and told', async () => {
    const { commands, send, dropped } = openOutbox();
    const results = [send('1'), send('2'), send('1', 'b')];
    const [one, two, other] = [await commands.next(), await commands.next(), await commands.next()];
    one.fail(cut());
    expect(await results[0]).toBe('later');
    expect(commands.rest()).toEqual([]);
    two.ok();
    other.ok();
    expect(await Promise.all(results)).toEqual(['later', '1-1', '1-1']);
    expect(dropped).toEqual([expect.stringMatching(/^a: .*out of order/)]);
  });
});

describe('close', () => {
  test('waits for what is under way', async () => {
    const { outbox, commands, send } = openOutbox();
    const result = send('1');
    const closing = outbox.close(5_000);
    (await commands.next()).ok();
    await within(closing, 'close');
    expect(await result).toBe('1-1');
  });

  test('does not wait in an outage, and tells what stays here', async () => {
    const { outbox, send, dropped } = openOutbox({ isReady: false });
    expect(await send('1')).toBe('later');
    await within(outbox.close(5_000), 'close');
    expect(dropped).toEqual(['a: the backplane is closed']);
  });

  test('gives up when nothing comes of it', async () => {
    const { outbox, send } = openOutbox();
    const result = send('1');
    await within(outbox.close(10), 'close');
    await expect(result).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_BACKPLANE_CLOSED' });
  });
});
