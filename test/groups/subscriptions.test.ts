import { describe, expect, test } from 'vitest';
import { Subscriptions } from '../../src/groups/redis/subscriptions.js';
import { Inbox } from '../support/inbox.js';

interface Asked {
  readonly what: string;
  ok(): void;
  fail(error: Error): void;
}

/** A subscriber. The test answers each of its commands. */
function openSubscriber({ restores = false } = {}) {
  const asked = new Inbox<Asked>();
  const ask = (name: string) => (channels: string[]) =>
    new Promise((resolve, reject) => {
      const what = channels.length > 5 ? `${name} ${channels.length}` : `${name} ${channels.join()}`;
      asked.push({ what, ok: () => resolve(undefined), fail: reject });
    });
  const subscriber = {
    restores,
    isReady: () => true,
    subscribe: ask('+'),
    unsubscribe: ask('-'),
    close: () => {},
  };
  return { subscriber, asked };
}

/** Resolves after all pending microtasks. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

async function openRestored({ restores = false, always = ['probe'] } = {}) {
  let batches = 0;
  const subscriptions = new Subscriptions(always, () => batches++);
  const opened = openSubscriber({ restores });
  const restored = subscriptions.restore(opened.subscriber);
  if (always.length > 0) (await opened.asked.next()).ok();
  await restored;
  return { ...opened, subscriptions, batches: () => batches };
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `room ${index}`);

describe('while the connection is open', () => {
  test('all changes of one turn go into one command', async () => {
    const { subscriptions, asked } = await openRestored();
    const adding = [subscriptions.add('a'), subscriptions.add('b')];
    const command = await asked.next();
    expect(command.what).toBe('+ a,b');
    command.ok();
    await Promise.all(adding);
    subscriptions.delete('a');
    void subscriptions.add('c');
    expect([(await asked.next()).what, (await asked.next()).what]).toEqual(['- a', '+ c']);
  });

  test('many channels are subscribed in batches, one after the other', async () => {
    const { subscriptions, asked, batches } = await openRestored();
    const adding = names(2_500).map((name) => subscriptions.add(name));
    for (const what of ['+ 1000', '+ 1000', '+ 500']) {
      const command = await asked.next();
      expect([command.what, asked.rest()]).toEqual([what, []]);
      command.ok();
    }
    await Promise.all(adding);
    await nextTurn();
    expect(batches()).toBe(4);
  });

  test('long names make smaller batches', async () => {
    const { subscriptions, asked } = await openRestored();
    for (const name of names(10)) void subscriptions.add(name + 'x'.repeat(100_000));
    expect((await asked.next()).what.split(',')).toHaveLength(3);
  });

  test('a channel that is added again before it was unsubscribed stays subscribed', async () => {
    const { subscriptions, asked } = await openRestored();
    const adding = subscriptions.add('a');
    (await asked.next()).ok();
    await adding;
    subscriptions.delete('a');
    await subscriptions.add('a');
    expect([asked.rest(), subscriptions.has('a')]).toEqual([[], true]);
  });

  test('a refused channel does not affect the others', async () => {
    const { subscriptions, asked } = await openRestored();
    const results = ['a', 'b', 'c'].map((name) =>
      subscriptions.add(name).then(
        () => name,
        (error: unknown) => `${name}: ${(error as Error).message}`,
      ),
    );
    const refuse = async (what: string) => {
      const command = await asked.next();
      expect(command.what).toBe(what);
      command.fail(new Error('NOPERM no'));
    };
    await refuse('+ a,b,c');
    (await asked.next()).ok();
    await refuse('+ b,c');
    await refuse('+ b');
    (await asked.next()).ok();
    expect(await Promise.all(results)).toEqual(['a', 'b: NOPERM no', 'c']);
    expect(['a', 'b', 'c'].map((name) => subscriptions.has(name))).toEqual([true, false, true]);
  });
});

test('without an answer pending calls reject, and a late subscription is unsubscribed again', async () => {
  const { subscriptions, asked } = await openRestored();
  expect(subscriptions.askedSince).toBeUndefined();
  const adding = subscriptions.add('a');
  const command = await asked.next();
  expect(subscriptions.askedSince).toBeTypeOf('number');
  subscriptions.rejectWaiters(new Error('no answer'));
  await expect(adding).rejects.toThrow('no answer');
  expect(subscriptions.has('a')).toBe(false);
  command.ok();
  expect((await asked.next()).what).toBe('- a');
});

describe('when the connection is lost', () => {
  test('pending calls reject, even if the client keeps their command', async () => {
    const { subscriptions, asked } = await openRestored();
    const adding = subscriptions.add('a');
    await asked.next();
    subscriptions.suspend(new Error('lost'));
    await expect(adding).rejects.toThrow('lost');
    expect(subscriptions.has('a')).toBe(false);
  });

  test('the next connection subscribes exactly the wanted channels', async () => {
    const { subscriptions, asked } = await openRestored();
    const adding = ['left', 'stays'].map((name) => subscriptions.add(name));
    (await asked.next()).ok();
    await Promise.all(adding);
    subscriptions.suspend(new Error('lost'));
    subscriptions.delete('left');
    const next = openSubscriber();
    const restored = subscriptions.restore(next.subscriber);
    const command = await next.asked.next();
    expect(command.what).toBe('+ probe,stays');
    command.ok();
    await restored;
    await nextTurn();
    expect(next.asked.rest()).toEqual([]);
  });

  test('a client that restores its subscriptions unsubscribes the unwanted ones', async () => {
    const { subscriptions, subscriber, asked } = await openRestored({ restores: true });
    const adding = ['left', 'stays'].map((name) => subscriptions.add(name));
    (await asked.next()).ok();
    await Promise.all(adding);
    const unanswered = ['unsure', 'unsure and left'].map((name) => subscriptions.add(name));
    await asked.next();
    subscriptions.suspend(new Error('lost'));
    await Promise.allSettled(unanswered);
    subscriptions.delete('left');
    const again = subscriptions.restore(subscriber);
    const command = await asked.next();
    expect(command.what).toBe('- left,unsure,unsure and left');
    command.ok();
    await again;
  });

  test('a channel that is refused then is retried alone, and the others are subscribed', async () => {
    const { subscriptions, asked } = await openRestored();
    const adding = ['a', 'b'].map((name) => subscriptions.add(name));
    (await asked.next()).ok();
    await Promise.all(adding);
    subscriptions.suspend(new Error('lost'));
    const { subscriber, asked: next } = openSubscriber();
    const restored = subscriptions.restore(subscriber);
    (await next.next()).fail(new Error('NOPERM no'));
    (await next.next()).ok();
    (await next.next()).fail(new Error('NOPERM no'));
    (await next.next()).fail(new Error('NOPERM no'));
    (await next.next()).ok();
    await expect(restored).rejects.toThrow('NOPERM');
    const again = subscriptions.restore(subscriber);
    const command = await next.next();
    expect(command.what).toBe('+ a');
    command.ok();
    await again;
  });
});
