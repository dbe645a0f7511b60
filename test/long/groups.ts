/**
 * Groups on many machines, as far as one machine can show: 4 processes, 2,000 websockets in 200 groups, 100,000 messages,
 * a Redis of its own. Takes some minutes:
 *
 *     npx tsx test/long/groups.ts
 *
 * Ends with 1 when a message came twice, out of order or not at all.
 */
import { type FleetOptions, runFleet } from '../groups/support/fleet.js';
import { RedisServer } from '../groups/support/redis-server.js';

const SIZE = { processes: 4, websockets: 2_000, groups: 200, messages: 100_000 };
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];
const DEADLINE = 5 * 60_000;

let failures = 0;

async function report(
  title: string,
  options: FleetOptions,
  redis: RedisServer,
  inTheMiddle?: () => Promise<void>,
) {
  try {
    const { faults, deliveries, seconds } = await runFleet(options, redis, {
      deadline: DEADLINE,
      ...(inTheMiddle && { inTheMiddle }),
    });
    failures += faults.length;
    console.log(`${title}: ${deliveries} deliveries in ${seconds.toFixed(1)} s, ${faults.length} faults`);
    for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
  } finally {
    await redis.stop();
  }
}

await report('pub/sub', { ...SIZE, stream: false }, await RedisServer.start());
await report('streams', { ...SIZE, stream: true }, await RedisServer.start(DURABLE));
const redis = await RedisServer.start(DURABLE);
await report('streams, Redis killed and restarted', { ...SIZE, stream: true }, redis, async () => {
  await redis.kill();
  await redis.begin();
});
process.exitCode = failures > 0 ? 1 : 0;
