import { createGroups, type Groups, redisStreamBackplane } from 'dwebsocket/groups';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Random } from '../../long/chaos/random.js';
import { within } from '../../support/inbox.js';
import { clientKinds } from '../support/clients.js';
import { Proxy } from '../support/proxy.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { ResumingClient } from './support/resuming-client.js';

describe.runIf(hasRedis)('over Redis Streams', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  async function open(seed: number, length: number, url: string, kind: number): Promise<Groups> {
    const { client, end } = await clientKinds[kind % clientKinds.length]!.connect(url);
    onTestFinished(end);
    const groups = createGroups({
      backplane: redisStreamBackplane(client, { prefix: `seed${seed}`, maxLength: 10_000, timeout: 2_000 }),
      history: { length, age: 3_600_000 },
    });
    onTestFinished(() => groups.close());
    for (const event of ['cutOff', 'missed', 'dropped'] as const) groups.on(event, () => {});
    return groups;
  }

  /** Members of two processes that join, leave, read slowly and send, while the processes lose their connections. */
  async function play(seed: number): Promise<{ faults: string[]; losses: number }> {
    const random = new Random(seed);
    const length = random.pick([3, 1_000, 1_000]);
    const proxies = [await Proxy.start(redis.port), await Proxy.start(redis.port)];
    for (const proxy of proxies) onTestFinished(() => proxy.stop());
    const processes = await Promise.all(
      proxies.map((proxy, index) => open(seed, length, proxy.url, seed + 2 * index)),
    );
    const gates = new Set<() => void>();
    const openGates = (): void => {
      for (const gate of gates) gate();
      gates.clear();
    };
    const wait = (): unknown =>
      random.next() < 0.8 ? undefined : new Promise<void>((resolve) => gates.add(resolve));
    const clients = Array.from({ length: 6 }, (_, index) => new ResumingClient(`client ${index}`, wait));
    const joining: PromiseLike<boolean>[] = [];
    const join = (client: ResumingClient): void => {
      const joined = client.join(random.pick(processes).group('a'), random.pick([0, 2, 1_000]));
      if (joined !== undefined) joining.push(joined);
    };
    const send = (): void => void random.pick(processes).group('a').send('x');
    for (let step = 0; step < 300; step++) {
      const act = random.pick([
        send,
        send,
        send,
        () => join(random.pick(clients)),
        () => join(random.pick(clients)),
        () => random.pick(clients).leave(),
        openGates,
      ]);
      act();
      if (random.next() < 0.01) random.pick(proxies).cut();
      if (random.next() < 0.3) await new Promise(setImmediate);
      if (random.next() < 0.02) await redis.run('PING');
    }
    for (const client of clients) join(client);
    // What was kept during an outage goes out before this.
    for (const groups of processes) {
      while ((await groups.group('a').send('last')).backplane !== true) await redis.run('PING');
    }
    const fresh = await open(seed, 10_000, redis.url, 0);
    const truth = await fresh.group('a').history();
    const isOver = (): boolean => clients.every(({ since }) => since === truth.at(-1)!.id);
    await within(
      (async () => {
        while (!isOver()) {
          openGates();
          await redis.run('PING');
        }
      })(),
      'last message',
      30_000,
    );
    return {
      faults: clients.flatMap((client) => client.judge(truth)),
      losses: length < 1_000 ? 0 : clients.reduce((sum, client) => sum + client.losses, 0),
    };
  }

  test.for([1, 2, 3, 4, 5, 6, 7, 8])(
    'whatever members and the network do, each member gets every message once and in order: seed %i',
    async (seed) => {
      expect(await play(seed)).toEqual({ faults: [], losses: 0 });
    },
  );
});
