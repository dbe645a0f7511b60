import { afterEach, expect, test } from 'vitest';
import { Town } from '../groups/history/support/town.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';
import { REDIS_FAULTS } from './chaos/faults.js';
import type { Player } from './chaos/player-process.js';
import { pause } from './chaos/pause.js';
import { Random } from './chaos/random.js';
import { RedisOrchestra } from './chaos/redis-orchestra.js';

// Three processes with a history over Redis Streams, and 100 clients that lose their connection all the time and come back to
// any process, while the network and Redis are disturbed. Then each client must have every message of its room, once and in
// order, unless it was told that messages are missing.
//
// CHAOS_SEED=… plays the same faults again, CHAOS_SECONDS=60 takes one minute for each test instead of two.

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 120);
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];
const SETTINGS = { timeout: 2_000, rooms: 3, kinds: ['streams'] as const, crowd: 0 };

let town: Town | undefined;
let servers: RedisServer[] = [];

afterEach(async () => {
  await town?.end();
  town = undefined;
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
});

const say = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);

async function play(names: readonly string[]): Promise<string[]> {
  say(`history for ${SECONDS} s; again with CHAOS_SECONDS=${SECONDS} CHAOS_SEED=${SEED}`);
  const random = new Random(SEED);
  servers = [await RedisServer.start(DURABLE), await RedisServer.start(DURABLE)];
  const [master, replica] = servers as [RedisServer, RedisServer];
  town = await Town.open(master.port, new Random(SEED + 1));
  const orchestra = new RedisOrchestra(master, replica, town.workers as unknown as Player[]);
  replica.cli('REPLICAOF', '127.0.0.1', String(master.port));
  await orchestra.untilReplicated();
  await town.start();
  const end = performance.now() + SECONDS * 1_000;
  while (performance.now() < end && town.faults.length === 0) {
    await pause(random.between(200, 1_500));
    if (names.length === 0) continue;
    const name = random.pick(names);
    say(`${name}: ${await REDIS_FAULTS[name]!(orchestra, random, SETTINGS)}`);
    await town.untilBack();
  }
  const faults = await town.finish(orchestra.setBacks.length > 0);
  say(town.summary);
  return faults.slice(0, 20);
}

test.runIf(hasRedis)('with a Redis that works, no client is told of a loss', async () => {
  expect(await play([])).toEqual([]);
  expect(town!.losses).toBe(0);
});

test.runIf(hasRedis)('nor with a Redis that is cut off, slow, frozen and killed', async () => {
  expect(await play(['cut', 'stall', 'slow', 'kill', 'freeze'])).toEqual([]);
  expect(town!.losses).toBe(0);
});

test.runIf(hasRedis)(
  'with a Redis that loses messages, each client has every message or is told of the loss',
  async () => {
    expect(await play(['cut', 'kill', 'failover', 'set back'])).toEqual([]);
  },
);
