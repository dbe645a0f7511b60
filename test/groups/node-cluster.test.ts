import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { START, within } from '../support/inbox.js';
import type { Site } from '../support/serve.js';
import { hasRedis, RedisServer } from './support/redis-server.js';

const APP = fileURLToPath(new URL('./support/clustered-app.ts', import.meta.url));

describe('workers of node:cluster', { timeout: 180_000 }, () => {
  test.runIf(hasRedis)('share their rooms over Redis', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    await talk(redis.url);
  });

  test('share their rooms over a socket, without a server', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-cluster-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = process.platform === 'win32' ? `\\\\.\\pipe\\${basename(folder)}` : join(folder, 'groups');
    await talk(path);
    expect(await readdir(folder)).toEqual([]);
  });

  async function talk(place: string): Promise<void> {
    const app = spawn(process.execPath, ['--import', 'tsx', APP, place], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    onTestFinished(() => void app.kill('SIGKILL'));
    const [{ port }] = (await within(once(app, 'message'), 'port', 2 * START)) as [{ port: number }];
    const site: Site = { port, tls: false } as Site;
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect(site, '/room/a')));
    const workers = new Set(await Promise.all(clients.map((client) => client.next())));
    expect(workers.size).toBe(3);
    for (const [index, speaker] of clients.entries()) {
      speaker.send(`from ${index}`);
      const others = clients.filter((client) => client !== speaker);
      const received = await Promise.all(others.map((client) => client.next()));
      expect(new Set(received)).toEqual(new Set([`from ${index}`]));
    }
    await Promise.all(clients.map((client) => client.flush()));
    expect(clients.flatMap((client) => client.unread())).toEqual([]);
    for (const client of clients) await client.close();
    const exit = once(app, 'exit');
    app.send('end');
    expect((await within(exit, 'end', 20_000))[0]).toBe(0);
  }
});
