import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { findFreePort } from '../../test/support/free-port.js';
import { connect } from '../../test/support/client.js';
import { requirement } from '../../test/support/requirements.js';
import { checksOf } from '../support/subject.js';
import { run, writeSection } from './support/page.js';
import { folder } from './support/runtimes.js';

const pm2 = `${folder}node_modules/pm2/bin/pm2`;

describe.runIf(requirement('a system that pm2 runs on', process.platform !== 'win32'))('pm2', () => {
  const check = checksOf({ name: 'pm2', packages: ['pm2'], needs: '[a listener of SIGINT](#pm2)' });

  for (const instances of ['1', '2'])
    check('reload', `clients of ${instances} processes see 1001, and can connect again at once`, async () => {
      const cwd = writeSection('pm2', `pm2-${instances}`);
      const home = mkdtempSync(join(tmpdir(), 'dwebsocket-pm2-'));
      const port = await findFreePort();
      const command = (...args: string[]) =>
        run([process.execPath, pm2, ...args], cwd, { PM2_HOME: home, PORT: String(port) });
      onTestFinished(async () => {
        await command('kill');
        rmSync(home, { recursive: true, force: true });
      });
      await command('start', 'pm2-server.mjs', '-i', instances, '--name', 'app', '--kill-timeout', '15000');
      const client = await connectWhenUp(port);
      const reloaded = command('reload', 'app');
      expect((await client.closed()).code).toBe(1001);
      const next = await connectWhenUp(port);
      next.send('hello');
      expect(await next.next()).toBe('hello');
      await reloaded;
      expect((await next.close(1000)).code).toBe(1000);
      const ends = readFileSync(join(home, 'pm2.log'), 'utf8').match(/exited with code .*/g);
      expect(ends).toEqual(Array(Number(instances)).fill('exited with code [0] via signal [SIGINT]'));
    });
});

/** pm2 does not say when the app listens. */
async function connectWhenUp(port: number) {
  const up = () => fetch(`http://127.0.0.1:${port}/nowhere`).then(({ status }) => status);
  await expect.poll(() => up().catch(() => 0)).toBe(404);
  return connect({ port }, '/echo');
}
