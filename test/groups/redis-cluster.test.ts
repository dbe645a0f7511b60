import { createGroups, redisBackplane, redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { backplaneContract } from 'dwebsocket/testing';
import { clusterKinds, type OpenClient } from './support/clients.js';
import { FakeMember } from './support/members.js';
import { RecordedEvents } from './support/recorded-events.js';
import { RedisCluster } from './support/redis-cluster.js';
import { hasRedis } from './support/redis-server.js';

// Outages of a cluster take long. So the older client versions are tested only if CI is set.
const kinds =
  process.env.CI === undefined ? clusterKinds.filter(({ name }) => name.endsWith('6')) : clusterKinds;

/** Longer than a busy machine pauses a process: a late reply would count as another outage. */
const TIMEOUT = 3_000;
const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasRedis).each(kinds)('a Redis Cluster over $name', (kind) => {
  let cluster: RedisCluster;
  const open: OpenClient[] = [];

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });

  afterAll(async () => {
    for (const { end } of open) end();
    await cluster.stop();
  });

  const connect = async () => {
    const opened = await kind.connect(cluster.ports);
    open.push(opened);
    return opened.client;
  };
  const common = {
    test: (name: string, run: () => Promise<void>) => test(name, { timeout: 90_000 }, run),
    outage: { begin: () => cluster.kill(), end: () => cluster.begin() },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
  };

  test.for([
    { backplane: 'redisBackplane', prefix: 'pubsub' },
    { backplane: 'redisStreamBackplane', prefix: 'streams' },
  ])('$backplane: messages arrive while slots move', { timeout: 120_000 }, async ({ prefix }) => {
    const join = async () => {
      const options = { timeout: 1_500, prefix };
      const client = await connect();
      const backplane =
        prefix === 'pubsub'
          ? redisBackplane(client, options)
          : redisStreamBackplane(client, { ...options, maxLength: 10_000 });
      const groups = createGroups({ backplane });
      onTestFinished(() => groups.close());
      return { groups, events: new RecordedEvents(groups) };
    };
    const [here, there] = [await join(), await join()];
    const rooms = new Map(Array.from({ length: 40 }, (_, room) => [`room ${room}`, new FakeMember()]));
    const joining = [...rooms].map(([name, member]) => there.groups.group(name).add(member));
    expect(new Set(await Promise.all(joining))).toEqual(new Set([true]));

    const moving = new AbortController();
    let count = 0;
    const fates = new Map([...rooms.keys()].map((name): [string, unknown[]] => [name, []]));
    const sending = (async () => {
      while (!moving.signal.aborted) {
        const number = String(count++);
        const sent = [...rooms.keys()].map(async (name) => {
          fates.get(name)!.push((await here.groups.group(name).send(number)).backplane);
        });
        await Promise.all(sent);
      }
    })();
    const [one, two, three] = cluster.nodes;
    await cluster.moveSlots(one!, two!, 1_000);
    await cluster.moveSlots(two!, three!, 2_000);
    await cluster.moveSlots(three!, one!, 1_000);
    moving.abort();
    await sending;
    // Both subscribe at the new nodes. The next message shows whether one is missing.
    for (const [name, member] of rooms) {
      const last = async () => {
        await here.groups.group(name).send('end');
        return member.got.includes('end');
      };
      await expect.poll(last, { timeout: 30_000, interval: 100 }).toBe(true);
    }
    for (const [name, member] of rooms) {
      const numbers = member.got.filter((text) => text !== 'end').map(Number);
      expect(numbers, name).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const lost = Array.from({ length: count }, (_, number) => number).filter(
        (number) => !numbers.includes(number),
      );
      const unreported = lost.filter((number) => fates.get(name)![number] !== false);
      const isReported = there.events.missed.some(({ group }) => group === name);
      if (!isReported) expect(unreported, `${name}: lost and not reported`).toEqual([]);
      if (prefix === 'streams') expect(unreported, `${name}: lost`).toEqual([]);
    }
  });

  backplaneContract('redisBackplane', {
    ...common,
    create: async () => redisBackplane(await connect(), { timeout: TIMEOUT, maxBuffered: MAX_BUFFERED }),
  });

  backplaneContract('redisStreamBackplane', {
    ...common,
    create: async () =>
      redisStreamBackplane(await connect(), {
        timeout: TIMEOUT,
        maxLength: 10_000,
        maxBuffered: MAX_BUFFERED,
      }),
    keepsMissed: true,
  });
});
