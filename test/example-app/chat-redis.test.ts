import { closeClients } from 'dwebsocket/testing';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
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

/** Starts a Redis that ends with the test. */
async function startRedis(...args: string[]): Promise<RedisServer> {
  const redis = await RedisServer.start(args);
  onTestFinished(() => redis.stop());
  return redis;
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
    redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    [one, two] = await Promise.all([startInstance(redis.url), startInstance(redis.url)]);
  });
  afterAll(() => redis.stop());

  test('share what is said, who is there, and the last messages', async () => {
    const ada = await Chatter.enter(one.origin, 'shared', 'Ada');
    const bob = await Chatter.enter(two.origin, 'shared', 'Bob');
    expect(bob.people).toEqual(['Ada', 'Bob']);
    await ada.untilHere('Ada', 'Bob');

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

  test('two tabs of a person are one person, also in two instances', async () => {
    const ada = await Chatter.enter(one.origin, 'tabs', 'Ada');
    const bob = await Chatter.enter(one.origin, 'tabs', 'Bob');
    const tab = await Chatter.enter(two.origin, 'tabs', 'Bob');
    expect(tab.people).toEqual(['Ada', 'Bob']);
    await bob.client.close();
    tab.say('I am still here');
    await ada.untilSaid('I am still here');
    expect(ada.people).toEqual(['Ada', 'Bob']);
    await tab.client.close();
    await ada.untilHere('Ada');
  });

  test('a member that comes back to another instance gets what it has missed', async () => {
    const ada = await Chatter.enter(one.origin, 'resume', 'Ada');
    const bob = await Chatter.enter(one.origin, 'resume', 'Bob');
    ada.say('one');
    await bob.untilSaid('one');
    bob.client.terminate();
    for (const text of ['two', 'three']) ada.say(text);
    await ada.untilSaid('three');
    const again = await Chatter.enter(two.origin, 'resume', 'Bob', bob.since);
    expect(again.isComplete).toBe(true);
    expect(again.said).toEqual(['two', 'three']);
  });

  test('after one is killed, its visitors are gone within ten seconds and their messages are not', async () => {
    const victim = await startInstance(redis.url);
    const ada = await Chatter.enter(one.origin, 'killed', 'Ada');
    const bob = await Chatter.enter(victim.origin, 'killed', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    bob.say('help');
    await ada.untilSaid('help');

    expect(await victim.end('SIGKILL')).toBe('SIGKILL');
    await ada.until(({ people }) => people.join() === 'Ada', 10_000);
    const cem = await Chatter.enter(two.origin, 'killed', 'Cem');
    expect(cem.people).toEqual(['Ada', 'Cem']);
    expect(cem.said).toEqual(['help']);
  });

  test('one that is stopped takes its people along at once, and ends with 0', async () => {
    const leaver = await startInstance(redis.url);
    const ada = await Chatter.enter(one.origin, 'stopped', 'Ada');
    const bob = await Chatter.enter(leaver.origin, 'stopped', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    const ended = leaver.end('SIGTERM');
    // The people of a process that says nothing any more are there for six seconds and longer.
    await ada.until(({ people }) => people.join() === 'Ada', 5_000);
    expect(await ended).toBe(0);
    expect((await bob.client.closed).code).toBe(1001);
  });

  test('while Redis is away messages wait and nobody leaves; afterwards each has come once', async () => {
    const ada = await Chatter.enter(one.origin, 'outage', 'Ada');
    const bob = await Chatter.enter(two.origin, 'outage', 'Bob');
    await ada.untilHere('Ada', 'Bob');
    ada.say('before');
    await Promise.all([ada.untilSaid('before'), bob.untilSaid('before')]);

    await redis.kill();
    for (const instance of [one, two]) {
      const line = await instance.untilPrinted(/cut off/);
      expect(line).toMatch(/^Chat: .* Messages wait until Redis is back\.$/);
    }
    ada.say('is anybody here?');
    await ada.until(({ sent }) => sent.includes('later'));
    const eve = await Chatter.enter(one.origin, 'outage', 'Eve');
    expect(eve.people).toEqual(['Ada', 'Bob', 'Eve']);

    await redis.begin();
    await bob.untilSaid('is anybody here?');
    bob.say('yes');
    for (const chatter of [ada, bob, eve]) {
      await chatter.untilSaid('yes');
      expect(chatter.said).toEqual(['before', 'is anybody here?', 'yes']);
    }
    await bob.untilHere('Ada', 'Bob', 'Eve');
    await one.untilPrinted(/Redis is back/);
  });
});

describe.runIf(hasRedis)('a Redis that has lost its data', () => {
  test('those who are in the room and those who come back learn that messages are missing', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url);
    const ada = await Chatter.enter(instance.origin, 'lobby', 'Ada');
    ada.say('lost');
    await ada.untilSaid('lost');
    expect(ada.isComplete).toBe(true);
    await redis.kill();
    await redis.begin();
    await instance.untilPrinted(/Redis is back/);
    await ada.until(({ isComplete }) => isComplete === false);
    const again = await Chatter.enter(instance.origin, 'lobby', 'Ada', ada.since);
    expect(again.isComplete).toBe(false);
    again.say('found');
    await Promise.all([ada.untilSaid('found'), again.untilSaid('found')]);
  });
});

