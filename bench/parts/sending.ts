import { setTimeout as pause } from 'node:timers/promises';
import { createGroups, redisBackplane, redisStreamBackplane, type RedisClient } from 'dwebsocket/groups';
import { clientKinds } from '../../test/groups/support/clients.js';
import { hasRedis, RedisServer } from '../../test/groups/support/redis-server.js';
import { median, type Settings } from '../measure.js';
import { claimAtMost, times, type Claim, type Result } from './part.js';

/** Messages that are sent in one turn of the event loop. */
const FLOOD = 20_000;
const TEXT = 'a message of 25 bytes, say';

interface Cost {
  client: string;
  /** Microseconds of CPU for a message: for a call of the client alone, and for groups that use the client. */
  bare: number;
  pubSub: number;
  bareScript: number;
  streams: number;
}

/** Measures the CPU of a message to a group in the process that sends it, and the share of the Redis client. */
export async function measureSending(settings: Settings): Promise<Result> {
  const costs: Cost[] = [];
  const rounds = settings.quick ? 5 : 20;
  if (hasRedis) {
    const server = await RedisServer.start();
    try {
      for (const { name, connect } of clientKinds) {
        const { client, end } = await connect(server.url);
        costs.push({ client: name, ...(await measureClient(client, rounds)) });
        end();
      }
    } finally {
      await server.stop();
    }
  }
  const claims: Claim[] = costs.flatMap(({ client, bare, pubSub, bareScript, streams }) => [
    claimAtMost('CPU for a message to a group over Redis', `PUBLISH of ${client}`, 2, pubSub / bare),
    claimAtMost('CPU for a message to a group over streams', `EVAL of ${client}`, 2, streams / bareScript),
  ]);
  return {
    title: 'Sending to a group over Redis',
    method:
      `The sender sends ${FLOOD.toLocaleString('en')} messages in one turn of the event loop, and awaits all replies. The table ` +
      'shows its µs of CPU for a message, and the ratio to a direct call of the same command on the client.',
    tables: [
      {
        caption: 'Sending to a group over Redis',
        head: ['client', 'PUBLISH', 'over pub/sub', 'EVAL', 'over streams'],
        rows: costs.map(({ client, bare, pubSub, bareScript, streams }) => [
          client,
          bare.toFixed(1),
          `${pubSub.toFixed(1)} (${times(pubSub / bare)})`,
          bareScript.toFixed(1),
          `${streams.toFixed(1)} (${times(streams / bareScript)})`,
        ]),
      },
    ],
    claims,
    packages: ['redis'],
    rounds,
  };
}

async function measureClient(client: RedisClient, rounds: number): Promise<Omit<Cost, 'client'>> {
  const bare = client as unknown as {
    publish(channel: string, data: Buffer): Promise<unknown>;
    sendCommand(args: (string | Buffer)[]): Promise<unknown>;
    call?(...args: (string | Buffer)[]): Promise<unknown>;
  };
  const data = Buffer.alloc(TEXT.length + 26);
  const script = await captureScript();
  // ioredis has `call`, and a `sendCommand` that takes something else.
  const run = (args: (string | Buffer)[]): Promise<unknown> => bare.call?.(...args) ?? bare.sendCommand(args);
  const pubSub = createGroups({ backplane: redisBackplane(client, { prefix: 'pubsub' }) });
  const streams = createGroups({
    backplane: redisStreamBackplane(client, { prefix: 'streams', maxLength: 1_000 }),
  });
  for (const groups of [pubSub, streams]) await groups.group('a').send(TEXT);
  const ways = {
    bare: () => bare.publish('pubsub:group:a', data),
    pubSub: () => pubSub.group('a').send(TEXT),
    bareScript: () =>
      run(['EVAL', script, '1', 'bare:group:a', '1000', '16777216', '3600000', data, 'PUBLISH']),
    streams: () => streams.group('a').send(TEXT),
  };
  const found: Record<keyof typeof ways, number[]> = { bare: [], pubSub: [], bareScript: [], streams: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, send] of Object.entries(ways)) {
      const cost = await measureFlood(send);
      // In the first two rounds the engine still compiles the code.
      if (round >= 2) found[name as keyof typeof ways].push(cost);
    }
  }
  await Promise.all([pubSub.close(), streams.close()]);
  return {
    bare: median(found.bare),
    pubSub: median(found.pubSub),
    bareScript: median(found.bareScript),
    streams: median(found.streams),
  };
}

async function measureFlood(send: () => PromiseLike<unknown>): Promise<number> {
  await pause(10);
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: FLOOD }, send));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / FLOOD;
}

/** Returns the script that the backplane sends, so that both calls cost Redis the same. */
async function captureScript(): Promise<string> {
  const { makeAddCommand } = await import('../../src/groups/redis/stream-entry.js');
  const options = { maxLength: 1, maxBytes: 1, maxAge: 1, isCluster: false, isTimed: false };
  return String(makeAddCommand(options)('', Buffer.alloc(0))[1]);
}
