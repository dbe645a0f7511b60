import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGroups, redisBackplane, type RedisClient, redisStreamBackplane } from 'dwebsocket/groups';
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { FakeMember } from './support/members.js';
import { findFreePort, hasRedis, RedisServer } from './support/redis-server.js';
import { Told } from './support/told.js';

// A master, its replica and a sentinel that lets the replica take over. Takes the seconds that a sentinel takes.

const NAME = 'main';
const TIMEOUT = 5_000;
const TAKEOVER = { timeout: 60_000, interval: 200 };

const makes = [
  {
    make: 'redis',
    open(port: number): RedisClient {
      const client = createSentinel({ name: NAME, sentinelRootNodes: [{ host: '127.0.0.1', port }] });
      client.on('error', () => {});
      client.connect().catch(() => {});
      onTestFinished(() => {
        if (client.isOpen) void client.destroy();
      });
      return client;
    },
  },
  {
    make: 'ioredis',
    open(port: number): RedisClient {
      const client = new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: NAME });
      client.on('error', () => {});
      onTestFinished(() => {
        client.disconnect();
      });
      return client;
    },
  },
];

describe.runIf(hasRedis).each(makes)(
  'over $make, when a replica takes over',
  { timeout: 120_000 },
  ({ open }) => {
    let master: RedisServer;
    let replica: RedisServer;
    let sentinel: { port: number; process: ChildProcess; folder: string };

    beforeEach(async () => {
      master = await RedisServer.start();
      replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${master.port}`]);
      sentinel = await startSentinel(master.port);
      // A replica that the sentinel does not know of, or that has nothing yet, does not take over.
      await expect.poll(() => describeMaster(sentinel.port), TAKEOVER).toMatch(/num-slaves\s+1\b/);
      await expect.poll(() => replica.cli('INFO', 'replication'), TAKEOVER).toMatch(/master_link_status:up/);
    }, 120_000);

    afterEach(async () => {
      const exit = once(sentinel.process, 'exit');
      sentinel.process.kill('SIGKILL');
      await exit;
      await rm(sentinel.folder, { recursive: true, force: true });
      await master.stop();
      await replica.stop();
    });

    test.each([
      ['redisBackplane', (client: RedisClient) => redisBackplane(client, { timeout: TIMEOUT })],
      [
        'redisStreamBackplane',
        (client: RedisClient) => redisStreamBackplane(client, { timeout: TIMEOUT, maxLength: 1_000 }),
      ],
    ])('the groups of %s are told, and reach each other over the new master', async (_name, create) => {
      const connect = () => {
        const groups = createGroups({ backplane: create(open(sentinel.port)) });
        onTestFinished(() => groups.close());
        return { groups, told: new Told(groups) };
      };
      const [here, there] = [connect(), connect()];
      const far = new FakeMember();
      await expect.poll(() => there.groups.group('a').add(far), TAKEOVER).toBe(true);
      await expect
        .poll(async () => (await here.groups.group('a').send('before')).backplane, TAKEOVER)
        .toBe(true);
      await expect.poll(() => far.got, TAKEOVER).toContain('before');

      await master.kill();
      await Promise.all([here.told.cutOff(60_000), there.told.cutOff(60_000)]);
      await Promise.all([here.told.back(60_000), there.told.back(60_000)]);
      expect(replica.cli('INFO', 'replication')).toContain('role:master');
      await expect
        .poll(async () => (await here.groups.group('a').send('after')).backplane, TAKEOVER)
        .toBe(true);
      await expect.poll(() => far.got, TAKEOVER).toContain('after');
    });
  },
);

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
  return { port, process: child, folder };
}
