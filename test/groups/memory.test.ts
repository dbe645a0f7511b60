import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { START, within } from '../support/inbox.js';
import type { Filled, FillerOptions } from './support/filler.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

// maxBuffered limits memory. The real memory, measured in a separate process, is at most twice as much, for many small
// messages and for large ones. Redis is stopped or not running.

const MAX_BUFFERED = 2 ** 24;
const FILLER = fileURLToPath(new URL('./support/filler.ts', import.meta.url));

async function fill(options: Omit<FillerOptions, 'maxBuffered'>, takeAway: () => unknown): Promise<Filled> {
  const child = fork(FILLER, [JSON.stringify({ ...options, maxBuffered: MAX_BUFFERED })], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  try {
    await within(once(child, 'message'), 'start', START);
    await takeAway();
    child.send('fill');
    const [filled] = (await within(once(child, 'message'), 'end', 60_000)) as [Filled];
    return filled;
  } finally {
    const exit = once(child, 'exit');
    if (child.exitCode === null) child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await exit;
  }
}

const cases = ['redis 6', 'ioredis 6'].flatMap((client) =>
  [false, true].flatMap((isStream) => [1, 100_000].map((size) => ({ client, isStream, size }))),
);

describe.runIf(hasRedis)('messages that wait for Redis', { timeout: 120_000 }, () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  test.each(cases)('while Redis is stopped: $size bytes, $client, streams: $isStream', async (options) => {
    try {
      const { live } = await fill({ ...options, url: server.url }, () => server.freeze());
      // Messages in flight (1 MiB or 500) also take memory in the client and its socket.
      expect(live).toBeLessThan(2 * MAX_BUFFERED);
      expect(live).toBeGreaterThan(MAX_BUFFERED / 2);
    } finally {
      server.thaw();
    }
  });

  test.each(cases.filter(({ isStream }) => isStream))(
    'kept in an outage: $size bytes, $client',
    async (options) => {
      const { live, count } = await fill({ ...options, url: server.url }, () => server.kill());
      await server.begin();
      expect(live).toBeLessThan(2 * MAX_BUFFERED);
      expect(live).toBeGreaterThan(MAX_BUFFERED / 2);
      // A small message takes little more than its bytes and the 26 bytes of its envelope.
      if (options.size === 1) expect(count).toBeGreaterThan(MAX_BUFFERED / 50);
    },
  );
});
