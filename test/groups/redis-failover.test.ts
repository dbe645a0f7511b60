import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGroups, redisBackplane, type RedisClient, redisStreamBackplane } from 'dwebsocket/groups';
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { describe, test } from 'vitest';
import { findFreePort } from '../support/free-port.js';
import type { OpenClient } from './support/clients.js';
import { FakeMember } from './support/members.js';
import { RecordedEvents } from './support/recorded-events.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

// A master, its replica, and a sentinel that promotes the replica. The sentinel takes some seconds.

const NAME = 'main';
const TIMEOUT = 5_000;
const TAKEOVER = { timeout: 60_000, interval: 200 };

const makes = [
  {
    make: 'redis',
    open(port: number): OpenClient {
      const client = createSentinel({ name: NAME, sentinelRootNodes: [{ host: '127.0.0.1', port }] });
      client.on('error', () => {});
      client.connect().catch(() => {});
      const end = (): void => {
        if (client.isOpen) void client.destroy();
      };
      return { client, end };
    },
  },
  {
    make: 'ioredis',
    open(port: number): OpenClient {
      const client = new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: NAME });
      client.on('error', () => {});
      return { client, end: () => client.disconnect() };
    },
  },
];

const backplanes = [
  {
    backplane: 'redisBackplane',
    create: (client: RedisClient) => redisBackplane(client, { timeout: TIMEOUT }),
  },
  {
    backplane: 'redisStreamBackplane',
    create: (client: RedisClient) => redisStreamBackplane(client, { timeout: TIMEOUT, maxLength: 1_000 }),
  },
];

const cases = makes.flatMap((make) => backplanes.map((backplane) => ({ ...make, ...backplane })));

// Concurrent, because the tests mostly wait for the sentinels.
describe.runIf(hasRedis).concurrent('when a replica becomes the master', { timeout: 120_000 }, () => {
  test.for(cases)(
    "groups of $backplane over $make emit 'cutOff', and then reach each other over the new master",
    async ({ open, create }, { expect, onTestFinished }) => {
      const master = await RedisServer.start();
      onTestFinished(() => master.stop());
      const replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${master.port}`]);
      onTestFinished(() => replica.stop());
      const sentinel = await startSentinel(master.port);
      onTestFinished(() => sentinel.stop());
      // The sentinel promotes only a replica that it knows and that is synchronized.
      await expect.poll(() => describeMaster(sentinel.port), TAKEOVER).toMatch(/num-slaves\s+1\b/);
      await expect.poll(() => replica.cli('INFO', 'replication'), TAKEOVER).toMatch(/master_link_status:up/);

      const connect = () => {
        const { client, end } = open(sentinel.port);
        onTestFinished(end);
        const groups = createGroups({ backplane: create(client) });
        onTestFinished(() => groups.close());
        return { groups, events: new RecordedEvents(groups) };
      };
      const [here, there] = [connect(), connect()];
      const far = new FakeMember();
      await expect.poll(() => there.groups.group('a').add(far), TAKEOVER).toBe(true);
      await expect
        .poll(async () => (await here.groups.group('a').send('before')).backplane, TAKEOVER)
        .toBe(true);
      await expect.poll(() => far.got, TAKEOVER).toContain('before');

      await master.kill();
      await Promise.all([here.events.cutOff(60_000), there.events.cutOff(60_000)]);
      await Promise.all([here.events.back(60_000), there.events.back(60_000)]);
      expect(replica.cli('INFO', 'replication')).toContain('role:master');
      await expect
        .poll(async () => (await here.groups.group('a').send('after')).backplane, TAKEOVER)
        .toBe(true);
      await expect.poll(() => far.got, TAKEOVER).toContain('after');
    },
  );
});

function describeMaster(sentinel: number): string {
  const args = ['-p', String(sentinel), 'SENTINEL', 'MASTER', NAME];
  return spawnSync('redis-cli', args, { encoding: 'utf8' }).stdout;
}

async function startSentinel(masterPort: number) {
  const port = await findFreePort();
  const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  await writeFile(
    file,
    `port ${String(port)}
bind 127.0.0.1
dir ${folder}
sentinel monitor ${NAME} 127.0.0.1 ${String(masterPort)} 1
sentinel down-after-milliseconds ${NAME} 2000
sentinel failover-timeout ${NAME} 5000
`,
  );
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  return {
    port,
    async stop() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
