import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const child = fileURLToPath(new URL('./silence-child.ts', import.meta.url));

// The interface must be one that can be taken down, and the kernel's patience shorter than its usual 15 minutes.
const setUp = 'ip link set lo up && echo 2 > /proc/sys/net/ipv4/tcp_retries2';
const canUnshare = spawnSync('unshare', ['--net', 'sh', '-c', setUp]).status === 0;

test.skipIf(!canUnshare)(
  'a client that fills maxQueue and then goes silent ends each handler (skipped where unshare --net is not allowed)',
  async () => {
    const command = `${setUp} && exec "${process.execPath}" --import tsx "${child}"`;
    const process_ = spawn('unshare', ['--net', 'sh', '-c', command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    process_.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(process_, 'close')) as [number];
    const ends = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(ends).toHaveLength(3);
    expect(ends).toEqual(
      expect.arrayContaining([
        { name: 'only sends', code: 1006 },
        { name: 'sends and sleeps', code: 1006 },
        { name: 'only awaits closed', code: 1006 },
      ]),
    );
    expect(code).toBe(0);
  },
  120_000,
);
