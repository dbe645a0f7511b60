import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { runFleet } from './support/fleet.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

// test/long/groups.test.ts does the same with 2,000 websockets, 200 groups and 100,000 messages.
const SIZE = { processes: 4, websockets: 200, groups: 20, messages: 4_000 };

describe.runIf(hasRedis)('four processes with real websockets', { timeout: 90_000 }, () => {
  let redis: RedisServer | undefined;

  afterEach(() => redis?.stop());

  test('every member receives every message of its groups once, and in order for each sender', async () => {
    redis = await RedisServer.start();
    expect(await runFleet({ ...SIZE, stream: false }, redis)).toEqual([]);
  });

  test('also over Redis Streams when Redis is killed and restarted in between', async () => {
    const server = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    redis = server;
    const inTheMiddle = async () => {
      await server.kill();
      await server.begin();
    };
    expect(await runFleet({ ...SIZE, stream: true }, server, { inTheMiddle })).toEqual([]);
  });
});

test(
  'four processes with real websockets over a socket: every member receives every message once, and in order',
  { timeout: 90_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-fleet-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    expect(await runFleet({ ...SIZE, stream: false }, { url: join(folder, 'groups') })).toEqual([]);
  },
);