describe('a Redis that does not run, or cannot be reached', () => {
  test('one that does not run gets one clear line; the chat says that messages wait', async () => {
    const instance = await startInstance('redis://127.0.0.1:1');
    await instance.untilPrinted(/^Chat: .*ECONNREFUSED.*check the URL.*Messages wait until Redis is back/);
    const ada = await Chatter.enter(instance.origin, 'lobby', 'Ada');
    const bob = await Chatter.enter(instance.origin, 'lobby', 'Bob');
    expect(bob.people).toEqual(['Ada', 'Bob']);
    ada.say('hello');
    await ada.until(({ sent }) => sent.includes('later'));
    expect(instance.lines.filter((each) => !each.startsWith('The example app is at'))).toHaveLength(1);
    expect(await instance.end('SIGTERM')).toBe(0);
    expect(instance.lines.join()).not.toMatch(/Warning/);
  });

  test.each(['http://localhost:6379', 'nonsense'])('%s ends the app with one clear line', async (url) => {
    const instance = Instance.begin({ REDIS_URL: url });
    expect(await instance.ended).toBe(1);
    expect(instance.lines).toEqual([
      expect.stringMatching(/^REDIS_URL must be like redis:\/\/localhost:6379 \(.*valid/),
    ]);
  });

  test.runIf(hasRedis)('one that asks for a password gets one clear line', async () => {
    const redis = await startRedis('--requirepass', 'secret');
    const instance = await startInstance(redis.url);
    await instance.untilPrinted(/^Chat: .*NOAUTH.*check user and password/);
    expect(await instance.end('SIGTERM')).toBe(0);
  });

  test.runIf(hasRedis)('one that stops answering: messages wait, and the app still ends', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url);
    const eve = await Chatter.enter(instance.origin, 'kitchen', 'Eve');
    redis.freeze();
    eve.say('hello');
    await instance.untilPrinted(/^Chat: .*has not answered/);
    await eve.until(({ sent }) => sent.includes('later'));
    redis.thaw();
    await eve.untilSaid('hello');
    redis.freeze();
    eve.say('the end');
    expect(await instance.end('SIGTERM')).toBe(0);
  });

  test.runIf(hasRedis)('one that has no memory left says so, and so does the chat', async () => {
    const redis = await startRedis('--maxmemory', '1');
    const instance = await startInstance(redis.url);
    const ada = await Chatter.enter(instance.origin, 'lobby', 'Ada');
    ada.say('one');
    ada.say('two');
    await ada.until(({ sent }) => sent.includes(false));
    await instance.untilPrinted(/^Chat: .*no memory left: raise maxmemory/);
    expect(ada.said).not.toContain('two');
  });
});
