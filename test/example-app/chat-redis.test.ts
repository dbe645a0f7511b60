import { closeClients } from 'dwebsocket/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { lifetime } from '../../example-app/chat/redis-store.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';
import { Chatter } from './chatter.js';
import { Instance } from './instance.js';

// The chat in several instances of the app.

// Processes start slowly where many of them run at once.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const instances: Instance[] = [];

async function startInstance(url: string): Promise<Instance> {
  const instance = await Instance.start({ REDIS_URL: url });
  instances.push(instance);
  return instance;
}

afterEach(closeClients);
afterAll(async () => {
  await Promise.all(instances.map((instance) => instance.end('SIGKILL')));
});

describe.runIf(hasRedis)('two instances with one Redis', () => {
  let redis: RedisServer;
  let one: Instance;
  let two: Instance;

  beforeAll(async () => {
    redis = await RedisServer.start();
    [one, two] = await Promise.all([startInstance(redis.url), startInstance(redis.url)]);
  });
  afterAll(() => redis.stop());

  test('share what is said, who is there, and the last messages', async () => {
    const ada = await Chatter.enter(one.origin, 'shared', 'Ada');
    const bob = await Chatter.enter(two.origin, 'shared', 'Bob');
    await Promise.all([ada.untilHere('Ada', 'Bob'), bob.untilHere('Ada', 'Bob')]);

    const texts = Array.from({ length: 25 }, (_, index) => `message ${String(index)}`);
    for (const text of texts) ada.say(text);
    await Promise.all([ada.untilSaid('message 24'), bob.untilSaid('message 24')]);
    expect(ada.said).toEqual(texts);
    expect(bob.said).toEqual(texts);

    const cem = await Chatter.enter(two.origin, 'shared', 'Cem');
    expect(cem.said).toEqual(texts.slice(5));
    await ada.client.close();
    await Promise.all([bob.untilHere('Bob', 'Cem'), cem.untilHere('Bob', 'Cem')]);
  });

  test('after one is killed, its visitors are gone and their messages are not', async () => {
    const victim = await startInstance(redis.url);
    const ada = await Chatter.enter(one.origin, 'killed', 'Ada');
    const bob = await Chatter.enter(victim.origin, 'killed', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    bob.say('help');
    await ada.untilSaid('help');

    expect(await victim.end('SIGKILL')).toBe('SIGKILL');
    // An entry lives so long, and is looked at each second; the rest is for a machine that has a lot to do.
    await ada.until(({ people }) => people.join() === 'Ada', lifetime + 30_000);
    const cem = await Chatter.enter(two.origin, 'killed', 'Cem');
    await cem.untilHere('Ada', 'Cem');
    expect(cem.said).toEqual(['help']);
  });

  test('one that is stopped takes its people along at once, and ends with 0', async () => {
    const leaver = await startInstance(redis.url);
    const ada = await Chatter.enter(one.origin, 'stopped', 'Ada');
    const bob = await Chatter.enter(leaver.origin, 'stopped', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    expect(await leaver.end('SIGTERM')).toBe(0);
    expect((await bob.client.closed).code).toBe(1001);
    expect(redis.cli('KEYS', '*:stopped:people:*').split('\n')).toHaveLength(1);
    await ada.untilHere('Ada');
  });

  test('while Redis is away each has its own room; afterwards they are together again', async () => {
    const ada = await Chatter.enter(one.origin, 'outage', 'Ada');
    const ann = await Chatter.enter(one.origin, 'outage', 'Ann');
    const bob = await Chatter.enter(two.origin, 'outage', 'Bob');
    await Promise.all([ada.untilHere('Ada', 'Ann', 'Bob'), bob.untilHere('Ada', 'Ann', 'Bob')]);

    await redis.kill();
    await Promise.all([ada.untilHere('Ada', 'Ann'), bob.untilHere('Bob')]);
    ada.say('is anybody here?');
    await ann.untilSaid('is anybody here?');
    const eve = await Chatter.enter(one.origin, 'outage', 'Eve');
    expect(eve.said).toEqual(['is anybody here?']);
    for (const instance of [one, two]) {
      const line = await instance.untilPrinted(/cut off/);
      expect(line).toMatch(/^Chat: .* Until then rooms reach only this instance\.$/);
    }

    await redis.begin();
    await Promise.all([ada, bob].map((chatter) => chatter.untilHere('Ada', 'Ann', 'Bob', 'Eve')));
    await bob.untilSaid('is anybody here?');
    bob.say('yes');
    await ada.untilSaid('yes');
    await one.untilPrinted(/Redis is back/);
  });
});

describe('a Redis that does not run, or cannot be reached', () => {
  /** The rooms of an instance go on. */
  async function talk(instance: Instance): Promise<void> {
    const ada = await Chatter.enter(instance.origin, 'lobby', 'Ada');
    const bob = await Chatter.enter(instance.origin, 'lobby', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    ada.say('hello');
    await bob.untilSaid('hello');
    const cem = await Chatter.enter(instance.origin, 'lobby', 'Cem');
    expect(cem.said).toEqual(['hello']);
  }

  test.each([
    ['redis://127.0.0.1:1', /^Chat: .*ECONNREFUSED.*check the URL/],
    ['http://localhost:6379', /^Chat: REDIS_URL must be like redis:/],
    ['nonsense', /^Chat: REDIS_URL must be like redis:/],
  ])('%s gets one clear line', async (url, line) => {
    const instance = await startInstance(url);
    await instance.untilPrinted(line);
    await talk(instance);
    expect(instance.lines.filter((each) => !each.startsWith('The example app is at'))).toHaveLength(1);
    expect(await instance.end('SIGTERM')).toBe(0);
    expect(instance.lines.join()).not.toMatch(/Warning/);
  });

  test.runIf(hasRedis)('one that asks for a password gets one clear line', async () => {
    const redis = await RedisServer.start(['--requirepass', 'secret']);
    const instance = await startInstance(redis.url);
    await instance.untilPrinted(/^Chat: .*NOAUTH.*check user and password/);
    await talk(instance);
    expect(await instance.end('SIGTERM')).toBe(0);
    await redis.stop();
  });

  test.runIf(hasRedis)('one that stops answering: the rooms go on, and so does the end', async () => {
    const redis = await RedisServer.start();
    const instance = await startInstance(redis.url);
    const eve = await Chatter.enter(instance.origin, 'kitchen', 'Eve');
    await eve.untilHere('Eve');
    redis.freeze();
    await talk(instance);
    await instance.untilPrinted(/^Chat: .*has not answered/);
    expect(await instance.end('SIGTERM')).toBe(0);
    await redis.stop();
  });

  test.runIf(hasRedis)('one that has no memory left says so, and the rooms go on', async () => {
    const redis = await RedisServer.start(['--maxmemory', '1']);
    const instance = await startInstance(redis.url);
    const ada = await Chatter.enter(instance.origin, 'lobby', 'Ada');
    await ada.untilHere('Ada');
    await instance.untilPrinted(/^Chat: Redis refuses: .*maxmemory/);
    ada.say('hello');
    await ada.untilSaid('hello');
    await instance.end('SIGKILL');
    await redis.stop();
  });
});
