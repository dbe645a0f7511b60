import { createClient } from 'redis';
import { expect, onTestFinished, test } from 'vitest';
import { compareEnds } from '../../src/groups/redis/stream-entry.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

test.runIf(hasRedis)('one command compares the ends of many streams', async () => {
  const server = await RedisServer.start();
  onTestFinished(() => server.stop());
  const client = createClient({ url: server.url });
  onTestFinished(() => client.destroy());
  await client.connect();
  const bytes = Buffer.alloc(50, 0xfe);
  await client.sendCommand(['XADD', 'short', '5-1', 'd', 'text', 't', '1 0']);
  await client.sendCommand(['XADD', 'long', '5-2', 'd', bytes, 't', '1 0']);
  await client.sendCommand(['SET', 'another type', 'x']);
  const end = (index: number, mark: string) => ({ id: { era: '5', index }, mark });
  const mark = bytes.toString('latin1', 0, 32);
  const same = [
    ['short', end(1, 'text')],
    ['long', end(2, mark)],
    ['none', undefined],
  ] as const;
  const changed = [
    ['short', end(1, 'another')],
    ['short', undefined],
    ['long', end(3, mark)],
    ['none', end(1, 'text')],
    ['another type', undefined],
    ['another type', end(1, 'text')],
  ] as const;
  expect(await client.sendCommand(compareEnds(same))).toEqual([]);
  const reply = (await client.sendCommand(compareEnds([...same, ...changed]))) as unknown as number[];
  expect(reply).toEqual(changed.map((_each, index) => same.length + index + 1));
});
